import { createLogger } from '@tripline/runtime/logger';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openDatabase } from './database.ts';
import { addJob } from './jobs.ts';
import { runJobs } from './run-jobs.ts';

const { query } = pg.Client.prototype;
const { connect } = pg.Pool.prototype;

/** Breaks the connection at the first statement that `at` fits: before it is done, or after. */
function breakAt(at: RegExp, isDone: boolean): { hasBroken: () => boolean } {
  let hasBroken = false;
  async function broken(this: pg.Client, ...statement: Parameters<typeof query>): Promise<never> {
    hasBroken = true;
    if (isDone) await query.apply(this, statement);
    throw new Error('Connection terminated unexpectedly');
  }
  pg.Client.prototype.query = function breaking(this: pg.Client, ...statement: Parameters<typeof query>) {
    const of: unknown = statement[0];
    const text = typeof of === 'string' ? of : String((of as { text?: string }).text);
    return (!hasBroken && at.test(text) ? broken : query).apply(this, statement);
  } as typeof query;
  return { hasBroken: () => hasBroken };
}

/** Has the next `times` that a connection is asked for end as they do while Postgres is away. */
function breakConnects(times: number): { left: () => number } {
  let left = times;
  pg.Pool.prototype.connect = function breaking(this: pg.Pool, ...callback: Parameters<typeof connect>) {
    if (left === 0 || callback.length > 0) return connect.apply(this, callback);
    left -= 1;
    return Promise.reject(Object.assign(new Error('connect ENOENT'), { code: 'ENOENT' }));
  } as typeof connect;
  return { left: () => left };
}

describe('running jobs', () => {
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  beforeEach(async () => {
    database = await freshDatabase();
  });
  afterEach(async () => {
    pg.Client.prototype.query = query;
    pg.Pool.prototype.connect = connect;
    await database.close();
  });

  const moments: [string, RegExp][] = [
    ['asks for its tasks', /insert into .*_private_tasks/],
    ['reads its tasks', /select id, identifier/],
    ['says that a job is done', /delete from .*_private_jobs/],
    ['says that a job failed', /last_error/],
  ];
  test.each(moments.flatMap(([what, at]) => [false, true].map((isDone) => [what, isDone, at] as const)))(
    'goes on when the connection breaks as it %s (done: %s)',
    async (_, isDone, at) => {
      const logger = createLogger({ service: 'jobs', level: 'silent' });
      const { promise: bothRun, resolve } = Promise.withResolvers<void>();
      let runs = 0;
      const ask = async ({ workspace }: { workspace: string }) => {
        runs += 1;
        if (runs === 2) resolve();
        if (workspace === 'bad') throw new Error('it fails');
      };
      const { db } = database;
      const { hasBroken } = breakAt(at, isDone);
      const jobs = await runJobs({ db, logger, handlers: { 'import-inventory': ask } });
      for (const workspace of ['good', 'bad'])
        await addJob(db.pool, 'import-inventory', { workspace }, { key: workspace });
      await bothRun;
      await jobs.stop();
      expect(hasBroken()).toBe(true);
      const { rows } = await db.pool.query('SELECT key, attempts, locked_at FROM graphile_worker.jobs');
      expect(rows).toEqual([{ key: 'bad', attempts: 1, locked_at: null }]);
    },
  );

  test('does not wait for a database that was never reached', async () => {
    const logger = createLogger({ service: 'jobs', level: 'silent' });
    const db = openDatabase('postgres://127.0.0.1:1/none', { applicationName: 'test' });
    await expect(runJobs({ db, logger, handlers: {} })).rejects.toThrow(/ECONNREFUSED/);
    await db.close();
  });

  test('goes on when Postgres is away as a job ends', async () => {
    const logger = createLogger({ service: 'jobs', level: 'silent' });
    const { promise: run, resolve } = Promise.withResolvers<{ left: () => number }>();
    const { db } = database;
    const ask = async () => {
      resolve(breakConnects(3));
      throw new Error('it fails');
    };
    const jobs = await runJobs({ db, logger, handlers: { 'import-inventory': ask } });
    await addJob(db.pool, 'import-inventory', { workspace: 'bad' }, { key: 'bad' });
    const connects = await run;
    await jobs.stop();
    expect(connects.left()).toBe(0);
    const { rows } = await db.pool.query('SELECT key, attempts, locked_at FROM graphile_worker.jobs');
    expect(rows).toEqual([{ key: 'bad', attempts: 1, locked_at: null }]);
  });
});
