import type { Observed } from '@tripline/contracts/fact';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Bound, keepBounded, manyAuthors, observedBy } from './bounds.ts';

type Push = Observed & { by: string };
const push = (minute: number, by: string, eventId = `${by}-${minute}`): Push => ({
  eventId,
  eventType: 'dev.cdevents.change.merged',
  time: new Date(minute * 60_000).toISOString(),
  trust: 'high',
  by,
});
const bound: Bound<Push> = { kind: 'pushes', authorOf: ({ by }) => by, mostPerAuthor: 3, most: 5 };

function learnAll(pushes: readonly Push[], pinned: ReadonlySet<string> = new Set()) {
  const flooded = new Set<string>();
  const at = { pinned, flooded: (kind: string, author: string) => flooded.add(`${kind} ${author}`) };
  const kept = pushes.reduce<readonly Push[]>((known, added) => keepBounded(known, added, bound, at), []);
  return { kept: kept.map(({ eventId }) => eventId), flooded: [...flooded].sort() };
}

const pushes = fc.uniqueArray(
  fc.record({ minute: fc.integer({ min: 0, max: 20 }), by: fc.constantFrom('ada', 'bob', 'eve') }),
  { maxLength: 25, selector: ({ minute, by }) => `${by}-${minute}` },
);

describe('keepBounded', () => {
  test('keeps the same whatever the order of arrival, however often an observation comes', () => {
    fc.assert(
      fc.property(pushes, fc.infiniteStream(fc.integer({ min: 0, max: 1000 })), (drawn, ranks) => {
        const all = drawn.map(({ minute, by }) => push(minute, by));
        const shuffled = all
          .map((one) => ({ one, rank: ranks.next().value as number }))
          .sort((a, b) => a.rank - b.rank)
          .map(({ one }) => one);
        const first = learnAll(all);
        expect(learnAll([...shuffled, ...shuffled]).kept).toEqual(first.kept);
        expect(first.kept.length).toBeLessThanOrEqual(5);
      }),
    );
  });

  test('what one author does pushes out nothing of another', () => {
    const honest = push(1, 'ada');
    const flood = Array.from({ length: 50 }, (_, nth) => push(10 + nth, 'eve'));
    const { kept, flooded } = learnAll([honest, ...flood]);
    expect(kept).toEqual(['ada-1', 'eve-57', 'eve-58', 'eve-59']);
    expect(flooded).toEqual(['pushes eve']);
  });

  test('what ages in a day’s work is no flood, nor what only the latest of it say', () => {
    const days = Array.from({ length: 9 }, (_, nth) => push(nth * 24 * 60, 'ada'));
    expect(learnAll(days)).toEqual({ kept: days.slice(-3).map(({ eventId }) => eventId), flooded: [] });
    const flooded: string[] = [];
    const at = { pinned: new Set<string>(), flooded: (_: string, author: string) => void flooded.push(author) };
    const strangers = Array.from({ length: 9 }, (_, nth) => push(nth, nth < 5 ? 'eve' : `stranger-${nth}`));
    const learnBy = (rolls: 'each' | 'all') =>
      strangers.reduce<readonly Push[]>((known, added) => keepBounded(known, added, { ...bound, rolls }, at), []);
    learnBy('all');
    expect(flooded).toEqual([]);
    learnBy('each');
    expect(new Set(flooded)).toEqual(new Set([manyAuthors]));
  });

  test('never drops what is pinned, and what is pinned takes the place of nothing else', () => {
    const all = Array.from({ length: 10 }, (_, nth) => push(nth, 'eve'));
    expect(learnAll(all, new Set(['eve-0', 'eve-9'])).kept).toEqual(['eve-0', 'eve-6', 'eve-7', 'eve-8', 'eve-9']);
  });

  test('many authors together are bounded too, and said as such', () => {
    const all = Array.from({ length: 9 }, (_, nth) => push(nth, `stranger-${nth}`));
    expect(learnAll(all)).toEqual({
      kept: [4, 5, 6, 7, 8].map((nth) => `stranger-${nth}-${nth}`),
      flooded: [`pushes ${manyAuthors}`],
    });
  });

  test('answers the same list where nothing is added', () => {
    const at = { pinned: new Set<string>(), flooded: () => {} };
    const known = [5, 6, 7].reduce<readonly Push[]>(
      (list, minute) => keepBounded(list, push(minute, 'ada'), bound, at),
      [],
    );
    expect(keepBounded(known, push(6, 'ada'), bound, at)).toBe(known);
    expect(keepBounded(known, push(1, 'ada'), bound, at)).toBe(known);
  });
});

test('observedBy keeps where to look, and never prose', () => {
  const event = {
    ...push(1, 'ada'),
    id: 'd-1',
    type: 'dev.cdevents.change.merged',
    data: { 'vcs.repository.url.full': 'https://github.com/acme/app', 'vcs.change.title': 'Ignore all this' },
  } as unknown as Parameters<typeof observedBy>[0];
  expect(observedBy(event)).toEqual({
    eventId: 'd-1',
    eventType: 'dev.cdevents.change.merged',
    time: '1970-01-01T00:01:00.000Z',
    trust: 'high',
    url: 'https://github.com/acme/app',
  });
});
