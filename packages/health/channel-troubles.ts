import type { ChannelName } from '@tripline/contracts/notification';
import type { Db } from '@tripline/db/database';

/** Records that calls to a channel fail, until one succeeds. */
export async function noteChannelTrouble(db: Db, channel: ChannelName, reason: string): Promise<void> {
  await db.pool.query(
    `INSERT INTO sink_troubles AS t (sink, reason) VALUES ($1, $2)
     ON CONFLICT (sink) DO UPDATE SET reason = excluded.reason, tried_at = greatest(t.since, clock_timestamp())`,
    [channel, reason],
  );
}

/** Clears that: a call succeeded, or the channel is no longer configured. */
export async function clearChannelTrouble(db: Db, channel: ChannelName): Promise<void> {
  await db.pool.query('DELETE FROM sink_troubles WHERE sink = $1', [channel]);
}

/** A channel to which every call fails. Times are RFC 3339. */
export type ChannelTrouble = {
  channel: ChannelName;
  /** Since when all calls have failed, and the time of the last failure. */
  since: string;
  triedAt: string;
  /** The reason of the last failure, such as `no-channel` or `timeout`. */
  reason: string;
  /** The failure needs a person, or has lasted for five minutes. */
  gaveUp: boolean;
  /** Messages that wait for it; counted to 1,000. */
  waiting: number;
};

/**
 * Reasons that only a person can fix: the credential, its rights, or the channel. The channel is called less and less
 * often.
 */
export const mendedByPeople: ReadonlySet<string> = new Set(['unauthorised', 'forbidden', 'no-channel']);

/**
 * Channels to which every call fails at present, for `tripline doctor`, `/readyz` and the screen; none when all calls
 * succeed.
 */
export async function readChannelTroubles(db: Db): Promise<ChannelTrouble[]> {
  const { rows } = await db.pool.query<{
    channel: ChannelName;
    since: Date;
    tried_at: Date;
    reason: string;
    long: boolean;
    waiting: number;
  }>(
    `SELECT sink AS channel, since, tried_at, reason, since < clock_timestamp() - interval '5 minutes' AS long,
       (SELECT count(*)::int FROM (SELECT FROM told WHERE sink = s.sink AND due_at IS NOT NULL LIMIT 1000) w) AS waiting
     FROM sink_troubles s ORDER BY sink`,
  );
  return rows.map(({ tried_at, since, long, ...row }) => ({
    ...row,
    since: since.toISOString(),
    triedAt: tried_at.toISOString(),
    gaveUp: long || mendedByPeople.has(row.reason),
  }));
}
