import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createTailCache } from './tail-cache.ts';

const record = (offset: number, bytes = 1) => ({
  topic: 't',
  key: `k${offset}`,
  headers: { nth: String(offset) },
  value: Buffer.alloc(bytes),
});

test('gives what follows the reader without a gap, or nothing', () => {
  const step = fc.oneof(
    fc.record({ append: fc.integer({ min: 1, max: 5 }), here: fc.boolean() }),
    fc.record({ take: fc.integer({ min: 1, max: 4 }) }),
    fc.constant({ readsElsewhere: true }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const tail = createTailCache('t', 3);
      let end = 0;
      let next = 0;
      for (const one of steps) {
        if ('append' in one) {
          for (let nth = 0; nth < one.append; nth += 1) {
            if (one.here) tail.add(record(end), end, 1000 + end);
            end += 1;
          }
        } else if ('take' in one) {
          const taken = tail.take(next, one.take);
          expect(taken.length).toBeLessThanOrEqual(one.take);
          for (const { offset, key, partition, appendedAtMs, headers } of taken) {
            expect({ offset, key, partition, appendedAtMs, headers }).toEqual({
              ...{ offset: next, key: `k${next}`, partition: 3, appendedAtMs: 1000 + next },
              headers: { nth: String(next) },
            });
            next += 1;
          }
        } else next = end;
      }
    }),
  );
});

test('serves a reader that keeps up, and holds no more than that for one that does not', () => {
  const tail = createTailCache('t', 0);
  for (let offset = 0; offset < 2000; offset += 1) tail.add(record(offset), offset, 0);
  expect(tail.take(0, 3).map(({ offset }) => offset)).toEqual([0, 1, 2]);
  for (let offset = 2000; offset < 2005; offset += 1) tail.add(record(offset), offset, 0);
  expect(tail.take(3, 1)).toEqual([]);
  expect(tail.take(2003, 10).map(({ offset }) => offset)).toEqual([2003, 2004]);
  const large = createTailCache('t', 0);
  for (let offset = 0; offset < 6; offset += 1) large.add(record(offset, 1024 * 1024), offset, 0);
  expect(large.take(0, 1)).toEqual([]);
  expect(large.take(4, 9)).toHaveLength(2);
});

test('gives a key as the log keeps it', () => {
  const tail = createTailCache('t', 0);
  tail.add({ ...record(0), key: 'half \ud800' }, 0, 0);
  expect(tail.take(0, 1)[0]!.key).toBe(Buffer.from('half \ud800').toString());
});
