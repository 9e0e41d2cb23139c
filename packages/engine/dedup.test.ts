import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { createDedup } from './dedup.ts';

const nowMs = Date.parse('2026-03-01T00:00:00Z');
const event = (id: string) => ({ source: '//github.com/acme', id, type: 'dev.cdevents.branch.created' });

test('takes in exactly the bytes that it is given, wherever in a larger buffer they lie', () => {
  const one = createDedup();
  const other = createDedup();
  expect(one.classify(event('one'), nowMs)).toBe('new');
  expect(other.classify(event('other'), nowMs)).toBe('new');
  const around = Buffer.concat([Buffer.from([7]), other.pack()!, one.pack()!, other.pack()!]);
  const dedup = createDedup();
  dedup.load(around.subarray(21, 41));
  expect(dedup.entries()).toBe(1);
  expect(dedup.classify(event('one'), nowMs)).toBe('duplicate');
  expect(dedup.classify(event('other'), nowMs)).toBe('new');
});

test('hashes as it always has: what earlier batches kept in Postgres must still be known', () => {
  const dedup = createDedup();
  const one = { ...event('événement-1'), bodySha256: '0123456789abcdef'.repeat(4) };
  expect(dedup.classify(one, nowMs)).toBe('new');
  const packed = Buffer.from(dedup.pack()!).toString('hex');
  const entries = [packed.slice(0, 40), packed.slice(40)].sort();
  expect(entries).toEqual(['59dcf341b9fd0ff41bbcd2e848785daf19830700', '67452301efcdab896745230105404f9219830700']);
});

test('forgets what a batch added that is rolled back, and nothing else', () => {
  const dedup = createDedup();
  const ids = Array.from({ length: 3000 }, (_, nth) => `id-${nth}`);
  const later = nowMs + 80 * 3_600_000;
  for (const id of ids.slice(0, 1000)) dedup.classify(event(id), nowMs);
  for (const id of ids.slice(1000, 1500)) dedup.classify(event(id), later);
  dedup.commit();
  // Ids of long ago come again, and new ones; the table grows meanwhile.
  for (const id of [...ids.slice(0, 500), ...ids.slice(1500)]) expect(dedup.classify(event(id), later)).toBe('new');
  dedup.rollback();
  expect(dedup.pack()).toBeNull();
  const known = ids.map((id) => dedup.classify(event(id), later) === 'duplicate');
  expect(known).toEqual(ids.map((_, nth) => nth >= 1000 && nth < 1500));
});

test('knows a delivery by its id alone, and a repeated body by its type too', () => {
  const bodySha256 = 'ab'.repeat(32);
  const told = (id: string, more: object = {}) => ({ ...event(id), bodySha256, ...more });
  const dedup = createDedup();
  expect(dedup.classify(told('one'), nowMs)).toBe('new');
  expect(dedup.classify(told('one'), nowMs)).toBe('duplicate');
  expect(dedup.classify(told('two'), nowMs)).toBe('repeated');
  expect(dedup.classify(told('two'), nowMs)).toBe('duplicate');
  expect(dedup.classify(told('three', { type: 'dev.cdevents.branch.deleted' }), nowMs)).toBe('new');
  expect(dedup.classify(told('one', { source: '//github.com/other' }), nowMs)).toBe('repeated');
  // Each time that a body is received counts, not only the first.
  const hour = 3_600_000;
  expect(dedup.classify(told('four'), nowMs + 70 * hour)).toBe('repeated');
  expect(dedup.classify(told('five'), nowMs + 140 * hour)).toBe('repeated');
  expect(dedup.classify(told('six'), nowMs + 213 * hour)).toBe('new');
});

test('forgets with a batch that is rolled back that a body was received in it', () => {
  const bodySha256 = 'cd'.repeat(32);
  const dedup = createDedup();
  const hour = 3_600_000;
  dedup.classify({ ...event('one'), bodySha256 }, nowMs);
  dedup.commit();
  expect(dedup.classify({ ...event('two'), bodySha256 }, nowMs + 60 * hour)).toBe('repeated');
  dedup.rollback();
  expect(dedup.classify({ ...event('two'), bodySha256 }, nowMs + 60 * hour)).toBe('repeated');
  dedup.rollback();
  expect(dedup.classify({ ...event('two'), bodySha256 }, nowMs + 80 * hour)).toBe('new');
});

test.each(['', 'ab'.repeat(33), 'AB'.repeat(32), `${'ab'.repeat(31)}ag`, `${'ab'.repeat(31)}\u0131b`])(
  'refuses %j as a SHA-256',
  (bodySha256) => {
    const dedup = createDedup();
    expect(() => dedup.classify({ ...event('one'), bodySha256 }, nowMs)).toThrow('no SHA-256');
    expect(dedup.pack()).toBeNull();
  },
);

test('knows each id and each body of many, where the two of an event fall on one place too', () => {
  const dedup = createDedup();
  const sha256Of = (nth: number) => createHash('sha256').update(`body ${nth}`).digest('hex');
  const told = Array.from({ length: 6000 }, (_, nth) => ({ ...event(`id-${nth}`), bodySha256: sha256Of(nth) }));
  for (const one of told) expect(dedup.classify(one, nowMs)).toBe('new');
  dedup.commit();
  expect(dedup.entries()).toBe(12_000);
  for (const one of told) expect(dedup.classify(one, nowMs)).toBe('duplicate');
  expect(dedup.pack()).toBeNull();
  for (const one of told) expect(dedup.classify({ ...one, id: `${one.id}-again` }, nowMs)).toBe('repeated');
});
