import type { Db } from '@tripline/db/database';
import { describeDatabaseFault } from '@tripline/db/database-fault';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import { createSignal } from '@tripline/runtime/signal';
import { createBatcher } from '../batcher.ts';
import { partitionOf } from '../partition.ts';
import { openPartitionReader } from '../partition-reader.ts';
import { checkSizes, recordBytes } from '../record.ts';
import { type Appended, type NewRecord, type Stream, StreamUnavailableError, type TopicSpec } from '../stream.ts';
import { joinGroup, type Membership } from './group.ts';
import { openListener } from './listener.ts';
import { embeddedSource, offsetSince, type Reader, readLog } from './partition-source.ts';
import { createTailCache } from './tail-cache.ts';

/** Records per transaction: beyond this, the cost of the statement itself no longer matters. */
const maxBatchRecords = 500;
const maxBatchBytes = 8 * 1024 * 1024;
const retentionEveryMs = 60_000;
const retentionChunk = 5000;

export type EmbeddedStream = Stream & {
  /** Deletes records past their topic's retention, in chunks; returns how many. Also runs every minute by itself. */
  deleteOld: () => Promise<number>;
};

/** The log as a Postgres table (migrations/0001_log.sql), for running without Kafka. Holds one connection beside the pool. */
export function createEmbeddedStream(options: { db: Db; logger: Logger; clock: Clock }): EmbeddedStream {
  const { clock } = options;
  const pool = options.db.pool;
  const logger = options.logger.child({ part: 'log' });
  const readers = new Set<Reader>();
  const members = new Set<{ name: string; membership: Membership }>();
  const closing = new AbortController();
  const specs = new Map<string, TopicSpec>();

  const listener = openListener({
    connection: { ...pool.options, application_name: 'tripline log' },
    channels: ['tripline_log', 'tripline_log_groups'],
    onNotify(channel, payload) {
      if (channel === 'tripline_log') return notifiedEnds(payload);
      // Reconnected: anything may have been appended meanwhile.
      if (channel === null) for (const { arrivals } of readers) arrivals.notify();
      for (const { name, membership } of members)
        if (channel === null || name === payload) membership.arrivals.notify();
    },
    clock,
    logger,
  });

  /** By topic that this process is writing to: ends that were notified meanwhile. */
  const writing = new Map<string, string[]>();
  /**
   * The notification of our own write arrives shortly before its answer; its records are read from the tail cache that
   * the answer fills.
   */
  function notifiedEnds(ends: string): void {
    const notified = writing.get(ends.slice(0, ends.indexOf(' ')));
    if (notified === undefined) ringReaders(ends);
    else notified.push(ends);
  }

  /** `ends`: a topic, then `<partition>:<next offset>` for each partition that got records. */
  function ringReaders(ends: string): void {
    const [topic, ...pairs] = ends.split(' ');
    for (const pair of pairs) {
      const [partition, next] = pair.split(':').map(Number);
      for (const reader of readers) if (reader.topic === topic && reader.partition === partition) tell(reader, next!);
    }
  }
  /** An end that a reader knows already, from a writer in this process, does not wake it again. */
  function tell(reader: Reader, end: number): void {
    if (end <= reader.toldEnd) return;
    reader.toldEnd = end;
    reader.arrivals.notify();
  }

  async function specOf(topic: string): Promise<TopicSpec> {
    const known = specs.get(topic);
    if (known) return known;
    const { rows } = await pool.query<TopicSpec>(
      `SELECT topic, partitions, retention_ms AS "retentionMs", max_record_bytes AS "maxRecordBytes" FROM log_topics WHERE topic = $1`,
      [topic],
    );
    if (!rows[0]) throw new Error(`the log has no topic ${topic}; ensureTopics makes it`);
    specs.set(topic, rows[0]);
    return rows[0];
  }

  async function offsetsOf(topic: string): Promise<{ partition: number; first: number; next: number }[]> {
    await orUnavailable(() => specOf(topic));
    const { rows } = await orUnavailable(() =>
      pool.query<{ partition: number; first: number; next: number }>(
        'SELECT partition, first_offset AS first, next_offset AS next FROM log_partitions WHERE topic = $1 ORDER BY partition',
        [topic],
      ),
    );
    return rows;
  }

  /** All of one topic: one statement, one transaction. */
  async function write(topic: string, records: readonly NewRecord[]): Promise<Appended[]> {
    const count = specs.get(topic)!.partitions;
    const partitions: number[] = [];
    const lengths: number[] = [];
    const pieces: Buffer[] = [];
    for (const record of records) {
      const key = Buffer.from(record.key);
      const headers = Buffer.from(JSON.stringify(record.headers));
      partitions.push(partitionOf(record.key, count));
      lengths.push(key.length, headers.length, record.value.length);
      pieces.push(key, headers, record.value);
    }
    writing.set(topic, []);
    try {
      const { rows } = await pool.query<{ to_partition: number; base_offset: number; appended_ms: number }>({
        name: 'log-append',
        text: 'SELECT * FROM log_append_timed($1, $2, $3, $4)',
        values: [topic, `{${partitions.join(',')}}`, `{${lengths.join(',')}}`, Buffer.concat(pieces)],
      });
      const ends = new Map(rows.map((row) => [row.to_partition, { next: row.base_offset, atMs: row.appended_ms }]));
      const appended = partitions.map((partition) => {
        const end = ends.get(partition)!;
        end.next += 1;
        return { topic, partition, offset: end.next - 1 };
      });
      for (const reader of readers) {
        const end = reader.topic === topic ? ends.get(reader.partition) : undefined;
        if (end === undefined) continue;
        for (const [place, { partition, offset }] of appended.entries()) {
          if (partition === reader.partition) reader.tail?.add(records[place]!, offset, end.atMs);
        }
        tell(reader, end.next);
      }
      return appended;
    } finally {
      const notified = writing.get(topic)!;
      writing.delete(topic);
      for (const ends of notified) ringReaders(ends);
    }
  }

  /** One batcher a topic, so that a batch is one statement. */
  const batchers = new Map<string, ReturnType<typeof createBatcher<NewRecord, Appended>>>();
  function batcherOf(topic: string) {
    let batcher = batchers.get(topic);
    if (!batcher) {
      batcher = createBatcher<NewRecord, Appended>({
        maxItems: maxBatchRecords,
        maxBytes: () => maxBatchBytes,
        sizeOf: recordBytes,
        send: (records) => write(topic, records),
      });
      batchers.set(topic, batcher);
    }
    return batcher;
  }

  async function append(records: readonly NewRecord[]): Promise<Appended[]> {
    if (closing.signal.aborted) throw new StreamUnavailableError('the log is closed');
    try {
      const byTopic = Map.groupBy(records, (record) => record.topic);
      for (const topic of byTopic.keys()) if (!specs.has(topic)) await specOf(topic);
      checkSizes(records, (topic) => specs.get(topic)!.maxRecordBytes);
      const kept = new Map<string, Appended[]>();
      for (const [topic, ofTopic] of byTopic) kept.set(topic, await batcherOf(topic).add(ofTopic));
      if (kept.size === 1) return kept.values().next().value!;
      const at = new Map<string, number>();
      return records.map(({ topic }) => {
        const index = at.get(topic) ?? 0;
        at.set(topic, index + 1);
        return kept.get(topic)![index]!;
      });
    } catch (error) {
      throw unavailable(error);
    }
  }

  async function mayDelete(): Promise<boolean> {
    const { rows } = await pool.query<{ may: boolean }>(`SELECT has_table_privilege('log', 'DELETE') AS may`);
    return rows[0]!.may;
  }

  async function deleteOld(): Promise<number> {
    const { rows } = await pool.query<{ topic: string; partition: number; retention_ms: number }>(
      'SELECT topic, partition, retention_ms FROM log_partitions JOIN log_topics USING (topic)',
    );
    let deleted = 0;
    for (const { topic, partition, retention_ms } of rows) {
      for (let count = retentionChunk; count === retentionChunk && !closing.signal.aborted; deleted += count) {
        // Times never run backwards within a partition, so expired records are a prefix: a chunk is a range of the
        // primary key.
        const result = await pool.query<{ count: number }>(
          `WITH chunk AS (SELECT "offset", appended_at_ms FROM log WHERE topic = $1 AND partition = $2 ORDER BY "offset" LIMIT $4),
                gone AS (DELETE FROM log USING chunk WHERE log.topic = $1 AND log.partition = $2 AND log."offset" = chunk."offset"
                           AND chunk.appended_at_ms < log_clock_ms() - $3::bigint RETURNING log."offset"),
                moved AS (UPDATE log_partitions SET first_offset = (SELECT max("offset") + 1 FROM gone)
                           WHERE topic = $1 AND partition = $2 AND EXISTS (SELECT FROM gone))
           SELECT count(*) AS count FROM gone`,
          [topic, partition, retention_ms, retentionChunk],
        );
        count = result.rows[0]!.count;
      }
    }
    return deleted;
  }

  async function makeTopic(spec: TopicSpec): Promise<void> {
    await orUnavailable(() =>
      pool.query(
        `WITH made AS (INSERT INTO log_topics (topic, partitions, retention_ms, max_record_bytes) VALUES ($1, $2, $3, $4)
                         ON CONFLICT DO NOTHING RETURNING topic, partitions)
         INSERT INTO log_partitions (topic, partition) SELECT topic, generate_series(0, partitions - 1) FROM made`,
        [spec.topic, spec.partitions, spec.retentionMs, spec.maxRecordBytes],
      ),
    );
  }

  async function keepRetention(): Promise<void> {
    while (!closing.signal.aborted) {
      await clock.pause(retentionEveryMs, closing.signal);
      if (closing.signal.aborted) return;
      // With one role per service, only one of them has the right to.
      await mayDelete()
        .then((may) => (may ? deleteOld() : 0))
        .catch((error) => logger.warn({ err: error }, 'deleting expired records failed; retrying in 1 min'));
    }
  }
  const retention = keepRetention();

  return {
    backend: 'embedded',
    append,
    deleteOld,
    async ensureTopics(wanted) {
      for (const spec of wanted) {
        const { rowCount } = await orUnavailable(() =>
          pool.query('SELECT FROM log_topics WHERE topic = $1', [spec.topic]),
        );
        // Only the process that creates a topic needs the right to.
        if (rowCount === 0) await makeTopic(spec);
        const there = await orUnavailable(() => specOf(spec.topic));
        if (there.partitions !== spec.partitions) {
          throw new Error(
            `topic ${spec.topic} has ${there.partitions} partitions, not the ${spec.partitions} that are configured; set the number back, since keys would change their place`,
          );
        }
      }
    },
    async consume({ topic, group, maxRecords = 1000, tickMs, restMs, leaseMs, handlers }) {
      await orUnavailable(() => specOf(topic));
      const membership = await joinGroup({
        pool,
        listener,
        group,
        topic,
        clock,
        logger,
        leaseMs,
        openPartitionReader(partition) {
          // A reader with `restMs` reads rarely and much: no tail cache is kept for it.
          const tail = restMs === undefined ? createTailCache(topic, partition) : undefined;
          const reader: Reader = { topic, partition, arrivals: createSignal(), toldEnd: 0, tail };
          readers.add(reader);
          const source = embeddedSource({ pool, reader, maxRecords, tickMs });
          const partitionReader = openPartitionReader({
            topic,
            partition,
            source,
            handlers,
            restMs,
            clock,
            logger: logger.child({ group }),
          });
          return { end: () => partitionReader.end().finally(() => readers.delete(reader)) };
        },
      });
      const member = { name: `${group} ${topic}`, membership };
      members.add(member);
      let stopped: Promise<void> | undefined;
      return {
        owned: membership.owned,
        stop() {
          stopped ??= membership.stop().finally(() => members.delete(member));
          return stopped;
        },
      };
    },
    offsets: offsetsOf,
    async offsetsSince(topic, sinceMs) {
      const since = new Map<number, number>();
      for (const end of await offsetsOf(topic))
        since.set(end.partition, await orUnavailable(() => offsetSince(pool, { topic, ...end }, sinceMs)));
      return since;
    },
    async read({ topic, partition, from, limit }) {
      return orUnavailable(() => readLog(pool, { topic, partition, from, end: Number.MAX_SAFE_INTEGER, limit }));
    },
    async check() {
      await orUnavailable(() => pool.query('SELECT 1 FROM log_topics LIMIT 1'));
    },
    async close() {
      closing.abort();
      await Promise.all([...members].map(({ membership }) => membership.stop()));
      await Promise.all([...batchers.values()].map((batcher) => batcher.idle()));
      await retention;
      await listener.close();
    },
  };
}

/** Runs `work`; an error of the connection is thrown as StreamUnavailableError. */
async function orUnavailable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw unavailable(error);
  }
}

/** Converts an error of the connection into StreamUnavailableError; any other stays as it is. */
function unavailable(error: unknown): unknown {
  const code = (error as { code?: unknown }).code;
  // SQLSTATE 08 connection, 53 resources, 57 shutdown, 58 system, 25006 read-only; others are ours. Every SQLSTATE has a digit, which tells it from EPIPE.
  const ours = error instanceof Error && typeof code !== 'string' && !/connect|terminat|timeout/i.test(error.message);
  const refused =
    typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code) && !/^(08|53|57|58|25006)/.test(code);
  if (error instanceof StreamUnavailableError || code === 'RECORD_TOO_LARGE' || ours || refused) return error;
  const says = describeDatabaseFault(error) ?? `the log's database does not answer: ${(error as Error).message}`;
  return new StreamUnavailableError(says, { cause: error });
}
