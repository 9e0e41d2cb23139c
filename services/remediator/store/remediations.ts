import type { GuardVerdict } from '@tripline/contracts/job';
import type { Intent } from '@tripline/contracts/response';
import type { Db } from '@tripline/db/database';
import { type FormerStep, intentOf } from '@tripline/db/former-steps';
import type { RemediationState, ShownRequest } from '@tripline/db/tables/remediations';

/** One step of a finding's playbook and what became of it. Field docs: migrations/0005_remediations.sql. Times are RFC 3339. */
export type Remediation = {
  finding: string;
  ordinal: number;
  workspace: string;
  code: string;
  step: Intent;
  mode: 'dry-run' | 'live';
  /** What would be sent first; null where no integration can do it. */
  request: ShownRequest | null;
  state: RemediationState;
  verdict: GuardVerdict | null;
  attempts: number;
  reason: string | null;
  detail: string | null;
  check: { result: 'dead' | 'alive' | 'unknown'; detail: string } | null;
  plannedAt: string;
  /** While it waits for a place or for another attempt: not before. */
  dueAt: string | null;
  actedAt: string | null;
  settledAt: string | null;
};

export type PlannedStep = Pick<Remediation, 'ordinal' | 'code' | 'step' | 'mode' | 'request'>;

/**
 * Writes a playbook, once: an existing step stays as it is, unless it was refused only because the finding was
 * retracted or unproven, and the finding stands again, or is proven now.
 */
export async function planRemediations(
  db: Db,
  finding: { id: string; workspace: string },
  steps: readonly PlannedStep[],
): Promise<void> {
  for (const { ordinal, code, step, mode, request } of steps) {
    await db.pool.query(
      `INSERT INTO remediations (finding, ordinal, workspace, action, code, target, mode, request)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
      [
        finding.id,
        ordinal,
        finding.workspace,
        step.action,
        code,
        JSON.stringify(step),
        mode,
        request && JSON.stringify(request),
      ],
    );
  }
  await db.pool.query(
    `UPDATE remediations r SET state = 'planned', verdict = NULL, reason = NULL, said = NULL, settled_at = NULL,
       check_result = NULL, check_said = NULL
     FROM findings f WHERE r.finding = $1 AND f.id = r.finding AND f.withdrawn_at IS NULL AND f.superseded_by IS NULL
       AND r.state = 'refused' AND (r.verdict = 'withdrawn' OR r.verdict = 'unproven' AND NOT f.unproven)`,
    [finding.id],
  );
}

/** Steps of one finding in order, or the newest of all. */
export async function listRemediations(
  db: Db,
  filter: { finding?: string; limit?: number } = {},
): Promise<Remediation[]> {
  const { rows } = await db.pool.query<Row>(
    filter.finding === undefined
      ? { text: 'SELECT * FROM remediations ORDER BY planned_at DESC, ordinal LIMIT $1', values: [filter.limit ?? 100] }
      : { text: 'SELECT * FROM remediations WHERE finding = $1 ORDER BY ordinal', values: [filter.finding] },
  );
  return rows.map(toRemediation);
}

export type Place = Pick<Remediation, 'finding' | 'ordinal'>;

export type Row = {
  finding: string;
  ordinal: number;
  workspace: string;
  code: string;
  target: Intent | FormerStep;
  mode: 'dry-run' | 'live';
  request: ShownRequest | null;
  state: RemediationState;
  verdict: GuardVerdict | null;
  attempts: number;
  reason: string | null;
  said: string | null;
  check_result: 'dead' | 'alive' | 'unknown' | null;
  check_said: string | null;
  planned_at: Date;
  due_at: Date | null;
  acted_at: Date | null;
  settled_at: Date | null;
};

export function toRemediation(row: Row): Remediation {
  const { finding, ordinal, workspace, code, mode, request, state, verdict, attempts, reason, said } = row;
  return {
    ...{
      finding,
      ordinal,
      workspace,
      code,
      step: intentOf(row.target),
      mode,
      request,
      state,
      verdict,
      attempts,
      reason,
      detail: said,
    },
    check: row.check_result && { result: row.check_result, detail: row.check_said ?? '' },
    plannedAt: row.planned_at.toISOString(),
    dueAt: row.due_at?.toISOString() ?? null,
    actedAt: row.acted_at?.toISOString() ?? null,
    settledAt: row.settled_at?.toISOString() ?? null,
  };
}
