import { expect, test } from 'vitest';
import { createRateLimiter } from './rate-limiter.ts';

function start(options: { intervalMs: number; burst: number }) {
  const clock = { now: 1_000_000, nowMs: () => clock.now, pause: async () => {} };
  return { clock, limiter: createRateLimiter(clock, options) };
}
const times = <T>(count: number, act: () => T) => Array.from({ length: count }, act);

test('lets a burst through, then one in each interval', () => {
  const { clock, limiter } = start({ intervalMs: 1000, burst: 3 });
  expect(times(3, () => limiter.admit())).toEqual([0, 0, 0]);
  expect(times(3, () => limiter.admit())).toEqual([1000, 1000, 1000]);
  clock.now += 1000;
  expect(limiter.availableInMs()).toBe(0);
  expect(limiter.admit()).toBe(0);
  expect(limiter.availableInMs()).toBe(1000);
  clock.now += 60_000;
  expect(times(4, () => limiter.admit() === 0)).toEqual([true, true, true, false]);
});

test('a hold keeps everybody away for as long as was asked', () => {
  const { clock, limiter } = start({ intervalMs: 10, burst: 4 });
  limiter.block(7000);
  expect(limiter.admit()).toBe(7000);
  clock.now += 6999;
  expect(limiter.admit()).toBe(1);
  clock.now += 1;
  expect(limiter.admit()).toBe(0);
});

test('after a hold one tries first, and no burst follows until it has been saved up anew', () => {
  const { clock, limiter } = start({ intervalMs: 10, burst: 4 });
  limiter.block(7000);
  clock.now += 7000;
  expect([limiter.admit(), limiter.admit()]).toEqual([0, 10]);
  clock.now += 10;
  expect([limiter.admit(), limiter.admit()]).toEqual([0, 10]);
  clock.now += 40;
  expect(times(5, () => limiter.admit() === 0)).toEqual([true, true, true, true, false]);
});

test('a hold of no time takes nothing away', () => {
  const { limiter } = start({ intervalMs: 10, burst: 4 });
  limiter.block(0);
  expect(times(4, () => limiter.admit())).toEqual([0, 0, 0, 0]);
});

test('who keeps some of the burst leaves it to news', () => {
  const { clock, limiter } = start({ intervalMs: 1000, burst: 4 });
  const reply = () => limiter.admit({ reserve: 2 });
  expect([reply(), reply()]).toEqual([0, 0]);
  expect(reply()).toBe(1000);
  expect([limiter.admit(), limiter.admit()]).toEqual([0, 0]);
  expect(limiter.admit()).toBe(1000);
  clock.now += 1000;
  expect(reply()).toBe(2000);
  expect(limiter.admit()).toBe(0);
});

test('a clock that is put back holds nobody up for as long as it was ahead', () => {
  const { clock, limiter } = start({ intervalMs: 1000, burst: 1 });
  expect(limiter.admit()).toBe(0);
  clock.now -= 500_000;
  expect(limiter.admit()).toBe(1000);
  limiter.block(7000);
  clock.now -= 100_000;
  expect(limiter.admit()).toBe(7000);
  clock.now += 7000;
  expect(limiter.admit()).toBe(0);
});
