import { createLogger } from '@tripline/runtime/logger';
import { type FreshDatabase, freshDatabase } from '@tripline/testing/postgres/postgres';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addToQueue, adoptFormerJobs, type Claimant, claimDue, extendClaims, finish, giveBack } from './queue.ts';
import { workQueue } from './work-queue.ts';

let database: FreshDatabase;
const logger = createLogger({ service: 'test', level: 'silent' });
const until = { timeout: 20_000, interval: 20 };

beforeEach(async () => {
  database = await freshDatabase();
});
afterEach(() => database.close());

const claimant = (name: string, forMs = 60_000): Claimant => ({
  ...{ purpose: 'notify', forMs },
  by: `00000000-0000-4000-8000-${name.padStart(12, '0')}`,
});
const add = (item: string, afterMs = 0) => addToQueue(database.db.pool, 'notify', item, afterMs);
const claim = async (of: Claimant, limit = 10) => (await claimDue(database.db.pool, of, limit)).map(({ item }) => item);
const rows = async () =>
  (await database.db.pool.query('SELECT item FROM queue ORDER BY item')).rows.map(({ item }) => item);

test('what waits longest comes first, nobody else gets what is claimed, and a purpose knows nothing of another', async () => {
  for (const item of ['c', 'a', 'b']) await add(item);
  await addToQueue(database.db.pool, 'remediate', 'other');
  expect(await claim(claimant('1'), 2)).toEqual(['c', 'a']);
  expect(await claim(claimant('2'))).toEqual(['b']);
  expect(await claim(claimant('3'))).toEqual([]);
});

test('what is asked for while it is worked on is worked on once more, and what waits is never put off', async () => {
  const { pool } = database.db;
  await add('a');
  await add('a', 60_000);
  expect(await claim(claimant('1'))).toEqual(['a']);
  await add('a', 3_600_000);
  await add('a');
  // In no two hands at once.
  expect(await claim(claimant('2'))).toEqual([]);
  expect(await finish(pool, claimant('1'), 'a')).toBe(true);
  expect(await claim(claimant('2'))).toEqual(['a']);
  expect(await finish(pool, claimant('2'), 'a')).toBe(false);
  expect(await rows()).toEqual([]);
});

test('a dead worker’s claim runs out, and then it can neither finish nor give back what another has', async () => {
  const { pool } = database.db;
  await add('a');
  await claim(claimant('1', 0));
  expect(await claim(claimant('2'))).toEqual(['a']);
  expect(await finish(pool, claimant('1'), 'a')).toBe(false);
  await giveBack(pool, claimant('1'), 'a', { failure: 'late', afterMs: 0 });
  expect(await rows()).toEqual(['a']);
  expect(await claim(claimant('3'))).toEqual([]);
  expect(await finish(pool, claimant('2'), 'a')).toBe(false);
  expect(await rows()).toEqual([]);
});

test('whatever happens in whatever order, what was asked for is done after it was asked for', async () => {
  const { pool } = database.db;
  const step = fc.constantFrom('add', 'claim', 'finish', 'fail', 'die');
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      await pool.query('DELETE FROM queue');
      let worker = 0;
      let holds = false;
      /** Asked for, and nobody has begun since. */
      let isOwed = false;
      for (const one of steps) {
        if (one === 'add') {
          await add('a');
          isOwed = true;
        } else if (one === 'claim') {
          const next = claimant(String(worker + 1));
          if ((await claim(next)).length === 0) continue;
          worker += 1;
          holds = true;
          isOwed = false;
        } else if (holds) {
          const own = claimant(String(worker));
          if (one === 'finish') await finish(pool, own, 'a');
          else {
            if (one === 'fail') await giveBack(pool, own, 'a', { failure: 'no way', afterMs: 0 });
            else await pool.query('UPDATE queue SET due_at = clock_timestamp()');
            isOwed = true;
          }
          holds = false;
        }
        const waits = (await rows()).length === 1;
        expect(waits).toBe(isOwed || holds);
      }
    }),
    { numRuns: 60 },
  );
});

