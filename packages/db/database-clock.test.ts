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

const answeringBy = (query: () => Promise<unknown>, waited = () => {}) =>
  ({
    pool: {
      async connect() {
        waited();
        return { query, release() {} };
      },
    },
  }) as never;

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
  const clock = await openDatabaseClock(answeringBy(query), systemClock, () => timerMs);
  expect(clock.nowMs()).toBe(1_000_000);
  answer = () => Promise.reject(new Error('away'));
  timerMs = 30_005;
  expect(clock.nowMs()).toBe(1_030_000);
  await new Promise(setImmediate);
  expect(asked).toBe(2);
  answer = async () => ({ rows: [{ ms: 1_700_000 }] });
  timerMs = 40_005;
  expect(clock.nowMs()).toBe(1_040_000);
  await new Promise(setImmediate);
  expect(asked).toBe(3);
  expect(clock.nowMs()).toBe(1_700_000);
});

test('a database that says nothing at the start is an error', async () => {
  const query = () => Promise.reject(new Error('away'));
  await expect(openDatabaseClock(answeringBy(query), systemClock)).rejects.toThrow('away');
});

test('whoever keeps all connections, or has the answer come late, does not move it', async () => {
  let [timerMs, waitsMs, answersMs] = [0, 0, 0];
  const query = async () => {
    const rows = [{ ms: 1_000_000 + timerMs }];
    timerMs += answersMs;
    return { rows };
  };
  const wait = () => {
    timerMs += waitsMs;
  };
  const clock = await openDatabaseClock(answeringBy(query, wait), systemClock, () => timerMs);
  for (const [waits, answers] of [
    [60_000, 0],
    [0, 60_000],
  ] as const) {
    [waitsMs, answersMs] = [waits, answers];
    timerMs += 10_000;
    clock.nowMs();
    await new Promise(setImmediate);
    [waitsMs, answersMs] = [0, 0];
    expect(clock.nowMs()).toBe(1_000_000 + timerMs);
  }
});
