import type { RightKind } from '@tripline/access/people-rights';
import type { Db } from '@tripline/db/database';
import type { Proof } from './approvals.ts';
import { keptFault } from './kept-fault.ts';

export type RightState = 'new' | 'asked' | 'giving' | 'given' | 'ending' | 'ended' | 'denied' | 'expired';
export type RightEnd = 'longest' | 'by-hand' | 'not-given' | 'incident' | 'policy';

/** A request of a person, and what became of it so far. */
export type OpenRequest = {
  id: string;
  workspace: string;
  /** `target`: the repository, team or role, by name. */
  asked: { kind: RightKind; target: string; permission: string; grantee: string; forMs: number; reason: string };
  askedBy: { name: string };
  askedMs: number;
  state: RightState;
  /** From `giving` on. */
  right: Right | undefined;
  /** Since when they have it, ms since the epoch. */
  givenMs: number | undefined;
  endingWhy: RightEnd | null;
  /** Since when it is to be over, ms since the epoch. */
  endingMs: number | undefined;
  /** The log was told that it outlived its end. */
  isOutlived: boolean;
  isReminded: boolean;
  /** Somebody wants it to end; by name. */
  isUnwanted: boolean;
  endedBy: string | null;
  tries: number;
};

/** What is given, once it is settled. `former`: what they held themselves before, `none` where that was nothing. */
export type Right = {
  kind: RightKind;
  policy: string;
  owner: { login: string; id: string };
  target: { id: string; name: string };
  grantee: { id: string; name: string };
  former: string;
  approvedBy: Pick<Proof, 'account' | 'method' | 'isPhishingResistant'> | null;
  untilMs: number;
};

type Row = {
  id: string;
  workspace: string;
  asked_kind: RightKind;
  asked_target: string;
  permission: string;
  asked_grantee: string;
  for_ms: number;
  reason: string;
  asked_by: { name: string };
  asked_at: Date;
  state: RightState;
  policy: string;
  owner: string;
  owner_id: string | null;
  repository_id: string;
  repository: string;
  grantee_id: string;
  grantee: string;
  former: string | null;
  approved_by: Right['approvedBy'];
  given_until: Date;
  given_at: Date | null;
  ending_at: Date | null;
  outlived_at: Date | null;
  reminded_at: Date | null;
  ending_why: RightEnd | null;
  unwanted: boolean;
  ended_by: string | null;
  tries: number;
};

/** Whose claim, for how long in ms; `nowMs`: what is due by then, ms since the epoch. */
type Claim = { by: string; nowMs: number; forMs: number };

/** Takes in what was asked since, and claims open requests that are due or unwanted. A claim that expired by the database's clock is anybody's. */
export async function claimRequests({ pool }: Pick<Db, 'pool'>, claim: Claim, limit: number): Promise<OpenRequest[]> {
  const now = new Date(claim.nowMs);
  await pool.query(
    `INSERT INTO access_rights (request, state, due_at)
     SELECT id, 'new', $1 FROM access_requests q WHERE NOT EXISTS (SELECT FROM access_rights r WHERE r.request = q.id)
     ON CONFLICT DO NOTHING`,
    [now],
  );
  const { rows } = await pool.query<Row>(
    `WITH due AS MATERIALIZED (
       SELECT r.request, e.request IS NOT NULL AS unwanted, e.by->>'name' AS ended_by
       FROM access_rights r LEFT JOIN access_request_ends e ON e.request = r.request
       WHERE r.state NOT IN ('ended', 'denied', 'expired') AND (r.claimed_until IS NULL OR r.claimed_until <= clock_timestamp())
         AND (r.due_at <= $2 OR (e.request IS NOT NULL AND r.state IN ('new', 'asked', 'giving', 'given'))
           OR (r.state = 'given' AND EXISTS (SELECT FROM access_extensions x WHERE x.request = r.request
             AND NOT EXISTS (SELECT FROM access_extension_answers a WHERE a.extension = x.id))))
       ORDER BY r.due_at, r.request LIMIT $4 FOR UPDATE OF r SKIP LOCKED
     )
     UPDATE access_rights r SET claimed_by = $1, claimed_until = clock_timestamp() + $3 * interval '1 ms', tries = r.tries + 1
     FROM due, access_requests q WHERE r.request = due.request AND q.id = r.request
     RETURNING r.*, due.unwanted, due.ended_by, q.id, q.workspace, q.kind AS asked_kind, q.repository AS asked_target, q.permission,
       q.grantee AS asked_grantee, q.for_ms, q.reason, q.asked_by, q.asked_at`,
    [claim.by, now, claim.forMs, limit],
  );
  return rows.map((row) => ({
    ...{ id: row.id, workspace: row.workspace, state: row.state, endingWhy: row.ending_why, tries: row.tries },
    ...{ givenMs: row.given_at?.getTime(), endingMs: row.ending_at?.getTime() },
    ...{ isOutlived: row.outlived_at !== null, isReminded: row.reminded_at !== null },
    asked: {
      ...{ kind: row.asked_kind, target: row.asked_target, permission: row.permission },
      ...{ grantee: row.asked_grantee, forMs: row.for_ms, reason: row.reason },
    },
    ...{ askedBy: row.asked_by, askedMs: row.asked_at.getTime(), isUnwanted: row.unwanted },
    endedBy: row.ended_by,
    right:
      row.former === null
        ? undefined
        : {
            ...{ kind: row.asked_kind, policy: row.policy, former: row.former, approvedBy: row.approved_by },
            // A former version kept no id of the organisation.
            owner: { login: row.owner, id: row.owner_id ?? '' },
            target: { id: row.repository_id, name: row.repository },
            grantee: { id: row.grantee_id, name: row.grantee },
            untilMs: row.given_until.getTime(),
          },
  }));
}

