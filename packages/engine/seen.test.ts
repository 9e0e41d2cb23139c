import { expect, test } from 'vitest';
import { createSeen } from './seen.ts';

const nowMs = Date.parse('2026-03-01T00:00:00Z');
const event = (id: string) => ({ source: '//github.com/acme', id, type: 'dev.cdevents.branch.created' });

test('takes in exactly the bytes that it is given, wherever in a larger buffer they lie', () => {
  const one = createSeen();
  const other = createSeen();
  expect(one.isDuplicate(event('one'), nowMs)).toBe(false);
  expect(other.isDuplicate(event('other'), nowMs)).toBe(false);
  const around = Buffer.concat([Buffer.from([7]), other.pack()!, one.pack()!, other.pack()!]);
  const seen = createSeen();
  seen.load(around.subarray(21, 41));
  expect(seen.entries()).toBe(1);
  expect(seen.isDuplicate(event('one'), nowMs)).toBe(true);
  expect(seen.isDuplicate(event('other'), nowMs)).toBe(false);
});
