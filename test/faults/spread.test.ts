import fc from 'fast-check';
import { expect, test } from 'vitest';
import { spread } from './spread.ts';

/** Of each place so many passings; each point is told by both. */
const planOf = (passings: readonly number[]): string[][] =>
  passings.map((count, place) => Array.from({ length: count }, (_, nth) => `${place}:${nth + 1}`));
const distinct = (points: readonly string[], part: 0 | 1) =>
  new Set(points.map((point) => point.split(':')[part])).size;
const anyPlan = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 60 });

test('so many points, each once, of as many places as there can be: none is taken again before all were', () => {
  fc.assert(
    fc.property(anyPlan, fc.nat({ max: 1300 }), (passings, size) => {
      const points = spread(planOf(passings), size);
      const all = passings.reduce((sum, count) => sum + count, 0);
      expect(new Set(points).size).toBe(points.length);
      expect(points.length).toBe(Math.min(size, all));
      expect(distinct(points, 0)).toBe(Math.min(size, passings.length));
      const taken = passings.map((count, place) => ({
        count,
        times: points.filter((point) => point.startsWith(`${place}:`)).length,
      }));
      const most = Math.max(...taken.map(({ times }) => times));
      expect(taken.filter(({ count, times }) => times < Math.min(count, most - 1))).toEqual([]);
    }),
  );
});

test('few of them are of different passings too', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 20 }),
      fc.nat({ max: 60 }),
      (places, most, size) => {
        const points = spread(planOf(Array.from({ length: places }, () => most)), size);
        expect(distinct(points, 1)).toBeGreaterThanOrEqual(Math.min(size, places, most));
      },
    ),
  );
});

test('of no place there is nothing', () => {
  expect(spread([], 6)).toEqual([]);
});
