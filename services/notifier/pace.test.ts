import { expect, test } from 'vitest';
import { createPace } from './pace.ts';

function start(options: { intervalMs: number; burst: number }) {
  const clock = { now: 1_000_000, nowMs: () => clock.now, pause: async () => {} };
  return { clock, pace: createPace(clock, options) };
}

test('lets a burst through, then one in each interval', () => {
  const { clock, pace } = start({ intervalMs: 1000, burst: 3 });
  expect(['a', 'b', 'c'].map((who) => pace.admit(who))).toEqual([0, 0, 0]);
  expect(['d', 'e', 'f'].map((who) => pace.admit(who))).toEqual([1000, 2000, 3000]);
  clock.now += 1000;
  expect(pace.admit('d')).toBe(0);
  expect(pace.admit('d')).toBeGreaterThan(0);
  clock.now += 60_000;
  expect(['g', 'h', 'i', 'j'].map((who) => pace.admit(who) === 0)).toEqual([true, true, true, false]);
});

test('who waits and never comes holds nobody up', () => {
  const { clock, pace } = start({ intervalMs: 1000, burst: 1 });
  pace.admit('a');
  for (let nth = 0; nth < 300; nth += 1) expect(pace.admit(`gone-${nth}`)).toBeLessThanOrEqual(21_000);
  clock.now += 1000;
  expect(pace.admit('late')).toBe(0);
  expect(pace.admit('digest', { first: true })).toBe(1000);
});

test('a hold keeps everybody away for as long as was asked', () => {
  const { clock, pace } = start({ intervalMs: 10, burst: 4 });
  pace.hold(7000);
  expect(pace.admit('a')).toBe(7000);
  clock.now += 6999;
  expect(pace.admit('a')).toBeGreaterThan(0);
  clock.now += 1;
  expect(pace.admit('a')).toBe(0);
});

test('who keeps some of the burst leaves it to news, and waits behind it', () => {
  const { clock, pace } = start({ intervalMs: 1000, burst: 4 });
  const reply = (who: string) => pace.admit(who, { keep: 2 });
  expect([reply('a'), reply('b')]).toEqual([0, 0]);
  expect(reply('c')).toBe(1000);
  expect([pace.admit('new'), pace.admit('newer')]).toEqual([0, 0]);
  // The burst is spent: news waits for its own place alone.
  expect(pace.admit('newest')).toBe(1000);
  clock.now += 1000;
  expect(pace.admit('newest')).toBe(0);
  expect(reply('c')).toBeGreaterThan(1000);
});
