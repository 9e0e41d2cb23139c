import { reasonsToEnd } from '@tripline/access/decide-person';
import { isAsGraveAs } from '@tripline/contracts/finding';
import type { Db } from '@tripline/db/database';
import { queueChannel } from '@tripline/db/queue';
import { personOf } from '@tripline/facts/things';
import { readOpenAt } from '@tripline/incidents/open-at';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { RequestParts } from './request-step.ts';
import { lookAgain, type OpenRequest, type RightEnd } from './store/requests.ts';
import { workOnSignals } from './work-on-signals.ts';

/** From which severity on an incident ends rights of people, as it does of jobs where a policy says none. */
const gravest = 'high';
/** What the broker itself is found to have done with rights of people says nothing against them. */
const aboutRights: readonly string[] = ['access-break-glass', 'grant-outlived-job'];
const pollMs = 10_000;

/** Why a right that somebody has is to end now; undefined where it is not. */
export async function whyToEnd(
  parts: RequestParts,
  request: OpenRequest,
): Promise<{ endingWhy: RightEnd; why: string | null } | undefined> {
  const right = request.right!;
  const nowMs = parts.clock.nowMs();
  if (request.isUnwanted) return { endingWhy: 'by-hand', why: null };
  if (nowMs >= right.untilMs) return { endingWhy: 'longest', why: null };
  const { grantee, approvedBy } = right;
  const incident = await incidentOf(parts, request.workspace, [grantee, ...(approvedBy ? [approvedBy.account] : [])]);
  if (incident !== undefined) return { endingWhy: 'incident', why: incident };
  const policies = parts.policies();
  // Without any in force it is not known what they allow: nothing is given, and what was given ends at its time.
  if ('fault' in policies) return undefined;
  const forMs = nowMs - (request.givenMs ?? nowMs);
  const against = reasonsToEnd({ ...request.asked, forMs }, approvedBy?.account.id ?? null, policies);
  return against === undefined ? undefined : { endingWhy: 'policy', why: against };
}

/**
 * The incident that is open and names one of these people, in words. One that names the repository alone ends nothing: it is what people
 * ask for rights for.
 */
export async function incidentOf(
  { db, instance }: Pick<RequestParts, 'db' | 'instance'>,
  workspace: string,
  people: readonly { id: string; name: string }[],
): Promise<string | undefined> {
  const things = people.map(({ id, name }) => personOf({ id, login: name }, `github:${instance}:`));
  const open = await readOpenAt(db, workspace, things, undefined, { butFor: aboutRights });
  const one = open.find(({ severity }) => isAsGraveAs(severity, gravest));
  return one && `incident ${one.id} is open and names ${people.map(({ name }) => name).join(' or ')}`;
}

/** Has rights of people looked at whenever an incident changes, until `close`. */
export function startEndingRights(parts: { db: Db; clock: Clock; logger: Logger }): { close: () => Promise<void> } {
  return workOnSignals(
    parts,
    {
      ...{ channel: queueChannel, pollMs, failing: 'reading which rights of people may have to end failed; retrying' },
      concerns: (payload) => payload === 'notify',
    },
    () => lookAgain(parts.db, parts.clock.nowMs()),
  );
}
