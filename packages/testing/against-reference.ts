import assert from 'node:assert/strict';
import fc from 'fast-check';
import { z } from 'zod';
import { seeded } from './timeline/any-order.ts';
import { at, type LoggedEventInput, late, permuted, playTimeline, type Timeline } from './timeline/play.ts';

/**
 * Holds what a builder of rules finds against the plainest account of the same, on random logs: in order, doubled, shuffled,
 * restarted after each event, and late. Acts are branches that somebody made: their kind is the branch's name.
 */
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
export const startMs = Date.parse('2026-03-11T00:00:00Z');

export type Act = { kind: 'a' | 'b' | 'c'; by: string; thing: string; minute: number };
export const acts = (most: number, minutes: number) =>
  fc.array(
    fc.record({
      kind: fc.constantFrom('a' as const, 'b' as const, 'c' as const),
      by: fc.constantFrom('ada', 'mallory'),
      thing: fc.constantFrom('acme/x', 'acme/y'),
      minute: fc.integer({ min: 0, max: minutes }),
    }),
    { maxLength: most },
  );
/** `kind` as the name of a branch, `thing` as the repository. */
export const eventOf = ({ kind, by, thing, minute }: Act, place: number): LoggedEventInput =>
  at(
    startMs + minute * minuteMs,
    'dev.cdevents.branch.created',
    {
      ...{ 'user.name': by, 'vcs.repository.name': thing, 'vcs.ref.head.name': kind },
    },
    { id: `act-${String(place).padStart(3, '0')}` },
  );
export type Placed = Act & { id: string };
const placed = (log: readonly Act[]): Placed[] =>
  log
    .map((act, place) => ({ ...act, id: `act-${String(place).padStart(3, '0')}` }))
    .sort((x, y) => x.minute - y.minute || (x.id < y.id ? -1 : 1));

/** What a rule of a test says of itself. */
export const common = {
  ...{ title: 'Synthetic', description: 'For tests.', severity: 'high' as const, principles: [1 as const] },
  ...{ attack: [], owasp: [], falseAlarms: [] },
  on: ['dev.cdevents.branch.created' as const],
  tell: ({ by }: { by: { name: string } }) => `${by.name} did`,
};
/** What it observes: each act, by the thing that it was done to. */
export const sightings = {
  ...common,
  key: (event: { data: object }) => (event.data as unknown as Record<string, string>)['vcs.repository.name'],
  observe: (event: { data: object }) => ({
    kind: (event.data as unknown as Record<string, string>)['vcs.ref.head.name']!,
    data: null,
  }),
  data: z.null(),
};

export const standing = (rule: Timeline['rules'][number], events: LoggedEventInput[], how: Partial<Timeline> = {}) => {
  const played = playTimeline({ rules: [rule], events, untilMs: startMs + 60 * 24 * hourMs, ...how });
  assert.deepEqual(played.poison, []);
  return played.findings
    .filter(({ rule: by }) => by === rule.id)
    .map(({ subject, occasion }) => `${subject} ${occasion}`)
    .sort();
};
export function expectAsReference(
  rule: Timeline['rules'][number],
  log: fc.Arbitrary<Act[]>,
  reference: (log: Placed[]) => string[],
) {
  fc.assert(
    fc.property(log, fc.integer(), (drawn, seed) => {
      const events = drawn.map(eventOf);
      const wanted = reference(placed(drawn)).sort();
      const random = seeded(seed);
      const expectSame = (how: string, other: LoggedEventInput[], more: Partial<Timeline> = {}) =>
        assert.deepEqual(standing(rule, other, more), wanted, how);
      expectSame('in order', events);
      expectSame('doubled', events, { duplicated: true, batchRecords: 3 });
      expectSame('shuffled', permuted(events, random));
      expectSame('restarted', permuted(events, random), { restartAfterEach: true });
      const someLate = late(events, 40 * hourMs, () => random() < 0.3);
      expectSame('late', someLate);
    }),
    { numRuns: 60 },
  );
}