test('a worker does all that is queued, as many at once as it may, and is rung by NOTIFY', async () => {
  const { db } = database;
  const done: string[] = [];
  let atOnce = 0;
  let most = 0;
  const handle = async (item: string) => {
    atOnce += 1;
    most = Math.max(most, atOnce);
    await new Promise((resolve) => setImmediate(resolve));
    atOnce -= 1;
    done.push(item);
  };
  const worker = await workQueue({ db, logger, purpose: 'notify', concurrency: 3, handle });
  const items = Array.from({ length: 20 }, (_, nth) => `i${String(nth).padStart(2, '0')}`);
  await db.pool.query(`INSERT INTO queue (purpose, item) SELECT 'notify', unnest($1::text[])`, [items]);
  const beganMs = performance.now();
  await expect.poll(() => done.length, until).toBe(20);
  // A hand that is free takes the next at once: by polling alone it would be seven seconds.
  expect(performance.now() - beganMs).toBeLessThan(5000);
  await worker.stop();
  expect([...done].sort()).toEqual(items);
  expect(most).toBeLessThanOrEqual(3);
  expect(await rows()).toEqual([]);
});

test('a worker whose own claims ran out begins nothing a second time that it has in hand', async () => {
  const { db } = database;
  const over = Promise.withResolvers<void>();
  const begun: string[] = [];
  const worker = await workQueue({
    ...{ db, logger, purpose: 'notify', concurrency: 3 },
    async handle(item) {
      begun.push(item);
      if (item === 'a') await over.promise;
    },
  });
  await add('a');
  await expect.poll(() => begun, until).toEqual(['a']);
  // As after a standstill of Postgres, in which nothing could be extended.
  await db.pool.query('UPDATE queue SET due_at = clock_timestamp()');
  await add('b');
  await expect.poll(() => begun.includes('b'), until).toBe(true);
  expect(begun).toEqual(['a', 'b']);
  over.resolve();
  await worker.stop();
  expect(await rows()).toEqual([]);
});

test('a thing whose end could not be noted is due again when its claim runs out, however busy its worker is', async () => {
  const { pool } = database.db;
  await add('a');
  await add('b');
  expect(await claim(claimant('1', 0))).toEqual(['a', 'b']);
  await extendClaims(pool, claimant('1'), ['b']);
  expect(await claim(claimant('2'))).toEqual(['a']);
});

test('what fails is tried again, what it said stands in the table without a secret, and stop waits for what is in hand', async () => {
  const { db } = database;
  await add('a');
  let times = 0;
  const over = Promise.withResolvers<void>();
  const worker = await workQueue({
    ...{ db, logger, purpose: 'notify', concurrency: 2 },
    async handle() {
      times += 1;
      if (times === 1) throw new Error('answered with Bearer ghp_0123456789abcdef0123456789abcdef0123');
      await over.promise;
    },
  });
  const failure = async () => (await db.pool.query('SELECT failures, failure FROM queue')).rows[0];
  await expect.poll(failure, until).toMatchObject({ failures: 1 });
  expect(JSON.stringify(await failure())).not.toContain('ghp_');
  await expect.poll(() => times, until).toBe(2);
  const stopping = worker.stop();
  expect(await rows()).toEqual(['a']);
  over.resolve();
  await stopping;
  expect(await rows()).toEqual([]);
});

test('jobs of the former version are taken over, a dead worker’s too, and not those that one works on', async () => {
  const { pool } = database.db;
  const job = (incident: string) =>
    pool.query(
      `SELECT graphile_worker.add_job('notify', json_build_object('incident', $1::text), job_key := 'notify:' || $1)`,
      [incident],
    );
  for (const incident of ['INC-1', 'INC-2', 'INC-3']) await job(incident);
  await pool.query(`INSERT INTO job_workers (worker) VALUES ('pool-dead')`);
  const lock = `UPDATE graphile_worker._private_jobs SET locked_at = now(), locked_by = $2 WHERE key = $1`;
  await pool.query(lock, ['notify:INC-2', 'pool-dead']);
  await pool.query(lock, ['notify:INC-3', 'pool-alive']);
  await add('INC-1', 60_000);
  const notifier = database.as('notifier').pool;
  expect(await adoptFormerJobs(notifier, 'notify')).toBe(2);
  expect(await adoptFormerJobs(notifier, 'notify')).toBe(0);
  expect(await claim(claimant('1'))).toEqual(['INC-1', 'INC-2']);
  expect((await pool.query('SELECT key FROM graphile_worker.jobs')).rows).toEqual([{ key: 'notify:INC-3' }]);
});
