import type { Signal } from '@tripline/runtime/signal';
import type pg from 'pg';
import type { PartitionSource } from '../partition-reader.ts';
import type { StreamRecord } from '../stream.ts';
import type { TailCache } from './tail-cache.ts';

/** How long a reader waits without a notification before it polls. */
const lookMs = 1000;

type LogRow = {
  offset: number;
  appended_at_ms: number;
  key: Buffer;
  headers: Record<string, string>;
  value: Buffer | null;
};

/** Reads at most `limit` records from `from` on and below `end`. The primary key serves it: one range of one partition. */
export async function readLog(
  pool: pg.Pool,
  at: { topic: string; partition: number; from: number; end: number; limit: number },
): Promise<StreamRecord[]> {
  const { topic, partition } = at;
  const { rows } = await pool.query<LogRow>({
    name: 'read-log',
    text: `SELECT "offset", appended_at_ms, key, headers, value FROM log
           WHERE topic = $1 AND partition = $2 AND "offset" >= $3 AND "offset" < $4 ORDER BY "offset" LIMIT $5`,
    values: [topic, partition, at.from, at.end, at.limit],
  });
  return rows.map((row) => ({
    topic,
    partition,
    offset: row.offset,
    appendedAtMs: row.appended_at_ms,
    key: row.key.toString(),
    headers: row.headers,
    value: row.value,
  }));
}

/** The offset from which on every record of a partition was appended at `sinceMs` or later: times never run backwards within one. */
export async function offsetSince(
  pool: pg.Pool,
  { topic, partition, first, next }: { topic: string; partition: number; first: number; next: number },
  sinceMs: number,
): Promise<number> {
  let [low, high] = [first, next];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const { rows } = await pool.query<{ offset: number; appended_at_ms: number }>(
      `SELECT "offset", appended_at_ms FROM log
       WHERE topic = $1 AND partition = $2 AND "offset" >= $3 AND "offset" < $4 ORDER BY "offset" LIMIT 1`,
      [topic, partition, middle, high],
    );
    const at = rows[0];
    if (at !== undefined && at.appended_at_ms < sinceMs) low = at.offset + 1;
    else high = middle;
  }
  return low;
}

/**
 * The end of the partition, and the log's clock. FOR SHARE waits for a writer in flight, and a later writer takes its
 * timestamp only once it holds the lock: so every record from `next` on will have `clockMs` or later.
 */
async function lookAtEnd(pool: pg.Pool, topic: string, partition: number) {
  const { rows } = await pool.query<{ first: number; next: number; clock_ms: number }>({
    name: 'look-at-end',
    // The lock makes it a writing transaction; its commit need not wait for the disk.
    text: `SELECT first_offset AS first, next_offset AS next, greatest(last_appended_ms, log_clock_ms()) AS clock_ms,
             set_config('synchronous_commit', 'off', true)
           FROM log_partitions WHERE topic = $1 AND partition = $2 FOR SHARE`,
    values: [topic, partition],
  });
  const end = rows[0];
  if (!end) throw new Error(`the log has no partition ${partition} of ${topic}`);
  return { first: end.first, next: end.next, clockMs: end.clock_ms };
}

/**
 * The reader of a partition, as its writers see it: `arrivals` is notified when it got records, and `toldEnd` is its
 * next offset then. What a writer in this process appended lies in `tail`.
 */
export type Reader = {
  topic: string;
  partition: number;
  arrivals: Signal;
  toldEnd: number;
  tail: TailCache | undefined;
};

/** One partition of the embedded log, as a partition reader reads it. */
export function embeddedSource(options: {
  pool: pg.Pool;
  reader: Reader;
  maxRecords: number;
  tickMs: number | undefined;
}): PartitionSource {
  const { pool, reader, maxRecords } = options;
  const { topic, partition, arrivals } = reader;
  const waitMs = Math.min(options.tickMs ?? lookMs, lookMs);
  let next = 0;
  let knownEnd = 0;
  /** Caught up and reported so: wait before polling again. */
  let idle = false;
  /** By the log's clock. */
  let toldAtMs = 0;

  return {
    async start(offset) {
      const end = await lookAtEnd(pool, topic, partition);
      if (offset > end.next) {
        throw new Error(
          `asked to start partition ${partition} of ${topic} at ${offset}, but the log ends at ${end.next}`,
        );
      }
      next = Math.max(offset, end.first);
      knownEnd = 0;
      idle = false;
    },
    async next(signal) {
      if (idle) await arrivals.wait(waitMs, signal);
      if (signal.aborted) return null;
      // A notification carried the end of the log; while far behind, the end is not needed.
      knownEnd = Math.max(knownEnd, reader.toldEnd);
      let records = reader.tail?.take(next, maxRecords) ?? [];
      const isTold = next < reader.toldEnd;
      const behind = next + maxRecords < knownEnd;
      const end = behind || isTold ? null : await lookAtEnd(pool, topic, partition);
      if (end) knownEnd = end.next;
      if (records.length === 0 && next < knownEnd) {
        records = await readLog(pool, { topic, partition, from: next, end: knownEnd, limit: maxRecords });
      }
      if (records.length > 0) next = records.at(-1)!.offset + 1;
      // Retention overtook us: records before `first` are gone.
      else if (next < knownEnd) next = Math.max(next, (end ?? (await lookAtEnd(pool, topic, partition))).first);
      let caughtUpAtMs = end !== null && next >= end.next ? end.clockMs : null;
      // Times never run backwards within a partition: later records have the last one's time or a later one.
      if (end === null && records.length > 0 && next >= knownEnd) caughtUpAtMs = records.at(-1)!.appendedAtMs;
      idle = caughtUpAtMs !== null;
      if (records.length === 0) {
        if (caughtUpAtMs === null || options.tickMs === undefined) return null;
        if (caughtUpAtMs - toldAtMs < options.tickMs) return null;
      }
      if (caughtUpAtMs !== null) toldAtMs = caughtUpAtMs;
      return { records, caughtUpAtMs };
    },
  };
}
