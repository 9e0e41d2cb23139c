import { expect, it } from 'vitest';
import { plain } from './plain.ts';

it.each([
  ['an escape sequence', 'main\u001b[2K\u001b[1Afine', 'mainfine'],
  ['a line break', 'main\nTripline found nothing', 'main�Tripline found nothing'],
  ['text that runs the other way', 'a\u202eb', 'a�b'],
  ['C1 controls', 'a\u009bb', 'a�b'],
])('takes %s out', (_what, text, shown) => {
  expect(plain(text)).toBe(shown);
});

it('leaves every other text alone', () => {
  expect(plain('Überprüfung 検査 🧷')).toBe('Überprüfung 検査 🧷');
});
