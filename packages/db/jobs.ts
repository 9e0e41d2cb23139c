import type { JobName, Jobs } from '@tripline/contracts/job';
import type { ClientBase } from 'pg';

/**
 * Leaves a job for another room, in the caller's transaction: the job exists exactly when what gave rise to it does.
 *
 * `key` is the whole job key that packages/contracts/job.ts names. A job of that key which nobody has begun is replaced;
 * one that is under way is left alone and another one follows it, so a change during a run is never overlooked.
 */
export async function addJob<N extends JobName>(
  client: Pick<ClientBase, 'query'>,
  name: N,
  payload: Jobs[N],
  options: { key: string },
): Promise<void> {
  await client.query(
    `SELECT FROM graphile_worker.add_job($1, payload := $2::json, job_key := $3, job_key_mode := 'replace')`,
    [name, JSON.stringify(payload), options.key],
  );
}

/**
 * Leaves a job for later, `afterMs` from now. A job of that key that waits already moves to then; with `keepRunAt` it
 * keeps its own time.
 */
export async function addLaterJob<N extends JobName>(
  client: Pick<ClientBase, 'query'>,
  name: N,
  payload: Jobs[N],
  options: { key: string; afterMs: number; keepRunAt?: boolean },
): Promise<void> {
  await client.query(
    `SELECT FROM graphile_worker.add_job($1, payload := $2::json, job_key := $3, job_key_mode := $5,
       run_at := clock_timestamp() + $4 * interval '1 ms')`,
    [name, JSON.stringify(payload), options.key, options.afterMs, options.keepRunAt ? 'preserve_run_at' : 'replace'],
  );
}

/** Leaves the job that brings the notification channels in sync with an incident. To be called with every rise of its version. */
export async function addNotifyJob(client: Pick<ClientBase, 'query'>, incident: string): Promise<void> {
  await addJob(client, 'notify', { incident }, { key: `notify:${incident}` });
}

/** A job of any kind, with its whole key. */
export type AnyJob = { [N in JobName]: { name: N; payload: Jobs[N]; key: string } }[JobName];

/** Leaves many jobs in one statement; as `addJob` otherwise. */
export async function addJobs(client: Pick<ClientBase, 'query'>, jobs: readonly AnyJob[]): Promise<void> {
  if (jobs.length === 0) return;
  await client.query(
    `SELECT count(graphile_worker.add_job(j.name, payload := j.payload, job_key := j.key, job_key_mode := 'replace'))
     FROM json_to_recordset($1::json) AS j(name text, payload json, key text)`,
    [JSON.stringify(jobs)],
  );
}
