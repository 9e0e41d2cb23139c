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

test('hashes as it always has: what earlier batches kept in Postgres must still be known', () => {
  const seen = createSeen();
  const one = { ...event('événement-1'), bodySha256: '0123456789abcdef'.repeat(4) };
  expect(seen.isDuplicate(one, nowMs)).toBe(false);
  const packed = Buffer.from(seen.pack()!).toString('hex');
  const entries = [packed.slice(0, 40), packed.slice(40)].sort();
  expect(entries).toEqual(['59dcf341b9fd0ff41bbcd2e848785daf19830700', '67452301efcdab896745230105404f9219830700']);
});

test('forgets what a batch added that is rolled back, and nothing else', () => {
  const seen = createSeen();
  const ids = Array.from({ length: 3000 }, (_, nth) => `id-${nth}`);
  const later = nowMs + 80 * 3_600_000;
  for (const id of ids.slice(0, 1000)) seen.isDuplicate(event(id), nowMs);
  for (const id of ids.slice(1000, 1500)) seen.isDuplicate(event(id), later);
  seen.commit();
  // Ids of long ago come again, and new ones; the table grows meanwhile.
  for (const id of [...ids.slice(0, 500), ...ids.slice(1500)]) expect(seen.isDuplicate(event(id), later)).toBe(false);
  seen.rollback();
  expect(seen.pack()).toBeNull();
  const known = ids.map((id) => seen.isDuplicate(event(id), later));
  expect(known).toEqual(ids.map((_, nth) => nth >= 1000 && nth < 1500));
});

test.each(['', 'ab'.repeat(33), 'AB'.repeat(32), `${'ab'.repeat(31)}ag`, `${'ab'.repeat(31)}\u0131b`])(
  'refuses %j as a SHA-256',
  (bodySha256) => {
    const seen = createSeen();
    expect(() => seen.isDuplicate({ ...event('one'), bodySha256 }, nowMs)).toThrow('no SHA-256');
    expect(seen.pack()).toBeNull();
  },
);
