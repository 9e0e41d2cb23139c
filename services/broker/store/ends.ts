import { type EndedGrant, endGrants } from '@tripline/db/end-grants';
import type { PoolClient } from 'pg';
import type { JobKeys } from '../keys.ts';

/** Key of the job in `access_grants.job_key`: the run's where the token names no job. */
export const jobKeyOf = ({ job, run }: JobKeys): string => job ?? run;

/**
 * Holds off the end of a job and of its run until the transaction ends: to be awaited first in it, before whatever reads whether
 * the job has ended or makes something live. A statement of its own, since a statement does not see what was committed after it
 * began, though it waited for a lock.
 */
export async function lockJob(client: PoolClient, { job, run }: JobKeys): Promise<void> {
  if (job === null) return lockEnds(client, [run]);
  await client.query(
    `SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 0)), pg_advisory_xact_lock(hashtextextended($2, 0))`,
    [run, job],
  );
}

/** Holds off whatever makes something live for these jobs and runs: to be awaited first in the transaction that ends them. */
export async function lockEnds(client: PoolClient, keys: readonly string[]): Promise<void> {
  await client.query(
    `SELECT pg_advisory_xact_lock(hashtextextended(key, 0))
     FROM (SELECT DISTINCT key COLLATE "C" AS key FROM unnest($1::text[]) AS all_keys (key) ORDER BY 1) AS in_order`,
    [keys],
  );
}

/** Ends are kept for so long: no id token lives longer, and no job of GitHub asks for a fresh one after it has ended. */
export const keptMs = 3 * 24 * 3_600_000;

/** An end as it was heard: of a job, or of a run with all its jobs. */
export type End = { of: 'job' | 'run'; key: string; endedAtMs: number };

/** Notes ends, the first of each; under `lockEnds`. @returns keys of those that were not known. */
export async function noteEnds(client: PoolClient, ends: readonly End[], heardAtMs: number): Promise<string[]> {
  const { rows } = await client.query<{ key: string }>(
    `INSERT INTO access_ends (key, ended_at, heard_at)
     SELECT DISTINCT ON (key) key, ended_at, $3 FROM unnest($1::text[], $2::timestamptz[]) AS heard (key, ended_at)
     ORDER BY key, ended_at ON CONFLICT (key) DO NOTHING RETURNING key`,
    [ends.map(({ key }) => key), ends.map(({ endedAtMs }) => new Date(endedAtMs)), new Date(heardAtMs)],
  );
  return rows.map(({ key }) => key);
}

/** The end of the job or of its run; undefined where none was heard. Under `lockJob`, that stays so until the transaction ends. */
export async function endOf(client: Pick<PoolClient, 'query'>, { job, run }: JobKeys): Promise<End | undefined> {
  const { rows } = await client.query<{ key: string; ended_at: Date }>(
    'SELECT key, ended_at FROM access_ends WHERE key = ANY ($1) ORDER BY ended_at, key LIMIT 1',
    [job === null ? [run] : [job, run]],
  );
  const row = rows[0];
  return row && { of: row.key === run ? 'run' : 'job', key: row.key, endedAtMs: row.ended_at.getTime() };
}

/**
 * Notes ends and ends what was given to these jobs: of a run, all that is left. Takes their locks, so nothing that was read before in
 * the transaction may count. @returns which ends were not known, and what they ended.
 */
export async function endAll(
  client: PoolClient,
  ends: readonly End[],
  atMs: number,
): Promise<{ news: readonly End[]; ended: readonly EndedGrant[] }> {
  await lockEnds(
    client,
    ends.map(({ key }) => key),
  );
  const news = new Set(await noteEnds(client, ends, atMs));
  const keysOf = (what: End['of']) => ends.filter(({ of }) => of === what).map(({ key }) => key);
  const jobs = await endGrants(client, { jobs: keysOf('job') }, { why: 'job-ended', atMs });
  const runs = await endGrants(client, { runs: keysOf('run') }, { why: 'run-ended', atMs });
  return { news: ends.filter(({ key }) => news.delete(key)), ended: [...jobs, ...runs] };
}
