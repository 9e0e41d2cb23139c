import { randomBytes } from 'node:crypto';
import type { Jobs } from '@tripline/contracts/job';
import { createLogger } from '@tripline/runtime/logger';
import { databaseUrl, template } from '@tripline/testing/postgres/postgres.global';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type Db, openDatabase } from './database.ts';
import { addJob } from './jobs.ts';
import { runJobs } from './run-jobs.ts';

/** What an operator, or whoever may alter a role, may have set for every session. */
const hostile: Readonly<Record<string, readonly string[]>> = {
  DateStyle: ["'SQL, DMY'", "'German'", "'Postgres, MDY'"],
  IntervalStyle: ["'sql_standard'", "'iso_8601'"],
  TimeZone: ["'America/St_Johns'", "'Asia/Kathmandu'"],
  standard_conforming_strings: ['off'],
  bytea_output: ["'escape'"],
  default_transaction_read_only: ['on'],
  default_transaction_isolation: ["'serializable'", "'repeatable read'"],
  default_transaction_deferrable: ['on'],
  search_path: ["''", "'nowhere'", "'hostile, public'"],
  statement_timeout: ["'20ms'"],
  lock_timeout: ["'1ms'"],
  // Long enough that a busy machine has told the session what it needs before; `works` asks what holds then.
  idle_session_timeout: ["'500ms'"],
  transaction_timeout: ["'20ms'"],
  idle_in_transaction_session_timeout: ['0', "'1ms'"],
  row_security: ['off'],
  client_encoding: ["'LATIN1'"],
  extra_float_digits: ['-15'],
  array_nulls: ['off'],
  transform_null_equals: ['on'],
  exit_on_error: ['on'],
  synchronous_commit: ['off'],
};
const logger = createLogger({ service: 'test', level: 'silent' });

describe('whatever a database tells its sessions', () => {
  let admin: Db;
  const name = `test_${randomBytes(6).toString('hex')}`;
  const url = databaseUrl(inject('postgresUrl'), name);
  beforeAll(async () => {
    admin = openDatabase(inject('postgresUrl'), { applicationName: 'test', maxConnections: 1 });
    await admin.pool.query(`CREATE DATABASE ${name} TEMPLATE ${template}`);
  });
  afterAll(async () => {
    await admin.pool.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await admin.close();
  });

  async function under(settings: Record<string, string>, work: (db: Db) => Promise<void>): Promise<void> {
    await admin.pool.query(`ALTER DATABASE ${name} RESET ALL`);
    for (const [setting, value] of Object.entries(settings)) {
      await admin.pool.query(`ALTER DATABASE ${name} SET ${setting} = ${value}`);
    }
    const db = openDatabase(url, { applicationName: 'test', maxConnections: 4, lowLatency: true });
    await work(db).finally(() => db.close());
  }

  /** A job goes its whole way, by graphile-worker's own connections too, and values come back as they were sent. */
  async function works(db: Db): Promise<void> {
    const at = new Date('2026-03-04T05:06:07.089Z');
    const bytes = Buffer.from([0, 92, 255]);
    const { rows } = await db.pool.query(
      `SELECT $1::timestamptz AS at, $2::bytea AS bytes, $3::text AS text, 'a\\b' AS literal, pg_sleep(0.03),
              0.1::float8 + 0.2 AS float, ARRAY[NULL, 'x'] AS list, to_regclass('findings')::text AS findings,
              $4::jsonb AS json, interval '36 hours' AS span, current_setting('idle_session_timeout') AS idle, timestamp '2026-03-04 05:06' AT TIME ZONE 'UTC' AS utc`,
      [at, bytes, 'Zoë ☃ \\', { a: [1, null] }],
    );
    expect(rows[0]).toMatchObject({
      at,
      bytes,
      text: 'Zoë ☃ \\',
      literal: 'a\\b',
      float: 0.1 + 0.2,
      list: [null, 'x'],
      findings: 'findings',
      json: { a: [1, null] },
      span: { hours: 36 },
      idle: '0',
      utc: new Date('2026-03-04T05:06Z'),
    });
    const taken = Promise.withResolvers<Jobs['import-inventory']>();
    const jobs = await runJobs({
      db,
      logger,
      handlers: { 'import-inventory': async (payload) => taken.resolve(payload) },
    });
    await addJob(db.pool, 'import-inventory', { workspace: 'Zoë' }, { key: 'import:Zoë' });
    expect(await taken.promise).toEqual({ workspace: 'Zoë' });
    await jobs.stop();
    expect((await db.pool.query('SELECT FROM graphile_worker.jobs')).rowCount).toBe(0);
  }

  const each = Object.entries(hostile).flatMap(([setting, values]) => values.map((value) => [setting, value] as const));
  test.each(each)('%s = %s: values and jobs go their way', async (setting, value) => {
    await under({ [setting]: value }, works);
  });

  test('any of them together', async () => {
    const values = fc.record(
      Object.fromEntries(Object.entries(hostile).map(([setting, of]) => [setting, fc.constantFrom(...of)])),
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(values, (settings) => under(settings as Record<string, string>, works)),
      { numRuns: 12 },
    );
  });

  test('what was committed is on disk, where the database says that it need not be', async () => {
    await under({ synchronous_commit: 'off' }, async (db) => {
      expect((await db.pool.query('SHOW synchronous_commit')).rows).toEqual([{ synchronous_commit: 'on' }]);
    });
    await under({ synchronous_commit: 'local' }, async (db) => {
      expect((await db.pool.query('SHOW synchronous_commit')).rows).toEqual([{ synchronous_commit: 'local' }]);
    });
  });
});

test('a database that cannot hold every name is refused in words', async () => {
  const admin = openDatabase(inject('postgresUrl'), { applicationName: 'test', maxConnections: 1 });
  const name = `test_${randomBytes(6).toString('hex')}`;
  await admin.pool.query(`CREATE DATABASE ${name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`);
  const db = openDatabase(databaseUrl(inject('postgresUrl'), name), { applicationName: 'test' });
  try {
    await expect(db.pool.query('SELECT 1')).rejects.toThrow(
      /encoded as LATIN1.*CREATE DATABASE tripline ENCODING 'UTF8'/,
    );
  } finally {
    await db.close();
    await admin.pool.query(`DROP DATABASE ${name}`);
    await admin.close();
  }
});
