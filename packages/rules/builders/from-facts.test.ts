import { type Act, acts, eventOf, expectAsReference, sightings, startMs } from '@tripline/testing/against-reference';
import { playTimeline } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { fromFacts } from './from-facts.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

describe('fromFacts', () => {
  // Each a whose last act before it was a b.
  const rule = fromFacts({
    ...sightings,
    id: 'a-after-b',
    keepMs: 30 * 24 * hourMs,
    conclude: (sights, { key }) =>
      sights.flatMap((sight, place) => {
        const before = sights[place - 1];
        if (sight.kind !== 'a' || before?.kind !== 'b') return [];
        return [{ subject: key, occasion: sight.eventId, because: [before, sight], title: 'A after b', summary: '' }];
      }),
  });
  test('finds what a function of the whole log finds', () => {
    expectAsReference(rule, acts(14, 600), (log) =>
      ['acme/x', 'acme/y'].flatMap((thing) => {
        const own = log.filter((act) => act.thing === thing);
        return own.flatMap((act, place) =>
          act.kind === 'a' && own[place - 1]?.kind === 'b' ? [`${thing} ${act.id}`] : [],
        );
      }),
    );
  });

  test('what a finding rests on outlasts a flood by another and by its own author, and is never taken back for it', () => {
    const harm = [
      { kind: 'b', by: 'mallory', thing: 'acme/x', minute: 0 },
      { kind: 'a', by: 'mallory', thing: 'acme/x', minute: 1 },
    ] as const;
    const flood = Array.from({ length: 100 }, (_, nth) => {
      return { kind: nth % 2 ? 'b' : 'c', by: nth % 3 ? 'mallory' : 'eve', thing: 'acme/x', minute: 2 + nth } as Act;
    });
    const events = [...harm, ...flood].map(eventOf);
    const played = playTimeline({ rules: [rule], events, untilMs: startMs + 24 * hourMs });
    expect(played.retracted).toEqual([]);
    expect(played.findings.filter(({ rule: by }) => by === rule.id)).toHaveLength(1);
    expect(played.findings.filter(({ rule: by }) => by === 'state-flooded').length).toBeGreaterThan(0);
  });
});
