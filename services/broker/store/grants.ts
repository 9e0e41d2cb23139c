import type { Give } from '@tripline/access/policy';
import type { Severity } from '@tripline/contracts/finding';
import type { Db } from '@tripline/db/database';
import { clockMarginMs, endGrants } from '@tripline/db/end-grants';
import { inTransaction } from '@tripline/db/transaction';
import type { GitHubJob, Proof } from '@tripline/identity/workload';
import type { ClientBase } from 'pg';
import type { JobKeys } from '../keys.ts';
import { type End, jobKeyOf, lockJob } from './ends.ts';
import { type Meanwhile, type MeanwhileOf, readMeanwhile } from './meanwhile.ts';

/** A grant that is about to be given, and each credential of it. */
export type IntendedGrant = {
  id: string;
  workspace: string;
  policy: string;
  policySha256: string;
  policyRevision: string | null;
  tier: string;
  keys: JobKeys;
  job: Proof & GitHubJob;
  /** Keys of the entities that it is of. */
  things: readonly string[];
  until: 'job' | 'run';
  onIncident: 'atOnce' | 'afterJob';
  /** From which severity on an incident ends it; null where its policy does not say. */
  incidentSeverity: Severity | null;
  askedMs: number;
  longestUntilMs: number;
  credentials: readonly { kind: 'github' | 'aws' | 'vault' | 'gitlab'; scope: Give }[];
};

export type Intended =
  /** `isFirst`: of this policy, ever. `meanwhile` is as it was once the grant was written down; rejects where it cannot be read. */
  | { result: 'intended'; isFirst: boolean; meanwhile: Promise<Meanwhile> }
  | { result: 'ended'; end: End }
  /** The policy was granted so often within the last hour, to all or to this job. */
  | { result: 'capped'; granted: number; to: 'all' | 'job' };

const hourMs = 3_600_000;
/** Grants of one policy to one job within an hour: what is lost is asked for again, and one job does not use up the cap of all. */
export const mostOfJob = 20;

/**
 * Writes down what is about to be minted, before anything is: whatever happens to us then, it is known that something may be alive.
 * With it ends what the same job was given under the same policy before: it asks again since it has lost the answer, or needs it no
 * more. One statement: nobody who dies leaves both alive. The cap is not exact: of requests at once each counts those before it.
 */
export async function intend(
  { pool }: Pick<Db, 'pool'>,
  grant: IntendedGrant,
  { mostAnHour, minds }: { mostAnHour: number; minds: MeanwhileOf },
): Promise<Intended> {
  const { keys } = grant;
  const client = await pool.connect();
  // Sent at once, and carried out after it in a transaction of its own: one round trip less before the first mint.
  const adding = addGrant(client, grant, mostAnHour);
  const meanwhile = readMeanwhile(client, minds);
  const settled = Promise.allSettled([adding, meanwhile]);
  void settled.then(() => client.release());
  const { endKey, endedAt, granted, toJob, isKnown } = await adding;
  if (endKey !== null)
    return {
      result: 'ended',
      end: { of: endKey === keys.run ? 'run' : 'job', key: endKey, endedAtMs: endedAt!.getTime() },
    };
  if (toJob >= mostOfJob) return { result: 'capped', granted: toJob, to: 'job' };
  if (granted >= mostAnHour) return { result: 'capped', granted, to: 'all' };
  return { result: 'intended', isFirst: !isKnown, meanwhile };
}

/** What is known of a job and its policy under the job's lock. */
type UnderLock = {
  endKey: string | null;
  endedAt: Date | null;
  granted: number;
  toJob: number;
  isKnown: boolean;
};

/**
 * Adds a grant under its job's lock, and ends the former ones of the job and policy, where neither an end nor a cap forbids it; says by
 * what that was decided.
 */
async function addGrant(
  client: Pick<ClientBase, 'query'>,
  grant: IntendedGrant,
  mostAnHour: number,
): Promise<UnderLock> {
  const { id, workspace, policy, policySha256, policyRevision, tier, keys, job, things, until, onIncident } = grant;
  const { askedMs, credentials } = grant;
  const { rows } = await client.query<UnderLock>({
    name: 'access-intend',
    text: `WITH known AS MATERIALIZED (SELECT * FROM access_job_under_lock($1, $2, $4, $5, $6)),
     granted AS (
       INSERT INTO access_grants (id, workspace, policy, policy_sha256, policy_revision, tier, job_key, run_key, job, things, until,
         on_incident, asked_at, longest_until, incident_severity)
       SELECT $3, $4, $5, $7, $8, $9, coalesce($2, $1), $1, $10, $11, $12, $13, $14, $15, $16
       FROM known WHERE end_key IS NULL AND to_job < $19 AND granted < $20 RETURNING id),
     credentials AS (
       INSERT INTO access_credentials (grant_id, nth, kind, scope, state, due_at)
       SELECT granted.id, nth - 1, kind, scope, 'minting', $14
       FROM granted, unnest($17::text[], $18::jsonb[]) WITH ORDINALITY AS given (kind, scope, nth))
     SELECT end_key AS "endKey", ended_at AS "endedAt", granted, to_job AS "toJob", is_known AS "isKnown",
       CASE WHEN EXISTS (SELECT FROM granted) AND former <> '{}' THEN access_end_former(former, $14, $21) END
     FROM known`,
    values: [
      ...[keys.run, keys.job, id, workspace, policy, new Date(askedMs - hourMs)],
      ...[policySha256, policyRevision, tier, JSON.stringify(job), things, until, onIncident],
      ...[new Date(askedMs), new Date(grant.longestUntilMs), grant.incidentSeverity],
      ...[credentials.map(({ kind }) => kind), credentials.map(({ scope }) => JSON.stringify(scope))],
      ...[mostOfJob, mostAnHour, new Date(askedMs - clockMarginMs)],
    ],
  });
  return rows[0]!;
}

/**
 * Takes a grant back that nobody was handed: what was minted of it is revoked, and `notMinted` of its credentials are dead, since their
 * provider said that it made none, or was not asked. What no whole answer came to stays `minting`: it may be alive.
 */
export function undo(
  db: Db,
  { id, notMinted, atMs }: { id: string; notMinted: readonly number[]; atMs: number },
): Promise<void> {
  return inTransaction(db, async (client) => {
    await endGrants(client, { grants: [id] }, { why: 'not-recorded', atMs });
    await client.query(
      `UPDATE access_credentials SET state = 'dead', dead_at = $3
       WHERE grant_id = $1 AND nth = ANY ($2) AND state IN ('minting', 'lost')`,
      [id, notMinted, new Date(atMs)],
    );
  });
}

/** What became of a job’s wish to give a grant back. */
export type GivenBack = 'ending' | 'unknown';

/** Ends a grant at the wish of the job that it was given to. Of another job's it says that there is none. */
export function giveBack(db: Db, { id, keys, atMs }: { id: string; keys: JobKeys; atMs: number }): Promise<GivenBack> {
  return inTransaction(db, async (client) => {
    await lockJob(client, keys);
    const { rowCount } = await client.query('SELECT FROM access_grants WHERE id = $1 AND job_key = $2', [
      id,
      jobKeyOf(keys),
    ]);
    if (rowCount !== 1) return 'unknown';
    await endGrants(client, { grants: [id] }, { why: 'given-back', atMs });
    return 'ending';
  });
}
