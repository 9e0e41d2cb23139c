import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { main } from '../packages/cli/main.ts';
import { openDatabase } from '../packages/db/database.ts';
import { addJob } from '../packages/db/jobs.ts';
import { runJobs } from '../packages/db/run-jobs.ts';
import { systemClock } from '../packages/runtime/clock.ts';
import { createLogger } from '../packages/runtime/logger.ts';
import { createEmbeddedStream } from '../packages/stream/postgres/stream.ts';
import { emptyDatabaseOn, type FreshDatabase } from '../packages/testing/postgres/fresh-database.ts';
import { havePgBouncer, startPgBouncer } from '../packages/testing/postgres/pgbouncer.ts';

const logger = createLogger({ service: 'test', level: 'silent' });
const soon = { timeout: 30_000, interval: 20 };

describe.skipIf(!havePgBouncer())('PgBouncer before Postgres', () => {
  let folder: string;
  let database: FreshDatabase;
  let bouncer: Awaited<ReturnType<typeof startPgBouncer>> | undefined;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tripline-pooled-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  beforeEach(async () => {
    database = await emptyDatabaseOn(inject('postgresUrl'));
  });
  afterEach(async () => {
    await bouncer?.close();
    bouncer = undefined;
    await database.close();
  });

  async function tripline(command: string): Promise<{ status: number; said: string }> {
    let said = '';
    const say = (text: string) => {
      said += text;
    };
    const env = { DATABASE_URL: bouncer!.url, TRIPLINE_PORT: '0', TRIPLINE_OPERATIONS_PORT: '0' };
    const io = { out: say, err: say, stdin: Readable.from(['']), cwd: folder, isTerminal: false };
    return { status: await main([command], { ...io, env }), said };
  }

  test('by the session: the schema, jobs, the log with its locks and notifications, whatever the database sets', async () => {
    bouncer = await startPgBouncer(database.url, { pool_mode: 'session', default_pool_size: '40' });
    const { pathname } = new URL(database.url);
    for (const hostile of [`DateStyle = 'German'`, 'default_transaction_read_only = on', `search_path = 'nowhere'`]) {
      await database.db.pool.query(`ALTER DATABASE ${pathname.slice(1)} SET ${hostile}`);
    }
    expect(await tripline('migrate')).toMatchObject({ status: 0 });
    const db = openDatabase(bouncer.url, { applicationName: 'test', lowLatency: true });
    const taken = Promise.withResolvers<string>();
    const ask = async ({ workspace }: { workspace: string }) => taken.resolve(workspace);
    const jobs = await runJobs({ db, logger, handlers: { 'import-inventory': ask } });
    await addJob(db.pool, 'import-inventory', { workspace: 'one' }, { key: 'import:one' });
    expect(await taken.promise).toBe('one');
    await jobs.stop();

    const stream = createEmbeddedStream({ db, logger, clock: systemClock });
    await stream.ensureTopics([{ topic: 't', partitions: 2, retentionMs: 3_600_000, maxRecordBytes: 10_000 }]);
    const heard: string[] = [];
    const handlers = {
      onAssigned: async () => 0,
      onBatch: async ({ records }: { records: readonly { value: Buffer | null }[] }) => {
        for (const { value } of records) heard.push(String(value));
      },
      onLost: async () => {},
    };
    const consumers = [await stream.consume({ topic: 't', group: 'g', handlers })];
    await stream.append([{ topic: 't', key: 'k', headers: {}, value: Buffer.from('heard') }]);
    await expect.poll(() => heard, soon).toEqual(['heard']);
    for (const consumer of consumers) await consumer.stop();
    await stream.close();
    await db.close();
  });

  test('by the session, with fewer connections than it takes: refused in words', async () => {
    bouncer = await startPgBouncer(database.url, { pool_mode: 'session', default_pool_size: '1' });
    const { status, said } = await tripline('migrate');
    expect(said).toMatch(/^tripline: DATABASE_URL leads to a pooler with too few connections: .*default_pool_size/);
    expect(status).toBe(1);
  });

  const shared: [string, Record<string, string>][] = [
    ['by the transaction', { pool_mode: 'transaction' }],
    ['by the transaction, in turn', { pool_mode: 'transaction', server_round_robin: '1' }],
    ['by the transaction, of a single connection', { pool_mode: 'transaction', default_pool_size: '1' }],
    ['by the statement', { pool_mode: 'statement' }],
  ];
  test.each(shared)('%s: refused in words', async (_, settings) => {
    bouncer = await startPgBouncer(database.url, settings);
    for (const command of ['migrate', 'up', 'findings']) {
      const { status, said } = await tripline(command);
      const last = said.trim().split('\n').at(-1);
      expect(last).toMatch(/^tripline: DATABASE_URL leads to a pooler in transaction mode .*pool_mode = session/);
      expect(status).toBe(1);
    }
    // Nothing was done before.
    const { rows } = await database.db.pool.query(
      `SELECT count(*)::int AS tables FROM pg_tables WHERE schemaname = 'public'`,
    );
    expect(rows).toEqual([{ tables: 0 }]);
    const doctor = await tripline('doctor');
    expect(doctor.said).toMatch(/pool_mode = session/);
    expect(doctor.status).toBe(1);
  });
});
