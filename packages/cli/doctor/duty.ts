import type { Version } from '@tripline/access/diff';
import type { DutySettings } from '@tripline/access/settings';
import { createLocalPolicies } from '@tripline/broker/local-policies';
import type { Config } from '@tripline/config/config';
import type { Check } from '@tripline/contracts/check';

type DutyConfig = Pick<Config, 'broker' | 'baseDir' | 'identity'>;

/** What the check asks: whether PagerDuty takes the key (undefined where it does), and what a broker took from a repository last. */
export type DutySources = {
  fault: (settings: DutySettings) => Promise<string | undefined>;
  /** Undefined where it took nothing yet. @throws where Tripline's database cannot be read. */
  taken: () => Promise<Pick<Version, 'file' | 'lock'> | undefined>;
};

/** Whether it can be asked who is on duty, and whether it could be known of all whose duty the policies mind, local ones or those of a repository. */
export async function checkDuty(config: DutyConfig, { fault, taken }: DutySources): Promise<Check> {
  const name = 'duty';
  const { duty } = config.broker;
  const read = await policiesOf(config, taken);
  const minded = read === 'unread' ? [] : mindedBy(read);
  const unread = read === 'unread' ? '; whose duty the policies mind is not known: they could not be read' : '';
  if (duty === undefined) {
    const policies = [...new Set(minded.map(({ policy }) => `people.${policy}`))];
    if (policies.length === 0)
      return { name, state: 'off', detail: `broker.duty is not set: nobody counts as on duty${unread}` };
    const detail = `${policies.join(', ')} want people on duty, and broker.duty is not set: nobody counts as on duty`;
    return { name, state: 'broken', detail, remedy: 'set broker.duty, or take onDuty off the policies' };
  }
  const remedy = 'take a read-only key of PagerDuty’s REST API as broker.duty.token, and check broker.duty.apiUrl';
  const wrong = await fault(duty).catch((error: Error) => `PagerDuty cannot be asked: ${error.name}`);
  if (wrong !== undefined) return { name, state: 'broken', detail: wrong, remedy };
  const known = new Set(duty.people.map(({ account }) => account));
  const strangers = [
    ...new Set(minded.filter(({ id }) => id === undefined || !known.has(id)).map(({ login }) => login)),
  ];
  const detail = `PagerDuty tells who of ${duty.people.length} is on duty${unread}`;
  if (strangers.length === 0) return { name, state: 'ok', detail };
  return {
    ...{ name, state: 'ok' },
    detail: `${detail}; never on duty, since nothing says who they are: ${strangers.join(', ')}`,
    remedy: 'name them in broker.duty.people',
  };
}

type Read = Pick<Version, 'file' | 'lock'> | undefined;

/** Undefined where there are none, or a local file is wrong, which the check of the broker says. */
async function policiesOf(
  { broker: { policy }, baseDir, identity }: DutyConfig,
  taken: DutySources['taken'],
): Promise<Read | 'unread'> {
  if (policy === undefined) return undefined;
  if (!('file' in policy)) return taken().catch(() => 'unread' as const);
  const read = createLocalPolicies(baseDir, policy.file, identity.audience)();
  return 'fault' in read ? undefined : read;
}

/** Whose duty the policies mind, with the ids that they pin. */
const mindedBy = (read: Read): { policy: string; login: string; id: string | undefined }[] =>
  Object.entries(read?.file.people ?? {}).flatMap(([policy, right]) =>
    (right.onDuty?.of ?? []).flatMap((of) =>
      right[of].map((login) => ({ policy, login, id: read!.lock.people[login]?.id })),
    ),
  );
