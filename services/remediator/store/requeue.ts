import type { Db } from '@tripline/db/database';
import { addToQueue, queueOnce } from '@tripline/db/queue';
import { inTransaction } from '@tripline/db/transaction';
import { holdsPlace, rank } from './claims.ts';
import { type Place, type Remediation, type Row, toRemediation } from './remediations.ts';
import { addRemediationEvent, type StepHistory } from './settle.ts';

/**
 * Queues the playbooks of waiting steps for which there is a place: the most severe first, then the longest waiting.
 * The guard decides again then. Returns how many steps.
 */
export async function resumeQueued(db: Db, options: { maxPerHour: number }): Promise<number> {
  const { rows } = await db.pool.query<{ finding: string }>(
    `WITH waiting AS MATERIALIZED (
       SELECT r.finding, r.workspace, r.action, row_number() OVER (PARTITION BY r.workspace, r.action
         ORDER BY ${rank('f', 'r.queued_at')} DESC, r.queued_at, r.finding, r.ordinal) AS place
       FROM remediations r JOIN findings f ON f.id = r.finding WHERE r.state = 'queued'
     ), taken AS MATERIALIZED (
       SELECT r.workspace, r.action, count(*) AS places FROM remediations r
       WHERE EXISTS (SELECT FROM waiting) AND r.acted_at > clock_timestamp() - interval '2 hours' AND ${holdsPlace}
       GROUP BY r.workspace, r.action
     )
     SELECT w.finding FROM waiting w LEFT JOIN taken t USING (workspace, action)
     WHERE w.place + coalesce(t.places, 0) <= $1 GROUP BY w.finding ORDER BY min(w.place), w.finding`,
    [options.maxPerHour],
  );
  for (const { finding } of rows) await addToQueue(db.pool, 'remediate', finding);
  return rows.length;
}

/**
 * Plans anew the steps of the last day that were refused only because the kill switch was thrown, and queues their
 * playbooks, so that the guard decides again. Returns how many steps.
 */
export async function resumeRefused(db: Db): Promise<number> {
  const { rows } = await db.pool.query<{ steps: number }>(
    `WITH again AS (
       UPDATE remediations SET state = 'planned', verdict = NULL, reason = NULL, said = NULL, settled_at = NULL,
         planned_at = clock_timestamp()
       WHERE state = 'refused' AND verdict = 'kill-switch' AND settled_at > clock_timestamp() - interval '1 day'
       RETURNING finding
     ), jobs AS (
       INSERT INTO queue AS q (purpose, item) SELECT DISTINCT 'remediate', finding FROM again ORDER BY finding ${queueOnce}
     )
     SELECT (SELECT count(*)::int FROM again) AS steps, (SELECT count(*) FROM jobs) AS jobs`,
  );
  return rows[0]!.steps;
}

/**
 * Postpones a claimed step, and queues its playbook for then; both or neither. With `history`, people are notified that
 * it has not been done yet.
 */
export async function postponeRemediation(
  db: Db,
  { finding, ordinal }: Place,
  postponed: { reason: string; detail: string; afterMs: number; history?: StepHistory },
): Promise<Remediation | undefined> {
  return inTransaction(db, async (client) => {
    const { rows } = await client.query<Row>(
      `UPDATE remediations SET reason = $3, said = $4, leased_until = NULL,
         due_at = clock_timestamp() + $5 * interval '1 millisecond'
       WHERE finding = $1 AND ordinal = $2 AND state = 'acting' RETURNING *`,
      [finding, ordinal, postponed.reason, postponed.detail, postponed.afterMs],
    );
    if (rows[0] === undefined) return undefined;
    await addToQueue(client, 'remediate', finding, postponed.afterMs);
    const step = toRemediation(rows[0]);
    const { history } = postponed;
    if (history && history.incident !== null) await addRemediationEvent(client, history.incident, history.line(step));
    return step;
  });
}
