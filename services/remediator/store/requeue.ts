import type { Db } from '@tripline/db/database';
import { addJob } from '@tripline/db/jobs';
import { inTransaction } from '@tripline/db/transaction';
import type { PoolClient } from 'pg';
import { holdsPlace, rank } from './claims.ts';
import { type Place, type Remediation, type Row, toRemediation } from './remediations.ts';
import { addRemediationEvent, type StepHistory } from './settle.ts';

/**
 * Leaves jobs for the steps that wait and for which there is a place: the gravest first, and among equals who waits longest.
 * The guard is asked again then. Answers how many steps.
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
  for (const { finding } of rows) {
    await inTransaction(db, (client) => addJob(client, 'remediate', { finding }, { key: `remediate:${finding}` }));
  }
  return rows.length;
}

/**
 * Plans anew the steps of the last day that were refused only because the kill switch was thrown, and leaves the jobs that
 * put them to the guard again. Answers how many steps.
 */
export async function resumeRefused(db: Db): Promise<number> {
  const { rows } = await db.pool.query<{ steps: number }>(
    `WITH again AS (
       UPDATE remediations SET state = 'planned', verdict = NULL, reason = NULL, said = NULL, settled_at = NULL,
         planned_at = clock_timestamp()
       WHERE state = 'refused' AND verdict = 'kill-switch' AND settled_at > clock_timestamp() - interval '1 day'
       RETURNING finding
     ), jobs AS (
       SELECT graphile_worker.add_job('remediate', payload := json_build_object('finding', finding),
         job_key := 'remediate:' || finding) FROM (SELECT DISTINCT finding FROM again ORDER BY finding) AS findings
     )
     SELECT (SELECT count(*)::int FROM again) AS steps, (SELECT count(*) FROM jobs) AS jobs`,
  );
  return rows[0]!.steps;
}

/**
 * Gives a claimed step up for now, and leaves the job that takes it up again; both or neither. With `history`, people are
 * told that it has not been done yet.
 */
export async function postponeRemediation(
  db: Db,
  { finding, ordinal }: Place,
  postponed: { reason: string; said: string; afterMs: number; history?: StepHistory },
): Promise<Remediation | undefined> {
  return inTransaction(db, async (client) => {
    const { rows } = await client.query<Row>(
      `UPDATE remediations SET reason = $3, said = $4, leased_until = NULL,
         due_at = clock_timestamp() + $5 * interval '1 millisecond'
       WHERE finding = $1 AND ordinal = $2 AND state = 'acting' RETURNING *`,
      [finding, ordinal, postponed.reason, postponed.said, postponed.afterMs],
    );
    if (rows[0] === undefined) return undefined;
    await addRemediateJob(client, finding, postponed.afterMs);
    const step = toRemediation(rows[0]);
    const { history } = postponed;
    if (history && history.incident !== null) await addRemediationEvent(client, history.incident, history.line(step));
    return step;
  });
}

/** Leaves a job that takes a finding's playbook up again after a while. */
export async function addRemediateJob(client: Pick<PoolClient, 'query'>, finding: string, afterMs: number) {
  await client.query(
    `SELECT FROM graphile_worker.add_job('remediate', payload := $1::json, job_key := $2,
       run_at := clock_timestamp() + $3 * interval '1 millisecond')`,
    [JSON.stringify({ finding }), `remediate:${finding}`, afterMs],
  );
}

/**
 * Leaves jobs anew for playbooks whose worker died: graphile-worker holds a dead worker's job for four hours, which is
 * too long for an attacker's run. A step whose lease is over, or a job begun longer ago than a playbook takes, says so.
 */
export async function reviveRemediations(db: Db, options: { afterMs: number }): Promise<number> {
  const { rows } = await db.pool.query<{ finding: string }>(
    `SELECT DISTINCT finding FROM remediations
     WHERE state IN ('planned', 'acting')
       AND coalesce(leased_until, greatest(due_at, planned_at + $1 * interval '1 millisecond')) < clock_timestamp()
       AND NOT EXISTS (SELECT FROM graphile_worker.jobs WHERE key = 'remediate:' || finding AND locked_at IS NULL
         AND attempts < max_attempts)
     UNION
     SELECT substr(key, length('remediate:') + 1) FROM graphile_worker.jobs
     WHERE key LIKE 'remediate:%' AND locked_at < clock_timestamp() - $1 * interval '1 millisecond'
     ORDER BY 1`,
    [options.afterMs],
  );
  for (const { finding } of rows) {
    await inTransaction(db, (client) => addJob(client, 'remediate', { finding }, { key: `remediate:${finding}` }));
  }
  return rows.length;
}
