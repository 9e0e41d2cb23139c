import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { collapsed, isDenied, mostCharacters, noDenials, readDenials, withSession, writeDenials } from './denials.ts';

const hourMs = 3_600_000;
const startMs = Date.parse('2026-11-28T12:00:00Z');

describe('sessions that a role denies', () => {
  test('are what was added and has not expired, whatever is added, and are read as they were written', () => {
    const step = fc.record({
      session: fc.stringMatching(/^[\w+=,.@-]{2,64}$/),
      livesMs: fc.integer({ min: 1, max: 12 * hourMs }),
      afterMs: fc.integer({ min: 0, max: hourMs }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        let denials = noDenials;
        let nowMs = startMs;
        const ends = new Map<string, number>();
        for (const { session, livesMs, afterMs } of steps) {
          nowMs += afterMs;
          denials = withSession(denials, session, nowMs + livesMs, nowMs);
          ends.set(session, nowMs + livesMs);
          expect(readDenials(writeDenials(denials))).toEqual(denials);
          for (const [name, endMs] of ends) if (endMs > nowMs) expect(isDenied(denials, name, nowMs)).toBe(true);
        }
        // Nothing is kept for longer than a quarter of an hour beyond its end.
        for (const name of denials.sessions.keys()) expect(ends.get(name)! + 15 * 60_000).toBeGreaterThan(nowMs);
      }),
    );
  });

  test('have room for three hundred of a UUID each, and beyond that are all that were given until now', () => {
    let denials = noDenials;
    const name = (nth: number) => `00000000-0000-4000-8000-${String(nth).padStart(12, '0')}`;
    let room = 0;
    while (writeDenials(denials).length <= mostCharacters) {
      denials = withSession(denials, name(room), startMs + (room % 4) * 15 * 60_000 + 1, startMs);
      room += 1;
    }
    expect(room).toBeGreaterThan(220);
    const all = collapsed(denials, startMs);
    expect(writeDenials(all).length).toBeLessThan(300);
    for (let nth = 0; nth < room; nth += 1) expect(isDenied(all, name(nth), startMs)).toBe(true);
    expect(isDenied(all, 'later', startMs + 1000)).toBe(false);
    expect(readDenials(writeDenials(all))).toEqual(all);
    // It is kept until the last of them has expired.
    const then = withSession(all, 'later', startMs + hourMs, startMs + 30 * 60_000);
    expect(isDenied(then, name(0), startMs)).toBe(true);
    const past = withSession(all, 'later', startMs + 2 * hourMs, startMs + hourMs + 15 * 60_000);
    expect(past.all).toBeUndefined();
  });

  test('are not read of a policy that somebody else wrote: it would be written over', () => {
    const own = JSON.parse(writeDenials(withSession(noDenials, 'g-1', startMs + hourMs, startMs)));
    const [statement] = own.Statement;
    for (const other of [
      '',
      '{}',
      'null',
      JSON.stringify({ ...own, Statement: [{ ...statement, Effect: 'Allow' }] }),
      JSON.stringify({ ...own, Statement: [{ ...statement, Sid: 'Ours' }] }),
      JSON.stringify({ ...own, Statement: [statement, { Effect: 'Allow', Action: '*', Resource: '*' }] }),
    ])
      expect(readDenials(other), other).toBeUndefined();
    // IAM writes a list of one as it likes.
    const one = { ...statement, Condition: { StringLike: { 'aws:userid': '*:g-1' } } };
    expect(isDenied(readDenials(JSON.stringify({ ...own, Statement: [one] }))!, 'g-1', startMs)).toBe(true);
  });
});
