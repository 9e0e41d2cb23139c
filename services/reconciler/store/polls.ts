import type { Db } from '@tripline/db/database';

/** Proof that this round holds the poll. */
export type PollHold = { feed: string; target: string; holder: string };

/** How far a poll has come. Times in ms. Field docs: migrations/*_feed_polls.sql. */
export type PollState = {
  cursor: string | null;
  begunMs: number;
  unfinished: boolean;
  readAtMs: number | null;
  wholeUntilMs: number | null;
  failures: number;
};

/** Somebody else asks now: leave it to them. */
export class PollTakenError extends Error {
  readonly code = 'POLL_TAKEN';
}

/** Has a row for each poll, so that whoever looks sees that it is to be asked. */
export async function declarePolls(
  db: Db,
  polls: readonly Omit<PollHold, 'holder'>[],
  { holder, nowMs }: { holder: string; nowMs: number },
): Promise<void> {
  await db.pool.query(
    `INSERT INTO feed_polls (feed, target, holder, held_until, begun_at)
     SELECT p.feed, p.target, $2, $3, $3 FROM json_to_recordset($1::json) AS p(feed text, target text)
     ON CONFLICT DO NOTHING`,
    [JSON.stringify(polls), holder, new Date(nowMs)],
  );
}

/** Takes a poll that nobody holds at `nowMs`, until `untilMs`. Answers how far it has come, or null. */
export async function takePoll(
  db: Db,
  { feed, target, holder }: PollHold,
  { nowMs, untilMs }: { nowMs: number; untilMs: number },
): Promise<PollState | null> {
  const { rows } = await db.pool.query<{
    cursor: string | null;
    begun_at: Date;
    unfinished: boolean;
    read_at: Date | null;
    whole_until: Date | null;
    failures: number;
  }>(
    `INSERT INTO feed_polls AS known (feed, target, holder, begun_at, held_until) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (feed, target) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
       WHERE known.held_until <= $4
     RETURNING cursor, begun_at, unfinished, read_at, whole_until, failures`,
    [feed, target, holder, new Date(nowMs), new Date(untilMs)],
  );
  const row = rows[0];
  if (row === undefined) return null;
  const { cursor, unfinished, failures, read_at: readAt, whole_until: wholeUntil } = row;
  const [readAtMs, wholeUntilMs] = [readAt?.getTime() ?? null, wholeUntil?.getTime() ?? null];
  return { cursor, begunMs: row.begun_at.getTime(), unfinished, failures, readAtMs, wholeUntilMs };
}

/** A page that is in the log. Times in ms. */
export type PageKept = {
  cursor: string;
  unfinished: boolean;
  wholeUntilMs: number | null;
  lost: PollLost | null;
};

/** Of which records, and of which time, the provider keeps nothing any more. */
export type PollLost = { records: string; fromMs: number; untilMs: number };

/**
 * Moves the cursor over a page that the log has acknowledged, and holds on until `heldUntilMs`.
 * @throws {PollTakenError} it moved nothing: somebody else reads on from where the cursor stands.
 */
export async function movePoll(
  db: Db,
  { feed, target, holder }: PollHold,
  { cursor, unfinished, wholeUntilMs, lost }: PageKept,
  { nowMs, heldUntilMs }: { nowMs: number; heldUntilMs: number },
): Promise<void> {
  const { rowCount } = await db.pool.query(
    `UPDATE feed_polls SET cursor = $4, unfinished = $5, read_at = $10, whole_until = coalesce($6, whole_until), held_until = $7,
       failures = 0, failing_since = NULL, failed_at = NULL, failed_kind = NULL, failed_reason = NULL,
       lost_from = coalesce($8, lost_from), lost_until = coalesce($9, lost_until), lost_records = coalesce($11, lost_records),
       lost_at = CASE WHEN $8::timestamptz IS NULL THEN lost_at ELSE $10 END
     WHERE feed = $1 AND target = $2 AND holder = $3`,
    [
      ...[feed, target, holder, cursor, unfinished],
      wholeUntilMs === null ? null : new Date(wholeUntilMs),
      new Date(heldUntilMs),
      lost && new Date(lost.fromMs),
      lost && new Date(lost.untilMs),
      new Date(nowMs),
      lost?.records ?? null,
    ],
  );
  if (rowCount !== 1) throw new PollTakenError(`another process asks ${feed} for ${target}`);
}

/** Why a round failed. */
export type PollFailure = { kind: 'retry' | 'rate-limited' | 'give-up'; message: string };

/** Ends a round: nobody begins the next one before `untilMs`. Nothing happens where somebody else has taken it. */
export async function leavePoll(
  db: Db,
  { feed, target, holder }: PollHold,
  { nowMs, untilMs, failure }: { nowMs: number; untilMs: number; failure: PollFailure | null },
): Promise<void> {
  const mine = 'feed = $1 AND target = $2 AND holder = $3';
  if (failure === null) {
    await db.pool.query(`UPDATE feed_polls SET held_until = $4 WHERE ${mine}`, [
      ...[feed, target, holder],
      new Date(untilMs),
    ]);
    return;
  }
  await db.pool.query(
    `UPDATE feed_polls SET held_until = $4, failures = failures + 1, failing_since = coalesce(failing_since, $5),
       failed_at = $5, failed_kind = $6, failed_reason = $7
     WHERE ${mine}`,
    [feed, target, holder, new Date(untilMs), new Date(nowMs), failure.kind, failure.message],
  );
}

/** How long it is, in seconds at `nowMs`, that each feed was read to its end, the longest of its targets. */
export async function readLags(db: Db, nowMs: number): Promise<{ feed: string; seconds: number }[]> {
  const { rows } = await db.pool.query<{ feed: string; whole: Date }>(
    'SELECT feed, min(whole_until) AS whole FROM feed_polls WHERE whole_until IS NOT NULL GROUP BY feed',
  );
  return rows.map(({ feed, whole }) => ({ feed, seconds: Math.max(0, (nowMs - whole.getTime()) / 1000) }));
}
