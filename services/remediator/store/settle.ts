import type { Attributes } from '@tripline/contracts/attributes';
import type { GuardVerdict } from '@tripline/contracts/job';
import { describeTarget, type Intent } from '@tripline/contracts/response';
import type { Db } from '@tripline/db/database';
import { addToOutbox, type OutgoingEvent } from '@tripline/db/outbox';
import { addNotifyJob } from '@tripline/db/queue';
import type { RemediationState } from '@tripline/db/tables/remediations';
import { inTransaction } from '@tripline/db/transaction';
import { addIncidentEvent, pageAnew } from '@tripline/incidents/incidents';
import type { PoolClient } from 'pg';
import { type Place, type Remediation, type Row, toRemediation } from './remediations.ts';

/** Which incident's history a settled step belongs to, and its line there. A silenced finding has no incident. */
export type StepHistory = { incident: string | null; line: (settled: Remediation) => Record<string, unknown> };

export type Settled = {
  state: 'done' | 'failed';
  reason: string;
  detail: string;
  check: { result: 'dead' | 'alive' | 'unknown'; detail: string };
};
type Ended = Omit<Settled, 'state' | 'check'> & {
  state: RemediationState;
  verdict: GuardVerdict;
  check: Settled['check'] | null;
};

export function refusal(
  verdict: Exclude<GuardVerdict, 'act'>,
  detail: string,
  check: Settled['check'] | null = null,
): Ended {
  return { state: 'refused', verdict, reason: verdict, detail, check };
}

/**
 * Refuses a claimed step for a reason that became known between the claim and its request. `check`: what GitHub said,
 * where it was asked and the thing was found alive after all.
 */
export function refuseClaimed(
  db: Db,
  place: Place,
  refused: { verdict: Exclude<GuardVerdict, 'act'>; detail: string; check?: Settled['check'] },
  history: StepHistory,
) {
  return inTransaction(db, (client) =>
    settle(client, place, refusal(refused.verdict, refused.detail, refused.check), history),
  );
}

/**
 * Records what came of a claimed step, in its incident's history too, and notifies people. Undefined: another worker
 * did so before.
 */
export function settleRemediation(db: Db, place: Place, settled: Settled, history: StepHistory) {
  return inTransaction(db, (client) => settle(client, place, { ...settled, verdict: 'act' }, history));
}

/** All that follows from a step's end, in one transaction, so that no crash leaves a step unreported. */
export async function settle(
  client: PoolClient,
  { finding, ordinal }: Place,
  { state, verdict, reason, detail, check }: Ended,
  history: StepHistory,
): Promise<Remediation | undefined> {
  const { rows } = await client.query<Row>(
    `UPDATE remediations SET state = $3, verdict = $4, reason = $5, said = $6, check_result = $7, check_said = $8,
       leased_until = NULL, due_at = NULL, settled_at = clock_timestamp()
     WHERE finding = $1 AND ordinal = $2 AND state IN ('planned', 'queued', 'acting') RETURNING *`,
    [finding, ordinal, state, verdict, reason, detail, check?.result ?? null, check?.detail ?? null],
  );
  if (rows[0] === undefined) return undefined;
  const settled = toRemediation(rows[0]);
  await recordOutcome(client, settled, history);
  return settled;
}

/** The outcome of a step as an event of the log, and as a line of its incident's history. */
export async function recordOutcome(client: PoolClient, step: Remediation, history: StepHistory): Promise<void> {
  await addToOutbox(client, [outcomeOf(step, history.line(step))]);
  if (history.incident === null) return;
  const line = history.line(step);
  await addRemediationEvent(client, history.incident, line);
  if (pages(step)) {
    const { finding, ordinal } = step;
    await pageAnew(client, history.incident, { reason: String(line['text']), finding, ordinal });
  }
}

/** Refusals after which a person must do what was not done, so they are paged. */
const pagingVerdicts: readonly (GuardVerdict | null)[] = ['protected', 'not-configured'];

/** Whether people who have acknowledged the incident must be paged anew: what they count on was not done. */
function pages({ mode, state, verdict, check }: Remediation): boolean {
  if (mode === 'dry-run') return false;
  if (state === 'failed' || state === 'queued' || check?.result === 'alive') return true;
  return state === 'refused' && pagingVerdicts.includes(verdict);
}

/** A token is revoked under the id by which its later use is told. */
function credentialOf(intent: Intent): Pick<Attributes, 'tripline.response.credential'> {
  if (intent.action !== 'revoke-credential' || intent.credential !== 'personal-access-token') return {};
  return { 'tripline.response.credential': intent.credentialId };
}

/** The id includes the time of the state: a step that is planned again may end twice, and both ends are reported. */
function outcomeOf(step: Remediation, line: Record<string, unknown>): OutgoingEvent {
  const { finding, ordinal, workspace, state, verdict, check, request } = step;
  const at = step.settledAt ?? step.dueAt ?? step.plannedAt;
  return {
    id: `response:${finding}:${ordinal}:${state}:${at}`,
    type: 'dev.cdeventsx.tripline-response.finished',
    workspace,
    data: {
      'tripline.response.action': step.step.action,
      'tripline.response.finding': finding,
      'tripline.response.ordinal': ordinal,
      'tripline.response.target': request === null ? describeTarget(step.step) : `${request.method} ${request.path}`,
      ...credentialOf(step.step),
      'tripline.response.state': state,
      'tripline.response.verdict': verdict ?? 'act',
      'tripline.response.reason': String(line['text'] ?? step.detail ?? ''),
      ...(check === null ? {} : { 'tripline.response.result': check.result }),
    },
  };
}

export async function addRemediationEvent(client: PoolClient, incident: string, detail: Record<string, unknown>) {
  await client.query('UPDATE incidents SET version = version + 1, updated_at = clock_timestamp() WHERE id = $1', [
    incident,
  ]);
  const actor = { via: 'tripline', id: 'tripline', name: 'tripline' } as const;
  await addIncidentEvent(client, { incident, kind: 'remediated', actor, detail });
  await addNotifyJob(client, incident);
}
