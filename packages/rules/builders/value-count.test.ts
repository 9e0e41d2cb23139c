import { seeded } from '@tripline/testing/timeline/any-order';
import { at, type LoggedEventInput, late, permuted, playTimeline } from '@tripline/testing/timeline/play';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Usual } from './habits.ts';
import { actorOf, repositoryOf } from './seen.ts';
import { valueCount } from './value-count.ts';

/** Three repositories by one person within an hour. */
const ruleOf = (usual?: Usual) =>
  valueCount({
    ...(usual && { usual }),
    ...{
      id: 'three',
      title: 'Three',
      description: 'Three of them.',
      severity: 'high',
      principles: [1],
      attack: [],
      owasp: [],
      falseAlarms: [],
    },
    on: ['dev.cdeventsx.tripline-repository.read'],
    by: actorOf,
    value: repositoryOf,
    tell: ({ by, value }) => `${by.name} read ${value.name}`,
    atLeast: () => 3,
    withinMs: () => windowMs,
    found: (who, values) => ({ subject: who.name, title: `${values.length} values`, summary: '' }),
  });
const rule = ruleOf();
const windowMs = 3_600_000;
const startMs = Date.parse('2026-03-11T22:00:00Z');

type Read = { who: string; value: string; ms: number };
const eventOf = ({ who, value, ms }: Read, place: number): LoggedEventInput =>
  at(
    startMs + ms,
    'dev.cdeventsx.tripline-repository.read',
    { 'user.name': who, 'vcs.repository.name': value },
    { id: `read-${place}` },
  );

/** By the definition: for each event, what was read in the hour that ends with it. */
function reference(reads: readonly Read[]): string[] {
  const found = new Set<string>();
  for (const end of reads) {
    const inside = reads.filter(({ who, ms }) => who === end.who && ms > end.ms - windowMs && ms <= end.ms);
    if (new Set(inside.map(({ value }) => value)).size < 3) continue;
    const stretchMs = Math.floor((startMs + end.ms) / windowMs) * windowMs;
    found.add(`${end.who} ${new Date(stretchMs).toISOString().slice(0, 13)}`);
  }
  return [...found].sort();
}
const standing = (events: LoggedEventInput[], how: object = {}) =>
  playTimeline({ rules: [rule], events, untilMs: startMs + 30 * 86_400_000, ...how })
    .findings.map(({ subject, occasion }) => `${subject} ${occasion}`)
    .sort();

const reads = fc.array(
  fc.record({
    who: fc.constantFrom('ada', 'mallory'),
    value: fc.constantFrom('acme/a', 'acme/b', 'acme/c', 'acme/d', 'acme/e', 'acme/f'),
    // In minutes, so that windows touch stretches and hours from both sides.
    ms: fc.integer({ min: 0, max: 400 }).map((minute) => minute * 60_000),
  }),
  { maxLength: 30 },
);

test('it finds what counting by the definition finds, on any log, in any order, doubled, late, restarted', () => {
  fc.assert(
    fc.property(reads, fc.integer(), (log, seed) => {
      const events = log.map(eventOf);
      const wanted = reference(log);
      const random = seeded(seed);
      expect(standing(events)).toEqual(wanted);
      expect(standing(events, { duplicated: true, batchRecords: 3 })).toEqual(wanted);
      expect(standing(permuted(events, random))).toEqual(wanted);
      expect(standing(permuted(events, random), { restartAfterEach: true })).toEqual(wanted);
      expect(standing(late(events, 40 * 3_600_000, () => random() < 0.3))).toEqual(wanted);
    }),
    { numRuns: 150 },
  );
});

test('with habits it finds no more, and silences nobody of whom it never told', () => {
  const habitual = ruleOf({ habit: (event) => ({ of: actorOf(event).id }), forgetMs: 40 * 86_400_000 });
  fc.assert(
    fc.property(reads, fc.boolean(), (log, restartAfterEach) => {
      const events = log.toSorted((a, b) => a.ms - b.ms).map(eventOf);
      const [all, told] = [
        standing(events),
        standing(events, { rules: [habitual], settings: { three: { learnMs: 0 } }, restartAfterEach }),
      ];
      expect(all).toEqual(expect.arrayContaining(told));
      const firsts = (of: string[]) => ['ada', 'mallory'].map((who) => of.find((one) => one.startsWith(who)));
      expect(firsts(told)).toEqual(firsts(all));
    }),
    { numRuns: 150 },
  );
});

test('noise pushes nothing out, and what is kept stays as small as what decides', () => {
  const noise = Array.from({ length: 500 }, (_, nth) =>
    eventOf({ who: 'mallory', value: `acme/a`, ms: nth * 100 }, nth),
  );
  const reads = ['acme/b', 'acme/c'].map((value, nth) =>
    eventOf({ who: 'mallory', value, ms: 70_000 + nth }, 1000 + nth),
  );
  const played = playTimeline({ rules: [rule], events: [...noise, ...reads], untilMs: startMs + 86_400_000 });
  expect(played.findings.map(({ title }) => title)).toEqual(['3 values']);
  expect(played.findings[0]!.evidence).toHaveLength(3);
  const alone = playTimeline({
    rules: [rule],
    events: [noise[0]!, noise.at(-1)!, ...reads],
    untilMs: startMs + 86_400_000,
  });
  expect(played.rows.state).toBe(alone.rows.state);
});
