import { expect, test } from 'vitest';
import { createRecent } from './recent.ts';

test('keeps what is asked for, lets go of the rest, and never holds more than its bound', () => {
  const recent = createRecent<number>(100);
  recent.set('wanted', -1);
  for (let n = 0; n < 1000; n += 1) {
    recent.set(`${n}`, n);
    if (n % 20 === 0) expect(recent.get('wanted')).toBe(-1);
  }
  const held = Array.from({ length: 1000 }, (_, n) => recent.get(`${n}`)).filter((value) => value !== undefined);
  expect(held.length).toBeGreaterThan(0);
  expect(held.length).toBeLessThanOrEqual(100);
  expect(recent.get('0')).toBeUndefined();
});

test('a value set again is the newer one, whichever generation held it', () => {
  const recent = createRecent<string>(4);
  recent.set('a', 'old');
  recent.set('b', 'b');
  recent.set('a', 'new');
  expect(recent.get('a')).toBe('new');
});
