import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cursorAfter, windowAt } from './poll-window.ts';
import { refusedByStatus } from './polled.ts';

const nowMs = Date.parse('2026-05-01T12:00:00Z');
const answered = (status: number, headers: Record<string, string> = {}) =>
  refusedByStatus({ status, headers, body: Buffer.alloc(0) }, 'the provider', nowMs);

test('reads what a status asks for: patience, another attempt, or a person', () => {
  expect(answered(429, { 'retry-after': '120' })).toMatchObject({ refused: 'rate-limited', afterMs: 120_000 });
  const date = 'Fri, 01 May 2026 12:05:00 GMT';
  expect(answered(503, { 'retry-after': date })).toMatchObject({ refused: 'rate-limited', afterMs: 300_000 });
  expect(answered(429, { 'retry-after': 'soon' })).not.toHaveProperty('afterMs');
  expect(answered(429)).toMatchObject({ refused: 'rate-limited' });
  for (const status of [408, 500, 502, 503]) expect(answered(status)).toMatchObject({ refused: 'retry' });
  for (const status of [204, 301, 302, 400, 401, 403, 404, 422])
    expect(answered(status)).toMatchObject({ refused: 'give-up' });
});

test('windows overlap, and miss no record that appears late by less than the overlap, whatever times records bear', () => {
  const overlapMs = 900_000;
  const step = fc.record({ passMs: fc.nat(600_000), lateMs: fc.nat(overlapMs), skewMs: fc.nat(10_000_000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let [atMs, cursor] = [nowMs, null as string | null];
      for (const { passMs, lateMs, skewMs } of steps) {
        atMs += passMs;
        const window = windowAt(cursor, nowMs);
        // It happened after the last window was read, and appears only now.
        const happenedMs = Math.max(nowMs, atMs - Math.min(lateMs, overlapMs));
        expect(window.sinceMs).toBeLessThanOrEqual(happenedMs);
        // A record from the future, as a clock that is wrong gives it, moves no window beyond now.
        cursor = cursorAfter(window, { newestMs: atMs + skewMs, next: null, nowMs: atMs, overlapMs });
      }
    }),
  );
});

test('a window stays where it began while its pages are read', () => {
  const begun = windowAt(null, nowMs);
  const second = windowAt(
    cursorAfter(begun, { newestMs: nowMs + 5000, next: 'b', nowMs: nowMs + 9000, overlapMs: 1000 }),
    0,
  );
  expect(second).toEqual({ sinceMs: nowMs, newestMs: nowMs + 5000, page: 'b' });
  const next = windowAt(cursorAfter(second, { next: null, nowMs: nowMs + 9000, overlapMs: 1000 }), 0);
  expect(next).toEqual({ sinceMs: nowMs + 4000, newestMs: nowMs + 5000, page: null });
  expect(() => windowAt('{"sinceMs":1}', nowMs)).toThrow();
});