export type Held = { id: string; by: string };
const ours = 'request = $1 AND claimed_by = $2';
const letGo = 'claimed_by = NULL, claimed_until = NULL';

/** Whether the claim is still ours: whoever lost it changes nothing at GitHub. */
export async function isHeld({ pool }: Pick<Db, 'pool'>, { id, by }: Held): Promise<boolean> {
  const { rowCount } = await pool.query(
    `SELECT FROM access_rights WHERE ${ours} AND claimed_until > clock_timestamp()`,
    [id, by],
  );
  return rowCount === 1;
}

/** Looked at again at `dueMs`. `fault`: why, without a secret; null where it merely waits. */
export async function waitOn(
  { pool }: Pick<Db, 'pool'>,
  { id, by }: Held,
  { state, dueMs, fault }: { state: RightState; dueMs: number; fault: string | null },
): Promise<void> {
  await pool.query(
    `UPDATE access_rights SET state = $3, due_at = $4, last_fault = $5, tries = CASE WHEN $5::text IS NULL THEN 0 ELSE tries END,
       ${letGo} WHERE ${ours}`,
    [id, by, state, new Date(dueMs), fault === null ? null : keptFault(fault)],
  );
}

/**
 * Keeps what is about to be given, and what was before, before anything is changed.
 * @returns false where the same account has another such right already.
 */
export async function settle(
  { pool }: Pick<Db, 'pool'>,
  { id, by }: Held,
  { kind, policy, owner, target, grantee, former, approvedBy, untilMs }: Right,
  nowMs: number,
): Promise<boolean> {
  try {
    await pool.query(
      `UPDATE access_rights SET state = 'giving', policy = $3, owner = $4, repository_id = $5, repository = $6, grantee_id = $7,
         grantee = $8, former = $9, approved_by = $10, given_until = $11, due_at = $12, kind = $13, owner_id = $14, last_fault = NULL, tries = 0, ${letGo}
       WHERE ${ours} AND state IN ('new', 'asked')`,
      [
        ...[id, by, policy, owner.login, target.id, target.name, grantee.id, grantee.name, former],
        ...[approvedBy === null ? null : JSON.stringify(approvedBy), new Date(untilMs), new Date(nowMs)],
        ...[kind, owner.id],
      ],
    );
    return true;
  } catch (error) {
    if ((error as { constraint?: string }).constraint === 'access_rights_one_standing') return false;
    throw error;
  }
}

export async function noteGiven(
  { pool }: Pick<Db, 'pool'>,
  { id, by }: Held,
  { atMs }: { atMs: number },
): Promise<void> {
  await pool.query(
    `UPDATE access_rights SET state = 'given', given_at = $3, due_at = $3, last_fault = NULL, tries = 0, ${letGo}
     WHERE ${ours} AND state = 'giving'`,
    [id, by, new Date(atMs)],
  );
}

/** It is to be taken back, now. */
export async function beginEnd(
  { pool }: Pick<Db, 'pool'>,
  { id, by }: Held,
  { endingWhy, why, nowMs }: { endingWhy: RightEnd; why: string | null; nowMs: number },
): Promise<void> {
  await pool.query(
    `UPDATE access_rights SET state = 'ending', ending_why = $3, why = coalesce($4, why), due_at = $5, ending_at = $5, last_fault = NULL, tries = 0,
       ${letGo} WHERE ${ours} AND state IN ('giving', 'given')`,
    [id, by, endingWhy, why, new Date(nowMs)],
  );
}

/** Nothing more is done about it. */
export async function close(
  { pool }: Pick<Db, 'pool'>,
  { id, by }: Held,
  { state, why, nowMs }: { state: 'ended' | 'denied' | 'expired'; why: string | null; nowMs: number },
): Promise<void> {
  await pool.query(
    `WITH over AS (
       UPDATE access_rights SET state = $3, why = coalesce($4, why), over_at = $5, last_fault = NULL, ${letGo} WHERE ${ours}
       RETURNING request)
     UPDATE access_step_ups SET state = 'closed' WHERE state = 'open' AND asked IN (
       SELECT 'request ' || request FROM over
       UNION ALL SELECT 'request ' || e.id FROM access_extensions e JOIN over USING (request))`,
    [id, by, state, why?.slice(0, 2000) ?? null, new Date(nowMs)],
  );
}

/** The log was told that it stands beyond its end. */
export async function noteOutlived({ pool }: Pick<Db, 'pool'>, { id, by }: Held, nowMs: number): Promise<void> {
  await pool.query(`UPDATE access_rights SET outlived_at = $3 WHERE ${ours}`, [id, by, new Date(nowMs)]);
}

/** Whoever has it was told that it ends soon. */
export async function noteReminded({ pool }: Pick<Db, 'pool'>, { id, by }: Held, nowMs: number): Promise<void> {
  await pool.query(`UPDATE access_rights SET reminded_at = $3 WHERE ${ours}`, [id, by, new Date(nowMs)]);
}

/** What people have is looked at now: something changed by which it may have to end. */
export async function lookAgain({ pool }: Pick<Db, 'pool'>, nowMs: number): Promise<void> {
  await pool.query(`UPDATE access_rights SET due_at = least(due_at, $1) WHERE state = 'given' AND due_at > $1`, [
    new Date(nowMs),
  ]);
}

/** How many rights of people stand or are being changed. */
export async function countStanding({ pool }: Pick<Db, 'pool'>): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(
    `SELECT count(*)::integer AS n FROM access_rights WHERE state IN ('giving', 'given', 'ending')`,
  );
  return rows[0]!.n;
}
