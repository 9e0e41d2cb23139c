import type { Clock } from '@tripline/runtime/clock';
import type { Db } from './database.ts';

/** How often the database is asked for its time, ms; between two askings our monotonic timer goes on from the last. */
const askEveryMs = 10_000;
/** An answer that took longer is not taken, ms: it says when it was within that time, and not at which end of it. */
const longestAnswerMs = 1000;

/**
 * The database's clock, which all replicas share: what one of them writes as due is due then for the others too, however wrong the
 * clock of its machine is. While the database is away it goes on from what that said last.
 * @throws the database's own error, where it does not say the time once.
 */
export async function openDatabaseClock(
  { pool }: Pick<Db, 'pool'>,
  { pause }: Pick<Clock, 'pause'>,
  monotonicMs: () => number = () => performance.now(),
): Promise<Clock> {
  let askedMs: number;

  async function ask(): Promise<{ aheadMs: number; tookMs: number }> {
    askedMs = monotonicMs();
    // Whoever fills the pool has us wait for a connection: from then on it is counted how long the answer takes.
    const client = await pool.connect();
    try {
      const beganMs = monotonicMs();
      const { rows } = await client.query<{ ms: number }>(
        'SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS ms',
      );
      const endedMs = monotonicMs();
      return { aheadMs: rows[0]!.ms - (beganMs + endedMs) / 2, tookMs: endedMs - beganMs };
    } finally {
      client.release();
    }
  }
  // There is none before the first one, which is taken however long it took.
  let { aheadMs } = await ask();

  async function askAgain(): Promise<void> {
    const answer = await ask();
    if (answer.tookMs <= longestAnswerMs) aheadMs = answer.aheadMs;
  }

  return {
    nowMs() {
      const nowMs = monotonicMs();
      // Whoever asks waits for nothing: the next one has the newer answer.
      if (nowMs - askedMs >= askEveryMs) void askAgain().catch(() => {});
      return Math.round(nowMs + aheadMs);
    },
    pause,
  };
}
