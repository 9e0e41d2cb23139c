import type { DutySettings } from '@tripline/access/settings';
import { createLocalPolicies } from '@tripline/broker/local-policies';
import type { Config } from '@tripline/config/config';
import type { Check } from '@tripline/contracts/check';

/**
 * Whether it can be asked who is on duty; where a local file of policies minds it, whether it could be known of all whom it names.
 * `fault`: asks whether the key is taken; undefined where it is.
 */
export async function checkDuty(
  config: Pick<Config, 'broker' | 'baseDir' | 'identity'>,
  fault: (settings: DutySettings) => Promise<string | undefined>,
): Promise<Check> {
  const name = 'duty';
  const { duty } = config.broker;
  const minded = mindedBy(config);
  if (duty === undefined) {
    const policies = [...new Set(minded.map(({ policy }) => `people.${policy}`))];
    if (policies.length === 0)
      return { name, state: 'off', detail: 'broker.duty is not set: nobody counts as on duty' };
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
  const detail = `PagerDuty tells who of ${duty.people.length} is on duty`;
  if (strangers.length === 0) return { name, state: 'ok', detail };
  return {
    ...{
      name,
      state: 'ok',
      detail: `${detail}; never on duty, since nothing says who they are: ${strangers.join(', ')}`,
    },
    remedy: 'name them in broker.duty.people',
  };
}

/** Whose duty a local file minds, with the ids that it pins; of policies in a repository the broker says it when somebody asks. */
function mindedBy({ broker: { policy }, baseDir, identity }: Pick<Config, 'broker' | 'baseDir' | 'identity'>) {
  if (policy === undefined || !('file' in policy)) return [];
  const read = createLocalPolicies(baseDir, policy.file, identity.audience)();
  if ('fault' in read) return [];
  return Object.entries(read.file.people).flatMap(([name, right]) =>
    (right.onDuty?.of ?? []).flatMap((of) =>
      right[of].map((login) => ({ policy: name, login, id: read.lock.people[login]?.id })),
    ),
  );
}
