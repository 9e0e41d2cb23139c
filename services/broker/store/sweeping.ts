import type { Db } from '@tripline/db/database';
import { type AccessEnd, clockMarginMs, type EndedGrant, endGrants } from '@tripline/db/end-grants';
import { inTransaction } from '@tripline/db/transaction';
import type { GitHubJob, Proof } from '@tripline/identity/workload';
import type { GiveKind } from '@tripline/integrations/minter';
import { type End, endAll } from './ends.ts';

/** A live grant of whose job it is to be asked. */
export type Look = { id: string; jobKey: string; runKey: string; until: 'job' | 'run'; job: Proof & GitHubJob };

/**
 * Takes grants whose job is to be asked for, those first that were not for longest, and with them others of their repositories, which the
 * same token asks for. Each is taken once until `againMs`, by whichever replica. Where little is due it reads no more, by the index: joining all
 * that is live took Postgres 30 to 60 ms at 4,000 grants, every ten seconds.
 */
export async function takeLooks(
  db: Db,
  { nowMs, againMs, limit, repositories }: { nowMs: number; againMs: number; limit: number; repositories: number },
): Promise<Look[]> {
  const { rows } = await db.pool.query<Look>(
    `WITH waiting AS MATERIALIZED (
       SELECT id, repository, min(due_at) AS due FROM (
         SELECT g.id, g.job #>> '{repository,id}' AS repository, c.due_at
         FROM access_credentials c JOIN access_grants g ON g.id = c.grant_id
         WHERE c.state = 'live' AND c.due_at <= $1 AND g.ending_at IS NULL ORDER BY c.due_at LIMIT 1000
       ) c GROUP BY id, repository
     ), first AS (
       SELECT repository FROM waiting GROUP BY repository ORDER BY min(due) LIMIT $4
     ), due AS MATERIALIZED (
       SELECT id FROM access_grants WHERE ending_at IS NULL AND id IN (
         SELECT id FROM waiting WHERE repository IN (SELECT repository FROM first) ORDER BY due LIMIT $3
       ) FOR UPDATE SKIP LOCKED
     ), taken AS (
       UPDATE access_credentials c SET due_at = $2 FROM due
       WHERE c.grant_id = due.id AND c.state = 'live' AND c.due_at <= $1 RETURNING c.grant_id
     )
     SELECT id, job_key AS "jobKey", run_key AS "runKey", until, job FROM access_grants WHERE id IN (SELECT grant_id FROM taken)`,
    [new Date(nowMs), new Date(againMs), limit, repositories],
  );
  return rows;
}

/** Ends what the end of a job or run ends that nobody told of. @returns what it ended. */
export async function endUnheard(db: Db, end: End, atMs: number): Promise<readonly EndedGrant[]> {
  return (await inTransaction(db, (client) => endAll(client, [end], atMs))).ended;
}

/** Ends what its policy lets live no longer. */
export function endLongest(db: Db, nowMs: number): Promise<EndedGrant[]> {
  const by = { why: 'longest', atMs: nowMs } as const;
  return inTransaction(db, (client) => endGrants(client, { longestUntilMs: nowMs }, by));
}

/** Has those revoked that expired by themselves while their grant goes on: their provider is asked, and their values go. */
export async function endExpired(
  db: Db,
  { nowMs, expiredBeforeMs }: { nowMs: number; expiredBeforeMs: number },
): Promise<void> {
  await db.pool.query(
    `UPDATE access_credentials SET state = 'ending', due_at = $1 WHERE state = 'live' AND expires_at < $2`,
    [new Date(nowMs - clockMarginMs), new Date(expiredBeforeMs)],
  );
}

/** A credential that was to be minted, and whose recording never came. */
export type Unrecorded = {
  grant: string;
  nth: number;
  kind: GiveKind;
  tier: string;
  workspace: string;
  policy: string;
  /** What the policy gives, as `{ <kind>: … }`. */
  scope: Record<string, unknown>;
  job: Proof & GitHubJob;
  why: AccessEnd;
  askedMs: number;
  longestUntilMs: number;
};

/** Claims credentials that were asked for before a time and never recorded, and ends their grants. */
export async function claimUnrecorded(
  db: Db,
  {
    by,
    nowMs,
    forMs,
    askedBeforeMs,
    limit,
  }: { by: string; nowMs: number; forMs: number; askedBeforeMs: number; limit: number },
): Promise<Unrecorded[]> {
  return inTransaction(db, async (client) => {
    const { rows } = await client.query<{ grant_id: string; nth: number }>(
      `WITH due AS MATERIALIZED (
         SELECT c.grant_id, c.nth FROM access_credentials c JOIN access_grants g ON g.id = c.grant_id
         WHERE c.state = 'minting' AND g.asked_at < $2 AND (c.claimed_until IS NULL OR c.claimed_until <= clock_timestamp())
         ORDER BY g.asked_at LIMIT $4 FOR UPDATE OF g, c SKIP LOCKED
       )
       UPDATE access_credentials c SET claimed_by = $1, claimed_until = clock_timestamp() + $3 * interval '1 ms' FROM due
       WHERE c.grant_id = due.grant_id AND c.nth = due.nth RETURNING c.grant_id, c.nth`,
      [by, new Date(askedBeforeMs), forMs, limit],
    );
    const grants = [...new Set(rows.map((row) => row.grant_id))];
    if (grants.length === 0) return [];
    await endGrants(client, { grants }, { why: 'lost', atMs: nowMs });
    const claimed = await client.query<
      Omit<Unrecorded, 'askedMs' | 'longestUntilMs'> & { asked_at: Date; longest_until: Date }
    >(
      `SELECT c.grant_id AS grant, c.nth, c.kind, g.tier, g.workspace, g.policy, c.scope, g.job, g.ending_why AS why, g.asked_at, g.longest_until
       FROM access_credentials c JOIN access_grants g ON g.id = c.grant_id
       WHERE c.grant_id = ANY ($1) AND c.state = 'minting' AND c.claimed_by = $2`,
      [grants, by],
    );
    return claimed.rows.map(({ asked_at, longest_until, ...row }) => ({
      ...row,
      ...{ askedMs: asked_at.getTime(), longestUntilMs: longest_until.getTime() },
    }));
  });
}

/** Nobody was given it, and nothing more can be done about it. */
export async function markLost(db: Db, { grant, nth }: Pick<Unrecorded, 'grant' | 'nth'>): Promise<boolean> {
  const { rowCount } = await db.pool.query(
    `UPDATE access_credentials SET state = 'lost', claimed_by = NULL, claimed_until = NULL
     WHERE grant_id = $1 AND nth = $2 AND state = 'minting'`,
    [grant, nth],
  );
  return rowCount === 1;
}
