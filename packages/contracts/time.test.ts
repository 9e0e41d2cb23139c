import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseTime } from './time.ts';

const numbers = (most: number, width: number) =>
  fc.integer({ min: 0, max: most }).map((value) => String(value).padStart(width, '0'));
/** Times, and what is nearly one: days that no month has, leap seconds, 24 o'clock, other zones. */
const nearlyTime = fc
  .tuple(
    fc.constantFrom('2026', '2024', '0000', '1969', '9999', '+002026'),
    numbers(13, 2),
    numbers(32, 2),
    numbers(25, 2),
    numbers(61, 2),
    numbers(61, 2),
    fc.constantFrom('', '.5', '.979', '.97x', '.9795', ',979'),
    fc.constantFrom('Z', 'Z', 'z', '', '+01:00', ' Z'),
  )
  .map(([year, month, of, hour, minute, second, fraction, zone]) => {
    return `${year}-${month}-${of}T${hour}:${minute}:${second}${fraction}${zone}`;
  });
const damaged = fc
  .tuple(nearlyTime, fc.nat(23), fc.string({ minLength: 1, maxLength: 1 }))
  .map(([text, at, instead]) => `${text.slice(0, at)}${instead}${text.slice(at + 1)}`);

test('a time is what Date.parse makes of it, whatever was asked before', () => {
  const texts = fc.array(
    fc.oneof(
      nearlyTime,
      damaged,
      fc.date({ noInvalidDate: true }).map((of) => of.toISOString()),
      fc.string(),
    ),
  );
  fc.assert(
    fc.property(texts, (asked) => {
      // Those of one day come after each other, as in the log.
      for (const text of asked.flatMap((one) => [one, one])) expect(parseTime(text)).toBe(Date.parse(text));
    }),
    { numRuns: 2000, examples: [[['0004-13-09T19:17:12Z', '0009-11-00T18:52:41.979Z', '2026-02-30T10:00:00Z']]] },
  );
});
