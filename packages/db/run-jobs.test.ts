import { createLogger } from '@tripline/runtime/logger';
import { type FreshDatabase, freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addJob } from './jobs.ts';
import { freeJobsOfTheDead, runJobs } from './run-jobs.ts';

let database: FreshDatabase;
const logger = createLogger({ service: 'test', level: 'silent' });
const until = { timeout: 15_000, interval: 20 };

beforeEach(async () => {
  database = await freshDatabase();
});
afterEach(() => database.close());

const leaveJob = (workspace: string) =>
  addJob(database.db.pool, 'import-inventory', { workspace }, { key: `import:${workspace}` });

test('takes up at once what a dead pool of workers had in its hands', async () => {
  const { db } = database;
  await leaveJob('acme');
  await db.pool.query(
    `UPDATE graphile_worker._private_jobs SET locked_at = now(), locked_by = 'pool-dead', attempts = 1`,
  );
  await db.pool.query(`INSERT INTO job_workers (worker) VALUES ('pool-dead')`);
  const taken: string[] = [];
  const jobs = await runJobs({
    db,
    logger,
    handlers: { 'import-inventory': async ({ workspace }) => void taken.push(workspace) },
  });
  await expect.poll(() => taken, until).toEqual(['acme']);
  await jobs.stop();
});

test('leaves a living pool its jobs, also long ones', async () => {
  const { db } = database;
  const over = Promise.withResolvers<void>();
  let begun = 0;
  const jobs = await runJobs({
    db,
    logger,
    handlers: {
      'import-inventory': () => {
        begun += 1;
        return over.promise;
      },
    },
  });
  await leaveJob('acme');
  await expect.poll(() => begun, until).toBe(1);
  const entered = async () => (await db.pool.query('SELECT FROM job_workers')).rowCount;
  await expect.poll(entered, until).toBe(1);
  expect(await freeJobsOfTheDead(db.pool)).toBe(0);
  const { rows } = await db.pool.query('SELECT locked_by IS NOT NULL AS held FROM graphile_worker._private_jobs');
  expect(rows).toEqual([{ held: true }]);
  over.resolve();
  await jobs.stop();
  // An orderly end leaves nothing behind, and its entry goes with the next look after Postgres has seen the end of its session.
  await expect.poll(() => freeJobsOfTheDead(db.pool), until).toBe(1);
  expect((await db.pool.query('SELECT FROM graphile_worker._private_jobs')).rowCount).toBe(0);
});

test('says of a job that fails which, how often and why, in one line', async () => {
  const { db } = database;
  await leaveJob('acme');
  const lines: string[] = [];
  const jobs = await runJobs({
    db,
    logger: createLogger({ service: 'test', level: 'error' }, { write: (line) => void lines.push(line) }),
    handlers: { 'import-inventory': () => Promise.reject(new Error('GitHub cannot be reached')) },
  });
  await expect.poll(() => lines.length, until).toBe(1);
  await jobs.stop();
  expect(JSON.parse(lines[0]!)).toMatchObject({
    ...{ job: 'import-inventory', attempt: 1 },
    msg: 'job import-inventory failed 1 of 25 times; retrying after a longer pause each time',
    err: { message: 'GitHub cannot be reached' },
  });
});
