import fc from 'fast-check';
import { expect, test } from 'vitest';
import { wrap } from './show.ts';

test('text is laid in lines that fit, with nothing lost but blanks', () => {
  const word = fc.string({ minLength: 1, maxLength: 30, unit: fc.constantFrom('a', 'b', '-', '/') });
  fc.assert(
    fc.property(
      fc.array(word, { maxLength: 20 }),
      fc.integer({ min: 8, max: 80 }),
      fc.integer({ min: 0, max: 6 }),
      (words, width, indent) => {
        const lines = wrap(words.join(' '), width, indent).split('\n');
        for (const [place, line] of lines.entries()) {
          expect(line.length).toBeLessThanOrEqual(width);
          if (place > 0) expect(line.startsWith(' '.repeat(indent))).toBe(true);
        }
        expect(lines.join('').replaceAll(' ', '')).toBe(words.join(''));
      },
    ),
  );
});

test('words stay whole where a line has room for them', () => {
  expect(wrap('one two three four', 9)).toBe('one two\nthree\nfour');
  expect(wrap('one two three four', 10, 2)).toBe('one two\n  three\n  four');
  expect(wrap('abcdefghijkl', 5, 1)).toBe('abcde\n fghi\n jkl');
});
