import type { Db } from '@tripline/db/database';
import type { AccessEnd } from '@tripline/db/end-grants';
import type { GiveKind, Revocable } from '@tripline/integrations/minter';
import { keptFault } from './kept-fault.ts';

/** A credential that is to be dead, claimed by one revoker. */
export type Revocation = {
  grant: string;
  nth: number;
  kind: GiveKind;
  tier: string;
  workspace: string;
  policy: string;
  /** Who asked (`access_grants.job`). */
  job: unknown;
  why: AccessEnd;
  /** Since when it is to be dead, ms since the epoch. */
  endingMs: number;
  expiresAtMs: number;
  handle: Revocable['handle'];
  sealed: Buffer | null;
  tokenHash: string;
  /** When its provider said so, ms since the epoch: all that is owed is to tell the log. */
  deadMs: number | null;
  /** Of revoking it, this one included. */
  attempts: number;
  /** The log was told that it outlived its end. */
  isStuck: boolean;
};

type Row = {
  grant_id: string;
  nth: number;
  kind: GiveKind;
  tier: string;
  workspace: string;
  policy: string;
  job: unknown;
  ending_why: AccessEnd;
  ending_at: Date;
  expires_at: Date;
  handle: Revocable['handle'] | null;
  sealed: Buffer | null;
  token_hash: string;
  dead_at: Date | null;
  attempts: number;
  state: 'ending' | 'stuck';
};

/** Whose claim, for how long in ms; `nowMs`: what is due by then, ms since the epoch. */
export type Claim = { by: string; nowMs: number; forMs: number };

/** How many of a kind may be claimed. */
export type Rooms = ReadonlyMap<GiveKind, number>;

/**
 * Claims credentials that are due to be revoked, of each kind those first that nobody tried yet, then those that have been due longest:
 * a provider that hangs holds up no other’s. A claim that expired, by the database's clock, which all replicas share, is anybody's.
 */
export async function claimRevocations(db: Db, { by, nowMs, forMs }: Claim, rooms: Rooms): Promise<Revocation[]> {
  const { rows } = await db.pool.query<Row>({
    name: 'access-claim-revocations',
    text: `WITH due AS MATERIALIZED (
        SELECT due_of_kind.* FROM unnest($4::text[], $5::int[]) AS room (kind, most) CROSS JOIN LATERAL (
          SELECT grant_id, nth FROM access_credentials
          WHERE kind = room.kind AND state IN ('ending', 'stuck') AND due_at <= $2
            AND (claimed_until IS NULL OR claimed_until <= clock_timestamp())
          ORDER BY attempts > 0, due_at LIMIT room.most FOR UPDATE SKIP LOCKED
        ) AS due_of_kind
      ), claimed AS (
        UPDATE access_credentials c SET claimed_by = $1, claimed_until = clock_timestamp() + $3 * interval '1 ms', attempts = attempts + 1
        FROM due WHERE c.grant_id = due.grant_id AND c.nth = due.nth RETURNING c.*
      )
      SELECT c.*, g.tier, g.workspace, g.policy, g.job, coalesce(g.ending_why, 'longest') AS ending_why,
        coalesce(g.ending_at, c.expires_at) AS ending_at
      FROM claimed c JOIN access_grants g ON g.id = c.grant_id ORDER BY c.due_at`,
    values: [by, new Date(nowMs), forMs, [...rooms.keys()], [...rooms.values()]],
  });
  return rows.map((row) => ({
    ...{ grant: row.grant_id, nth: row.nth, kind: row.kind, tier: row.tier, workspace: row.workspace },
    ...{ policy: row.policy, job: row.job, why: row.ending_why, endingMs: row.ending_at.getTime() },
    ...{
      expiresAtMs: row.expires_at.getTime(),
      handle: row.handle ?? {},
      sealed: row.sealed,
      tokenHash: row.token_hash,
    },
    ...{ deadMs: row.dead_at?.getTime() ?? null, attempts: row.attempts, isStuck: row.state === 'stuck' },
  }));
}

type Place = Pick<Revocation, 'grant' | 'nth'>;

/** Keeps that the provider said it is dead, and its value no longer; the log is yet to be told. */
export async function noteDead(db: Db, { grant, nth }: Place, atMs: number): Promise<void> {
  await db.pool.query(
    `UPDATE access_credentials SET dead_at = coalesce(dead_at, $3), sealed = NULL
     WHERE grant_id = $1 AND nth = $2 AND state IN ('ending', 'stuck')`,
    [grant, nth, new Date(atMs)],
  );
}

/** It is dead, and the log was told so. Whoever learns that first notes it, whosever claim it is. */
export async function markDead(db: Db, { grant, nth }: Place, atMs: number): Promise<boolean> {
  const { rowCount } = await db.pool.query(
    `UPDATE access_credentials SET state = 'dead', dead_at = coalesce(dead_at, $3), sealed = NULL, claimed_by = NULL,
       claimed_until = NULL, last_fault = NULL
     WHERE grant_id = $1 AND nth = $2 AND state IN ('ending', 'stuck')`,
    [grant, nth, new Date(atMs)],
  );
  return rowCount === 1;
}

/** Gives a claimed credential back, to be tried again. `fault`: why, without a secret. `isStuck`: the log was told. */
export async function giveBack(
  db: Db,
  { grant, nth }: Place,
  { by, dueMs, fault, isStuck }: { by: string; dueMs: number; fault: string; isStuck: boolean },
): Promise<void> {
  await db.pool.query(
    `UPDATE access_credentials SET state = CASE WHEN $6 THEN 'stuck' ELSE state END, due_at = $4, last_fault = $5,
       claimed_by = NULL, claimed_until = NULL
     WHERE grant_id = $1 AND nth = $2 AND claimed_by = $3 AND state IN ('ending', 'stuck')`,
    [grant, nth, by, new Date(dueMs), keptFault(fault), isStuck],
  );
}

/** `leftAlive`: how many should be dead by now and are not, as far as their providers said; `live`: what jobs have. */
export async function countAlive(
  db: Db,
  endedBeforeMs: number,
): Promise<{ leftAlive: number; live: { kind: GiveKind; tier: string; count: number }[] }> {
  const { rows } = await db.pool.query<{ kind: GiveKind; tier: string; live: number; left_alive: number }>(
    `SELECT c.kind, g.tier, count(*) FILTER (WHERE c.state = 'live')::int AS live,
       count(*) FILTER (WHERE c.state IN ('ending', 'stuck') AND c.dead_at IS NULL AND g.ending_at < $1)::int AS left_alive
     FROM access_credentials c JOIN access_grants g ON g.id = c.grant_id
     WHERE c.state IN ('live', 'ending', 'stuck') GROUP BY c.kind, g.tier`,
    [new Date(endedBeforeMs)],
  );
  return {
    leftAlive: rows.reduce((sum, one) => sum + one.left_alive, 0),
    live: rows.map(({ kind, tier, live }) => ({ kind, tier, count: live })),
  };
}
