import type { KnownHead } from '@tripline/access/known-head';
import type { LoggedJob } from '@tripline/access/known-run';
import { knownRunsChannel, mostOfPayload } from '@tripline/db/known-runs';
import type { ClientBase, Pool } from 'pg';

/** What is known of the jobs of a run, by the run's key. `jobs`: JSON of them. */
export type KnownRun = { workspace: string; run: string; jobs: string };

/** The same of a commit of the policies themselves. */
export type ToldHead = KnownHead & { workspace: string };

/** What a batch told of runs and of commits of the policies. */
export type WhatIsTold = { runs: readonly KnownRun[]; heads: readonly ToldHead[] };
export const nothingTold: WhatIsTold = { runs: [], heads: [] };

/** JSON that Postgres takes: whoever names a job may write NUL, or half a character. */
export const jobsAsJson = (jobs: readonly LoggedJob[]): string =>
  JSON.stringify(jobs, (_, value) => (typeof value === 'string' ? value.toWellFormed().replaceAll('\0', '') : value));

/**
 * Writes what was told in a batch at `logTimeMs`, in the caller's transaction, with whose end brokers hear of it. Each run stands once
 * in `known`.
 */
export async function writeKnownRuns(client: ClientBase, known: readonly KnownRun[], logTimeMs: number): Promise<void> {
  if (known.length === 0) return;
  await client.query(
    `WITH written AS (
       INSERT INTO known_runs (workspace, run, jobs, told_at)
       SELECT workspace, run, jobs::jsonb, to_timestamp($2 / 1000.0)
       FROM json_to_recordset($1::json) AS k(workspace text, run text, jobs text)
       ON CONFLICT (workspace, run) DO UPDATE SET jobs = excluded.jobs, told_at = excluded.told_at RETURNING workspace, run)
     SELECT pg_notify('${knownRunsChannel}', left(workspace || ' ' || run, ${mostOfPayload})) FROM written`,
    [JSON.stringify(known), logTimeMs],
  );
}

/** The same of commits of the policies. */
export async function writeKnownHeads(
  client: ClientBase,
  heads: readonly ToldHead[],
  logTimeMs: number,
): Promise<void> {
  if (heads.length === 0) return;
  const rows = heads.map(({ reviewed: { is, why }, ...head }) => ({
    ...head,
    is,
    why: why.toWellFormed().replaceAll('\0', ''),
  }));
  await client.query(
    `INSERT INTO known_heads (workspace, repository, revision, before, reviewed, why, told_at)
     SELECT workspace, repository, revision, before, "is", why, to_timestamp($2 / 1000.0)
     FROM json_to_recordset($1::json) AS h(workspace text, repository text, revision text, before text, "is" text, why text)
     ON CONFLICT (workspace, repository, revision) DO UPDATE
       SET before = excluded.before, reviewed = excluded.reviewed, why = excluded.why, told_at = excluded.told_at`,
    [JSON.stringify(rows), logTimeMs],
  );
}

/** A run that was told of before `beforeMs` has ended: what asks of it afterwards gets nothing. */
export async function sweepKnownRuns(client: Pool, beforeMs: number): Promise<void> {
  await client.query('DELETE FROM known_runs WHERE told_at < to_timestamp($1 / 1000.0)', [beforeMs]);
}
