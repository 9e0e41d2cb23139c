import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import type { AnyRule } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { z } from 'zod';
import { firstSeen } from './builders/first-seen.ts';
import { actorOf, type Named } from './builders/seen.ts';
import { privateRepositoryOf } from './reading-habits.ts';

const dayMs = 86_400_000;
type Of = (event: LoggedEvent) => Named | undefined;

/** One thing seen with another that it never had. `says`: what has happened, of the two names. */
type FirstSight = {
  id: string;
  title: string;
  why: string;
  subject: Of;
  trait: Of;
  says: (of: string, trait: string) => string;
  /** Names of the acts at which it is looked; reading and writing code unless told otherwise. */
  actions?: readonly string[];
  attack: readonly string[];
  owasp: readonly string[];
  falseAlarms: readonly string[];
  limits?: readonly string[];
  offByDefault: string;
};

const codeActions = ['git.clone', 'git.fetch', 'git.push', 'repo.download_zip'];

function ruleOf({ says, why, actions = codeActions, subject, trait, ...of }: FirstSight): AnyRule {
  return firstSeen({
    ...of,
    ...{ severity: 'low', principles: [2], feeds: { needs: ['github-audit'] } },
    description: `${of.title}. ${why} What came up in the first \`learnMs\` is usual.`,
    on: ['dev.cdeventsx.tripline-repository.read', 'dev.cdeventsx.tripline-runner.registered', recorded],
    where: { attribute: 'tripline.audit.action', oneOf: actions },
    settings: {
      learnMs: z
        .int()
        .min(3_600_000)
        .max(90 * dayMs)
        .default(30 * dayMs),
    },
    // What is not known of both sides is no sight.
    subject: (event) => subject(event),
    trait: (event) => (subject(event) === undefined ? undefined : trait(event)),
    learnMs: ({ learnMs }) => learnMs,
    keepMs: 180 * dayMs,
    tell: ({ by, repository }, { name }) =>
      `${by.name} ${repository === undefined ? 'was seen' : `reached ${repository.name}`} (${name})`,
    found: ({ of: known, trait: news }) => ({
      subject: clip(`${known.name} ${news.name}`, 500),
      title: `${of.title}: ${clip(known.name, 150)}, ${clip(news.name, 150)}`,
      summary: `${says(known.name, news.name)}. ${why}`,
      remedy: [`Ask whether that was theirs; if not, revoke the credential that was used.`],
    }),
  });
}
const recorded = 'dev.cdeventsx.tripline-audit.recorded';

const user: Of = (event) => ((event.data as Attributes)['user.name'] === undefined ? undefined : actorOf(event));
const named = (value: string | undefined): Named | undefined =>
  value === undefined || value === '' ? undefined : { id: value, name: clip(value, 200) };
const address: Of = ({ data }) => named((data as Attributes)['client.address']);
const token: Of = ({ data }) => named((data as Attributes)['tripline.credential.token_hash']);
/** Without its version, which changes at each update: what stands before the first slash or space. */
const client: Of = ({ data }) => named((data as Attributes)['user_agent.original']?.split(/[/ ]/, 1)[0]?.toLowerCase());
const userAndAddress: Of = (event) => {
  const from = address(event);
  const who = user(event);
  if (who === undefined) return undefined;
  return { id: `${who.id} ${from?.id ?? ''}`, name: `${who.name} from ${from?.name ?? 'an address that is not told'}` };
};
const owner: Of = ({ data }) => named((data as Attributes)['vcs.owner.name']?.toLowerCase());

const stolen = 'So does whoever holds a stolen credential, and so does anybody on a new task.';
const moving = { attack: ['T1078.004', 'T1213.003'], owasp: ['CICD-SEC-2'] };
const offByDefault = 'In an ordinary team it happens each day.';
const noAddress = ['Without the disclosure of addresses (a setting of the organisation) nothing is found.'];

export const rules: readonly AnyRule[] = (
  [
    {
      ...{
        ...moving,
        offByDefault,
        id: 'first-user-of-private-repository',
        title: 'Somebody new to a private repository',
      },
      ...{ subject: user, trait: privateRepositoryOf, why: stolen },
      says: (of, trait) => `${of} read or pushed to ${trait} for the first time`,
      falseAlarms: ['Work in another repository.'],
    },
    {
      ...{ ...moving, offByDefault, id: 'first-address-of-repository', title: 'Repository reached from a new address' },
      ...{ subject: privateRepositoryOf, trait: address, why: stolen, limits: noAddress },
      says: (of, trait) => `${of} was read or pushed to from ${trait} for the first time`,
      falseAlarms: ['Work from home or on the road, and runners of the provider’s, each of which has another address.'],
    },
    {
      ...{ ...moving, offByDefault, id: 'first-address-of-token', title: 'Token used from a new address' },
      ...{
        subject: token,
        trait: address,
        why: `${stolen} A network and a client that are both new say more: \`credential-context-drift\`.`,
      },
      says: (of, trait) => `Token ${of} was used from ${trait} for the first time`,
      ...{ falseAlarms: ['Work from home or on the road.'], limits: noAddress },
    },
    {
      ...{ ...moving, offByDefault, id: 'first-address-of-user', title: 'Somebody at work from a new address' },
      ...{ subject: user, trait: address, why: stolen, limits: noAddress },
      says: (of, trait) => `${of} read or pushed from ${trait} for the first time`,
      falseAlarms: ['Work from home or on the road.'],
    },
    {
      ...{ ...moving, offByDefault, id: 'first-client-of-token', title: 'Token used with a new client' },
      ...{ subject: token, trait: client, why: `${stolen} A client says what it likes.` },
      says: (of, trait) => `Token ${of} was used with ${trait} for the first time`,
      falseAlarms: ['A new editor or tool.'],
    },
    {
      ...{ ...moving, offByDefault, id: 'first-token-of-user', title: 'Somebody at work with a new token' },
      ...{ subject: user, trait: token, why: stolen },
      says: (of, trait) => `${of} read or pushed with token ${trait} for the first time`,
      falseAlarms: ['Tokens that are made anew, as each of an app is.'],
    },
    {
      ...{ id: 'first-runner-registrar', title: 'Runner registered by somebody new to it, or from a new address' },
      why: 'Whoever plants a machine for jobs to run on registers it as any other.',
      ...{
        subject: owner,
        trait: userAndAddress,
        offByDefault:
          'An account that never registered one is found by `rogue-runner-registered`; an address alone says little.',
      },
      actions: ['repo', 'org', 'enterprise'].map((one) => `${one}.register_self_hosted_runner`),
      says: (of, trait) => `${trait} registered a runner of ${of} for the first time`,
      ...{ attack: ['T1195.002', 'T1078.004'], owasp: ['CICD-SEC-7'] },
      falseAlarms: ['A new colleague, or a new network, of those who keep the runners: resolve it as false.'],
      limits: ['Runners that are configured for one job each, as controllers do, are not registered so.'],
    },
  ] as const satisfies readonly FirstSight[]
).map(ruleOf);
