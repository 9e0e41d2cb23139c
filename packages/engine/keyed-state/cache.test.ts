import { expect, test } from 'vitest';
import { createCache } from './cache.ts';

test('keeps what is asked for, lets go of the rest, and never holds more than its bound', () => {
  const recent = createCache<number>(100);
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
  const recent = createCache<string>(4);
  recent.set('a', 'old');
  recent.set('b', 'b');
  recent.set('a', 'new');
  expect(recent.get('a')).toBe('new');
});

test('what several share is divided among them, by weight', () => {
  let sharers = 1;
  const recent = createCache<string>(8, { weigh: ({ length }) => length, sharedBy: () => sharers });
  recent.set('a', 'xxx');
  recent.set('b', 'x');
  // Half of eight: the younger generation is full, and is the older from now on.
  recent.set('c', 'xxxx');
  expect([recent.get('a'), recent.get('c')]).toEqual([undefined, 'xxxx']);
  sharers = 4;
  recent.set('d', 'x');
  recent.set('e', 'x');
  expect([recent.get('c'), recent.get('e')]).toEqual([undefined, 'x']);
});

test('says which values it lets go of, but for those that were asked for or set again since', () => {
  const gone: string[] = [];
  const recent = createCache<string>(4, { dropped: (value) => gone.push(value) });
  for (const name of ['a', 'b', 'c']) recent.set(name, `${name}1`);
  recent.get('a');
  expect(gone).toEqual(['b1']);
  recent.set('b', 'b2');
  recent.set('c', 'c2');
  expect(gone).toEqual(['b1', 'a1']);
});
