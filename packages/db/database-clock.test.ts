import { systemClock } from '@tripline/runtime/clock';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabaseClock } from './database-clock.ts';

let fresh: Awaited<ReturnType<typeof freshDatabase>>;
beforeAll(async () => {
  fresh = await freshDatabase();
});
afterAll(() => fresh.close());

const databaseMs = async () =>
  Number((await fresh.db.pool.query('SELECT extract(epoch FROM clock_timestamp()) * 1000 AS ms')).rows[0].ms);

test('says what the database says, whatever the machine’s own clock shows', async () => {
  // Nothing of it asks the machine's clock: this timer began at some other time.
  const clock = await openDatabaseClock(fresh.db, systemClock, () => performance.now() + 600_000);
  const [before, now, after] = [await databaseMs(), clock.nowMs(), await databaseMs()];
  expect(now).toBeGreaterThanOrEqual(before - 1000);
  expect(now).toBeLessThanOrEqual(after + 1000);
});

test('goes on while the database is away, and asks it again once it is there', async () => {
  let answer: () => Promise<{ rows: { ms: number }[] }> = async () => ({ rows: [{ ms: 1_000_000 }] });
  let asked = 0;
  const query = () => {
    asked += 1;
    return answer();
  };
  let timerMs = 5;
  const clock = await openDatabaseClock({ pool: { query } } as never, systemClock, () => timerMs);
  expect(clock.nowMs()).toBe(1_000_000);
  answer = () => Promise.reject(new Error('away'));
  timerMs = 30_005;
  expect(clock.nowMs()).toBe(1_030_000);
  expect(asked).toBe(2);
  answer = async () => ({ rows: [{ ms: 1_700_000 }] });
  timerMs = 40_005;
  expect(clock.nowMs()).toBe(1_040_000);
  await Promise.resolve();
  expect(asked).toBe(3);
  await new Promise(setImmediate);
  expect(clock.nowMs()).toBe(1_700_000);
});

test('a database that says nothing at the start is an error', async () => {
  const query = () => Promise.reject(new Error('away'));
  await expect(openDatabaseClock({ pool: { query } } as never, systemClock)).rejects.toThrow('away');
});
