import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shareUnchanged } from './structural-sharing.ts';

const json = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);
/** Beyond JSON: what a careless rule may keep. */
const anything = fc.anything({ maxDepth: 3, withDate: true, withNullPrototype: true, withSparseArray: true });

/** Some parts of `value` replaced, added or taken away, the others shared with it, as rules do. */
function changed(value: unknown, extra: unknown, choose: () => number): unknown {
  if (choose() === 0) return extra;
  if (Array.isArray(value)) {
    const parts = value.map((part) => (choose() < 3 ? changed(part, extra, choose) : part));
    return choose() === 1 ? [...parts, extra] : parts;
  }
  if (typeof value !== 'object' || value === null) return value;
  const parts = Object.entries(value).map(([name, part]) => [name, choose() < 3 ? changed(part, extra, choose) : part]);
  if (choose() === 1) parts.push(['more', extra]);
  return Object.fromEntries(choose() === 2 ? parts.reverse() : parts);
}

test('gives what JSON gives back, and what stood before when that is the same', () => {
  const property = fc.property(json, anything, fc.infiniteStream(fc.nat({ max: 5 })), (before, extra, choices) => {
    const value = changed(before, extra, () => choices.next().value);
    let text: string | undefined;
    try {
      text = JSON.stringify(value);
    } catch {
      // BigInt: nothing that could be kept.
    }
    if (text === undefined) {
      expect(() => shareUnchanged(value, before)).toThrow();
      return;
    }
    const kept = shareUnchanged(value, before);
    expect(JSON.stringify(kept)).toBe(text);
    expect(kept).toEqual(JSON.parse(text));
    expect(kept === before).toBe(text === JSON.stringify(before));
    expect(JSON.stringify(shareUnchanged(value, undefined))).toBe(text);
  });
  fc.assert(property, { numRuns: 2000 });
});

test.each([
  ['undefined fields', { a: 1, b: undefined }, { a: 1 }],
  ['dates', { at: new Date(0) }, { at: '1970-01-01T00:00:00.000Z' }],
  ['what is no number', [Number.NaN, -0], [null, 0]],
  ['a prototype by name', JSON.parse('{"__proto__":{"a":1}}'), JSON.parse('{"__proto__":{"a":1}}')],
])('%s', (_, value, expected) => {
  expect(shareUnchanged(value, undefined)).toStrictEqual(expected);
  expect(shareUnchanged(value, expected)).toBe(expected);
});
