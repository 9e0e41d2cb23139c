import { acts, common, expectAsReference, sightings } from '@tripline/testing/against-reference';
import { describe, test } from 'vitest';
import { conclusion } from './conclusion.ts';
import { ownFact, sightsOf } from './own-fact.ts';

/** A shared fact: what was done to each thing. */
const done = ownFact({ ...sightings, id: 'done', keepMs: 30 * 86_400_000, keyOf: sightings.key });

describe('conclusion', () => {
  // A thing to which somebody did an a, as its first, and the other one of the two things had no c.
  const rule = conclusion({
    ...common,
    id: 'a-without-c-elsewhere',
    about: done,
    where: ({ kinds }) => kinds['a'] !== undefined,
    conclude(value, { key, watch }) {
      const first = sightsOf(value, key)[0]!;
      const other = watch(done, key === 'acme/x' ? 'acme/y' : 'acme/x');
      if (first.kind !== 'a' || other?.kinds['c'] !== undefined) return [];
      const because = [{ fact: done, key, seen: first, what: 'An a' }];
      return [{ subject: key, occasion: first.eventId, because, title: 'A', summary: '' }];
    },
  });
  test('finds what a function of both things finds, whichever changes last', () => {
    expectAsReference(rule, acts(8, 300), (log) =>
      ['acme/x', 'acme/y'].flatMap((thing) => {
        const first = log.find((act) => act.thing === thing);
        const isBarred = log.some((act) => act.thing !== thing && act.kind === 'c');
        return first?.kind === 'a' && !isBarred ? [`${thing} ${first.id}`] : [];
      }),
    );
  });
});
