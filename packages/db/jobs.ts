import type { JobName, Jobs } from '@tripline/contracts/job';
import type { ClientBase } from 'pg';

/**
 * Adds a job for the detector's worker, in the caller's transaction: the job exists exactly when its cause does.
 *
 * `key` is the whole job key that packages/contracts/job.ts names. A job of that key that has not started is replaced;
 * one that is running is left alone and a second one is added, so that a change during a run is never missed.
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

/** A job of any kind, with its whole key. */
export type AnyJob = { [N in JobName]: { name: N; payload: Jobs[N]; key: string } }[JobName];

/** Adds many jobs in one statement; as `addJob` otherwise. */
export async function addJobs(client: Pick<ClientBase, 'query'>, jobs: readonly AnyJob[]): Promise<void> {
  if (jobs.length === 0) return;
  await client.query(
    `SELECT count(graphile_worker.add_job(j.name, payload := j.payload, job_key := j.key, job_key_mode := 'replace'))
     FROM json_to_recordset($1::json) AS j(name text, payload json, key text)`,
    [JSON.stringify(jobs)],
  );
}
