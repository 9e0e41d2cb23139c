import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hourOf, silentSinceMs } from './usual-rate.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** A Monday. */
const mondayMs = Date.parse('2026-05-04T00:00:00Z');
const isOfWork = (ms: number) => {
  const time = new Date(ms);
  return time.getUTCDay() % 6 !== 0 && time.getUTCHours() >= 8 && time.getUTCHours() < 18;
};
/** Five weeks of work before `untilMs`, so many events an hour, but for the days that are off. */
function weeksBefore(untilMs: number, { anHour = 30, off = [] as number[] } = {}): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let ms = untilMs - 35 * dayMs; ms < untilMs; ms += hourMs)
    if (isOfWork(ms) && !off.includes(Math.floor(ms / dayMs))) counts[hourOf(ms)] = anHour;
  return counts;
}
const begunMs = mondayMs - 35 * dayMs;

test('hours of work without any event are a silence; nights and weekends are none', () => {
  const counts = weeksBefore(mondayMs + 10 * hourMs);
  const lastMs = mondayMs + 9.9 * hourMs;
  const at = (hour: number) => silentSinceMs(counts, { begunMs, lastMs, nowMs: mondayMs + hour * hourMs });
  expect(at(11)).toBeUndefined();
  expect(at(13)).toBe(lastMs);
  const friday = mondayMs - 3 * dayMs;
  for (let hour = 18; hour < 3 * 24 + 8; hour += 1) {
    const quiet = { begunMs, lastMs: friday + 17.9 * hourMs, nowMs: friday + hour * hourMs };
    expect(silentSinceMs(counts, quiet), String(hour)).toBeUndefined();
  }
});

test('a holiday a month before hides nothing, and three weeks must be known', () => {
  const off = [Math.floor((mondayMs - 14 * dayMs) / dayMs)];
  const silent = { lastMs: mondayMs + 8.5 * hourMs, nowMs: mondayMs + 13 * hourMs };
  const counts = weeksBefore(mondayMs + 8 * hourMs, { off });
  expect(silentSinceMs(counts, { begunMs, ...silent })).toBe(silent.lastMs);
  expect(silentSinceMs(counts, { begunMs: mondayMs - 20 * dayMs, ...silent })).toBeUndefined();
});

test('nothing is silent that has told within two hours, or never tells twenty events in as long', () => {
  const week = fc.record({ anHour: fc.nat(100), quiet: fc.integer({ min: 0, max: 200 }) });
  fc.assert(
    fc.property(week, ({ anHour, quiet }) => {
      const counts = weeksBefore(mondayMs, { anHour });
      const nowMs = mondayMs + quiet * hourMs;
      const since = silentSinceMs(counts, { begunMs, lastMs: mondayMs, nowMs });
      if (quiet < 3 || anHour === 0) expect(since).toBeUndefined();
      if (anHour > 0 && anHour * 10 < 20 && quiet <= 18) expect(since).toBeUndefined();
    }),
  );
});
