import type { Db } from '@tripline/db/database';
import { addToOutbox } from '@tripline/db/outbox';
import { inTransaction } from '@tripline/db/transaction';
import { type HookHold, HookTakenError, type Look } from './hooks.ts';

/** What one page of GitHub's list says of one delivery, all its attempts on that page taken together. Times in ms. */
export type AttemptedDelivery = {
  guid: string;
  /** The newest attempt. */
  attempt: string;
  event: string;
  oldestMs: number;
  newestMs: number;
  statusCode: number;
  /** When an attempt was answered 2xx, or null. */
  madeMs: number | null;
  /** Whether an attempt of it was no first one: then a first one that failed may stand on a later page. */
  redelivered: boolean;
};

/**
 * Records a page, and how far the look has come, in one transaction. A delivery is missing only while no attempt of it
 * was answered 2xx, whichever page comes first. Returns how many were missing and are no longer.
 * @throws {HookTakenError}
 */
export function recordAttempts(
  db: Db,
  { hook, holder }: HookHold,
  seen: readonly AttemptedDelivery[],
  look: Look,
  { heldUntilMs, settleMs }: { heldUntilMs: number; settleMs: number },
): Promise<number> {
  return inTransaction(db, async (client) => {
    const { rowCount } = await client.query(
      `UPDATE hooks SET looked_until = $3, look_newest = $4, look_cursor = $5, held_until = $6
       WHERE hook = $1 AND holder = $2`,
      [
        hook,
        holder,
        look.lookedUntilMs === null ? null : new Date(look.lookedUntilMs),
        look.unfinished && new Date(look.unfinished.newestMs),
        look.unfinished?.cursor ?? null,
        new Date(heldUntilMs),
      ],
    );
    if (rowCount !== 1) throw new HookTakenError(`another process holds ${hook}`);
    const made = seen.filter(({ madeMs }) => madeMs !== null).map(({ guid }) => guid);
    const { rows } = await client.query<{ count: number }>(
      `WITH made AS (
         UPDATE undelivered SET made_at = clock_timestamp()
         WHERE hook = $1 AND guid = ANY($2) AND made_at IS NULL RETURNING 1)
       SELECT count(*) AS count FROM made`,
      [hook, made],
    );
    // Deliveries that succeeded at the first attempt, nearly all, need no row.
    const kept = seen.filter(({ madeMs, redelivered }) => madeMs === null || redelivered);
    await client.query(
      `INSERT INTO undelivered AS known
         (hook, guid, attempt, event, first_failed_at, last_failed_at, status_code, due_at, made_at)
       SELECT $1, s.guid, s.attempt, s.event, to_timestamp(s."oldestMs" / 1000.0), to_timestamp(s."newestMs" / 1000.0),
              s."statusCode", to_timestamp((s."newestMs" + $3) / 1000.0), to_timestamp(s."madeMs" / 1000.0)
       FROM json_to_recordset($2::json) AS s(guid text, attempt text, event text, "oldestMs" float8, "newestMs" float8,
                                             "statusCode" integer, "madeMs" float8)
       ON CONFLICT (hook, guid) DO UPDATE SET
         first_failed_at = least(known.first_failed_at, excluded.first_failed_at),
         attempt = CASE WHEN excluded.last_failed_at > known.last_failed_at THEN excluded.attempt ELSE known.attempt END,
         status_code = CASE WHEN excluded.last_failed_at > known.last_failed_at THEN excluded.status_code
                            ELSE known.status_code END,
         last_failed_at = greatest(known.last_failed_at, excluded.last_failed_at),
         made_at = coalesce(known.made_at, excluded.made_at)`,
      [hook, JSON.stringify(kept), settleMs],
    );
    return rows[0]!.count;
  });
}

/** Missing deliveries that are due: those that were asked for least often come first, then the oldest. */
export async function findDue(
  db: Db,
  hook: string,
  { nowMs, limit }: { nowMs: number; limit: number },
): Promise<{ guid: string; attempt: string; asked: number }[]> {
  const { rows } = await db.pool.query(
    `SELECT guid, attempt, asked FROM undelivered WHERE hook = $1 AND made_at IS NULL AND due_at <= $2
     ORDER BY asked, first_failed_at, guid LIMIT $3`,
    [hook, new Date(nowMs), limit],
  );
  return rows;
}

/** Records a request for redelivery: not again before `dueMs`. Written before the request is sent. */
export async function recordRequested(db: Db, hook: string, guid: string, dueMs: number): Promise<void> {
  await db.pool.query('UPDATE undelivered SET asked = asked + 1, due_at = $3 WHERE hook = $1 AND guid = $2', [
    hook,
    guid,
    new Date(dueMs),
  ]);
}

/** Deletes what GitHub no longer lists, and returns which of it was never delivered: it is lost. */
export async function forgetOld(
  db: Db,
  hook: string,
  beforeMs: number,
): Promise<{ guid: string; event: string; status_code: number }[]> {
  const { rows } = await db.pool.query(
    `WITH old AS (
       DELETE FROM undelivered WHERE hook = $1 AND first_failed_at < $2 RETURNING guid, event, status_code, made_at)
     SELECT guid, event, status_code FROM old WHERE made_at IS NULL`,
    [hook, new Date(beforeMs)],
  );
  return rows;
}

/** Events whose bodies carry no time: received late, they would be dated by their receipt. */
const timelessEvents = [
  'member',
  'membership',
  'organization',
  'team',
  'team_add',
  'installation',
  'installation_repositories',
  'deploy_key',
  'personal_access_token_request',
];

/**
 * Adds to the outbox when each delivery that arrived by a later attempt, and is in the trail by now, was first
 * attempted; each once. To be called when a look has ended: until then an earlier attempt may be on a page further
 * down. Returns how many.
 */
export function reportLate(db: Db, hook: string): Promise<number> {
  return inTransaction(db, async (client) => {
    const { rows } = await client.query<{ workspace: string; eventId: string; first: Date }>(
      `UPDATE undelivered u SET late_told_at = clock_timestamp()
       FROM trail t
       WHERE u.hook = $1 AND u.made_at IS NOT NULL AND u.late_told_at IS NULL AND u.event = ANY ($2)
         AND t.event_id = 'github:' || u.guid AND t.appended_at > clock_timestamp() - interval '4 days'
         AND t.workspace IS NOT NULL
       RETURNING t.workspace, t.event_id AS "eventId", u.first_failed_at AS first`,
      [hook, timelessEvents],
    );
    await addToOutbox(
      client,
      rows.map(({ workspace, eventId, first }) => ({
        id: `late:${eventId}`,
        type: 'dev.cdeventsx.tripline-delivery.looked-up',
        workspace,
        data: {
          'tripline.delivery.id': eventId,
          'tripline.delivery.proof': 'listed',
          'tripline.delivery.late': true,
          'tripline.delivery.first_attempt_at': first.toISOString(),
        },
      })),
    );
    return rows.length;
  });
}

/** How many deliveries are missing, over all webhooks. */
export async function countMissing(db: Db): Promise<number> {
  const { rows } = await db.pool.query('SELECT count(*) AS missing FROM undelivered WHERE made_at IS NULL');
  return rows[0].missing;
}
