import type { Attributes } from '@tripline/contracts/attributes';
import type { ClientBase } from 'pg';

/** Why a grant ends. */
export type AccessEnd = NonNullable<Attributes['tripline.access.end']>;

/** NOTIFY channel, signalled when a credential is to be revoked; the payload is the grant's id. */
export const accessChannel = 'tripline_access';

/** Which grants are to end, of those that do not end already. */
export type WhichGrants =
  | { grants: readonly string[] }
  /** Of jobs that ended, but for what is given until the end of the run. */
  | { jobs: readonly string[] }
  | { runs: readonly string[] }
  /** What the same job was given under the same policy, but for the newest. */
  | { job: string; policy: string; butFor: string }
  /** What is of one of these entities, by their keys (`access_grants.things`). */
  | { workspace: string; things: readonly string[] }
  /** What was asked for by jobs of a repository by its name then, or by those of one run of it. */
  | { repository: string; run?: string }
  /** What its policy lets live no longer. */
  | { longestUntilMs: number }
  | { all: true };

/** What is set ending is due since so long, ms: whoever revokes may have a clock that is behind that of who ended it. */
export const clockMarginMs = 3_600_000;

export type EndedGrant = { id: string; workspace: string; policy: string; tier: string };

/**
 * Sets grants ending, and what they gave to be revoked; what is still being minted is revoked as soon as it is recorded. In the
 * caller's transaction, with whose end the revoker wakes up. Who ends a job or run must hold its lock (`lockEnds`).
 * @returns those that did not end already.
 */
export async function endGrants(
  client: Pick<ClientBase, 'query'>,
  which: WhichGrants,
  { why, atMs }: { why: AccessEnd; atMs: number },
): Promise<EndedGrant[]> {
  const { where, values } = whereOf(which);
  const at = new Date(atMs);
  // Locked in one order, so that two that end the same grants wait for each other instead of dying of it.
  const { rows } = await client.query<EndedGrant>(
    `WITH ending AS MATERIALIZED (
       SELECT id FROM access_grants WHERE ending_at IS NULL AND (${where}) ORDER BY id FOR UPDATE
     )
     UPDATE access_grants g SET ending_at = $1, ending_why = $2 FROM ending WHERE g.id = ending.id
     RETURNING g.id, g.workspace, g.policy, g.tier, pg_notify('${accessChannel}', g.id)`,
    [at, why, ...values],
  );
  if (rows.length === 0) return [];
  // A statement of its own: it sees what became live before the grant's row was locked.
  await client.query(
    `UPDATE access_credentials SET state = 'ending', due_at = $2 WHERE grant_id = ANY ($1) AND state = 'live'`,
    [rows.map(({ id }) => id), new Date(atMs - clockMarginMs)],
  );
  return rows.map(({ id, workspace, policy, tier }) => ({ id, workspace, policy, tier }));
}

/** The condition on a row of access_grants; its values are numbered from $3. */
function whereOf(which: WhichGrants): { where: string; values: unknown[] } {
  if ('grants' in which) return { where: 'id = ANY ($3)', values: [which.grants] };
  if ('jobs' in which) return { where: `job_key = ANY ($3) AND until = 'job'`, values: [which.jobs] };
  if ('runs' in which) return { where: 'run_key = ANY ($3)', values: [which.runs] };
  if ('job' in which)
    return { where: 'job_key = $3 AND policy = $4 AND id <> $5', values: [which.job, which.policy, which.butFor] };
  if ('things' in which) return { where: 'workspace = $3 AND things && $4', values: [which.workspace, which.things] };
  if ('repository' in which) {
    const where = `lower(job->'repository'->>'name') = lower($3) AND ($4::text IS NULL OR job->'run'->>'id' = $4)`;
    return { where, values: [which.repository, which.run ?? null] };
  }
  if ('longestUntilMs' in which) return { where: 'longest_until <= $3', values: [new Date(which.longestUntilMs)] };
  return { where: 'true', values: [] };
}
