import { acts, expectAsReference, sightings } from '@tripline/testing/against-reference';
import { describe, test } from 'vitest';
import { sequencesOf, temporal } from './temporal.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

describe('temporal', () => {
  // An a, then a b within an hour, without a c between.
  const rule = temporal({
    ...sightings,
    id: 'a-then-b',
    stretchMs: hourMs,
    conclude: (sights, { key }) =>
      sequencesOf(sights, {
        steps: [({ kind }) => kind === 'a', ({ kind }) => kind === 'b'],
        until: ({ kind }) => kind === 'c',
        withinMs: hourMs,
      }).map((because) => ({
        subject: key,
        occasion: because[0]!.eventId,
        because,
        title: 'A, b',
        summary: '',
      })),
  });
  test('finds the sequences that the definition has, across the ends of stretches', () => {
    expectAsReference(rule, acts(16, 240), (log) =>
      log.flatMap((first) => {
        if (first.kind !== 'a') return [];
        const after = log.filter((act) => act.thing === first.thing && log.indexOf(act) > log.indexOf(first));
        const next = after.find(({ kind }) => kind !== 'a');
        return next?.kind === 'b' && next.minute - first.minute <= 60 ? [`${first.thing} ${first.id}`] : [];
      }),
    );
  });
});
