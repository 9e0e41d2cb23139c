import fc from 'fast-check';
import { expect, test } from 'vitest';
import { contains, isIn, isInAnyCase, overlaps, type TextSet } from './text-set.ts';

const letters = fc.string({ unit: fc.constantFrom('a', 'b', '/'), minLength: 1, maxLength: 4 });
const sets: fc.Arbitrary<TextSet> = fc.array(
  fc.oneof(
    letters,
    letters.map((prefix) => ({ prefix })),
  ),
  { minLength: 1, maxLength: 3 },
);
/** Every text of at most five of these letters: more than any prefix has. */
const all = ['', 'a', 'b', '/']
  .reduce<string[]>(
    (texts) => [...new Set(texts.flatMap((text) => ['', 'a', 'b', '/'].map((letter) => text + letter)))],
    [''],
  )
  .concat();
for (let length = 0; length < 2; length += 1)
  all.push(...all.flatMap((text) => ['a', 'b', '/'].map((letter) => text + letter)));

test('property: containing and overlapping are what they are of the texts themselves', () => {
  fc.assert(
    fc.property(sets, sets, (a, b) => {
      if (contains(a, b)) for (const text of all) if (isIn(b, text)) expect(isIn(a, text)).toBe(true);
      expect(overlaps(a, b)).toBe(overlaps(b, a));
      if (!overlaps(a, b)) for (const text of all) expect(isIn(a, text) && isIn(b, text)).toBe(false);
    }),
    { numRuns: 300 },
  );
});

test('property: what is said not to be contained has a text outside', () => {
  fc.assert(
    fc.property(sets, sets, (a, b) => {
      const probes = b.flatMap((one) => (typeof one === 'string' ? [one] : [one.prefix, `${one.prefix}!`]));
      if (!contains(a, b)) expect(probes.some((text) => !isIn(a, text))).toBe(true);
    }),
  );
});

test('a name in other capitals is the same, and one that only looks so is another', () => {
  expect(isInAnyCase(['Kube-EU'], 'kUbe-eu')).toBe(true);
  expect(isInAnyCase([{ prefix: 'Kube-' }], 'kube-eu')).toBe(true);
  // The sign of Kelvin, of which `toLowerCase` makes a k: whoever may run a workflow makes such an environment, without reviewers.
  expect(isInAnyCase(['kube-eu'], '\u212Aube-eu')).toBe(false);
});
