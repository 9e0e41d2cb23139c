import { openDatabase } from '@tripline/db/database';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { streamContract } from '@tripline/testing/stream.conformance';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createEmbeddedStream } from './stream.ts';

const logger = createLogger({ service: 'test', level: 'silent' });

streamContract('the embedded log', async () => {
  const database = await freshDatabase();
  const opened = [database.db];
  return {
    async open() {
      const db = openDatabase(database.url, { applicationName: 'test' });
      opened.push(db);
      return createEmbeddedStream({ db, logger, clock: systemClock });
    },
    async interrupt() {
      await database.db.pool.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
      );
    },
    async close() {
      for (const db of opened.slice(1)) await db.close();
      await database.close();
    },
  };
});

let database: Awaited<ReturnType<typeof freshDatabase>>;
let stream: ReturnType<typeof createEmbeddedStream>;
beforeAll(async () => {
  database = await freshDatabase();
  stream = createEmbeddedStream({ db: database.db, logger, clock: systemClock });
  await stream.ensureTopics([{ topic: 't', partitions: 1, retentionMs: 3_600_000, maxRecordBytes: 1000 }]);
});
afterAll(async () => {
  await stream.close();
  await database.close();
});

const record = (text: string) => ({ topic: 't', key: 'w', headers: {}, value: Buffer.from(text) });

test('deletes what is past its retention, and readers go on from the first record kept', async () => {
  await stream.append([record('old'), record('old too')]);
  await database.db.pool.query('UPDATE log SET appended_at_ms = appended_at_ms - 3600001');
  await stream.append([record('new')]);
  expect(await stream.deleteOld()).toBe(2);
  expect(await stream.offsets('t')).toEqual([{ partition: 0, first: 2, next: 3 }]);
  expect((await stream.read({ topic: 't', partition: 0, from: 0, limit: 10 })).map((one) => one.offset)).toEqual([2]);
  expect(await stream.deleteOld()).toBe(0);
});

test('the append time stands still when the clock of the database runs back', async () => {
  const aheadMs = Date.now() + 60_000;
  await database.db.pool.query('UPDATE log_partitions SET last_appended_ms = $1', [aheadMs]);
  const [at] = await stream.append([record('later')]);
  const [read] = await stream.read({ topic: 't', partition: 0, from: at!.offset, limit: 1 });
  expect(read!.appendedAtMs).toBe(aheadMs);
  await database.db.pool.query('UPDATE log_partitions SET last_appended_ms = 0');
});

test('takes over at once from a consumer that was killed, long before its lease runs out', async () => {
  const [group, topic, dead] = ['g', 't', 4711];
  await database.db.pool.query('SELECT * FROM log_heartbeat($1, $2, $3, 600000)', [group, topic, dead]);
  const assigned: number[] = [];
  const consumer = await stream.consume({
    topic,
    group,
    handlers: {
      onAssigned: async ({ partition }) => assigned.push(partition) && 0,
      onBatch: async () => {},
      onLost: async () => {},
    },
  });
  await expect.poll(() => assigned, { timeout: 5000 }).toEqual([0]);
  expect(consumer.owned()).toEqual([0]);
  await consumer.stop();
});

test('a consumer that asks for a short lease is taken over from soon after it froze', async () => {
  const [group, topic, frozen] = ['short', 't', 4712];
  // It holds its session, as a frozen process does, and beats no more.
  const session = await database.db.pool.connect();
  await session.query('SELECT pg_advisory_lock($1)', [frozen]);
  await database.db.pool.query('SELECT * FROM log_heartbeat($1, $2, $3, 500)', [group, topic, frozen]);
  const assigned: number[] = [];
  const handlers = {
    onAssigned: async ({ partition }: { partition: number }) => assigned.push(partition) && 0,
    onBatch: async () => {},
    onLost: async () => {},
  };
  const consumer = await stream.consume({ topic, group, leaseMs: 500, handlers });
  try {
    await expect.poll(() => assigned, { timeout: 5000 }).toEqual([0]);
    const { rows } = await database.db.pool.query<{ ms: number }>(
      `SELECT extract(epoch FROM expires_at - clock_timestamp())::float8 * 1000 AS ms FROM log_consumers WHERE group_name = $1`,
      [group],
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]!.ms).toBeLessThanOrEqual(500);
  } finally {
    await consumer.stop();
    await session.query('SELECT pg_advisory_unlock($1)', [frozen]);
    session.release();
  }
});

test('without its database every verb says that the log is away, so that a receiver can start before it', async () => {
  const db = openDatabase('postgres://127.0.0.1:1/nowhere', { applicationName: 'test' });
  const away = createEmbeddedStream({ db, logger, clock: systemClock });
  const topic = { topic: 't', partitions: 1, retentionMs: 1, maxRecordBytes: 1000 };
  for (const verb of [
    () => away.ensureTopics([topic]),
    () => away.append([record('lost')]),
    () => away.offsets('t'),
    () => away.offsetsSince('t', 0),
    () => away.read({ topic: 't', partition: 0, from: 0, limit: 1 }),
    () => away.check(),
  ]) {
    await expect(verb()).rejects.toMatchObject({ code: 'STREAM_UNAVAILABLE' });
  }
  await away.close();
  await db.close();
});
