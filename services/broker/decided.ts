import type { Decision } from '@tripline/access/decide';
import type { Attributes } from '@tripline/contracts/attributes';
import type { TriplineEvent } from '@tripline/contracts/event';
import { clip } from '@tripline/contracts/text';
import { brokerEvent, jobAttributes } from './append-events.ts';
import type { Asking } from './asking.ts';

/** Of a policy that there is not, the name alone is known. */
export type AskedOf = Omit<Asking, 'policy'> & { policy?: Asking['policy'] };

/** Names and what a token says may be long; a denial’s event must not be. */
const mostCharacters = 1000;

/** Which grant it is about, of which policy, and who asked from where. */
export function grantAttributes({ id, job, policyName, policies, policy, address }: AskedOf): Attributes {
  return {
    ...jobAttributes(job),
    'tripline.access.grant': id,
    'tripline.access.policy': policyName,
    'tripline.access.policy_sha256': policies.sha256,
    ...(policies.revision === null ? {} : { 'tripline.access.policy_revision': policies.revision }),
    ...(policy === undefined ? {} : { 'tripline.access.tier': policy.tier }),
    ...(address === undefined ? {} : { 'client.address': address }),
  };
}

/** What was decided, and every condition that spoke against it, as the job is told. */
export function decidedEvent(
  asked: AskedOf,
  { decision, reasons }: Decision,
  { atMs, isDryRun }: { atMs: number; isDryRun: boolean },
): TriplineEvent {
  return brokerEvent(
    'dev.cdeventsx.tripline-access.decided',
    { id: `access:${asked.id}:decided`, workspace: asked.workspace, atMs },
    {
      ...grantAttributes(asked),
      'tripline.access.decision': decision,
      'tripline.access.reasons': reasons.map(({ condition, state, wanted, found }) => ({
        ...{ condition, state, wanted: clip(wanted, mostCharacters), found: clip(found, mostCharacters) },
      })),
      ...(isDryRun ? { 'tripline.access.dry_run': true as const } : {}),
      'tripline.access.took_ms': Math.max(0, Math.round(atMs - asked.askedMs)),
    },
  );
}
