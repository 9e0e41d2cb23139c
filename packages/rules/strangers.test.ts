import type { LoggedEvent } from '@tripline/contracts/event';
import type { AnyFact } from '@tripline/contracts/fact';
import { addObserved } from '@tripline/engine/concerns';
import { eventsOf } from '@tripline/testing/timeline/in-words';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { rules } from './registry.ts';

/** A day of the house, without anything that an outsider does. */
const ofHouse = `
  09:00     ada     pushes h to acme/app feat (from nothing; touching .github/workflows/ci.yml)
  09:00:05  ada     opens #12 in acme/app from feat at h
  09:01     eve     opens #13 in acme/app from x at f (of fork eve; association NONE)
  09:03     carol   approves #12 in acme/app
  09:04     carol   approves #13 in acme/app
  09:05     carol   pushes u to acme/app feat (committed by web-flow)
  09:05:01  carol   updates #12 in acme/app to u
  09:07     ada     queues #12 in acme/app as q
  09:10     carol   merges #12 in acme/app as m (of u, m)
  09:10:05  carol   starts run 7 of ci in acme/app at m
  09:10:06  carol   starts job deploy of run 7 (to production; on box-1)
  09:10:07  carol   starts job build of run 7 (on box-1)
  09:10:20  carol   finishes job deploy of run 7
  09:11     carol   merges #13 in acme/app as n
  09:11:05  carol   starts run 8 of ci in acme/app at n
  09:11:06  carol   starts job test of run 8 (on box-2)
  09:12     dan     deploys m of acme/app to staging
  09:13     ada     gives bob admin on acme/app
  09:14     ada     adds deploy key one to acme/app`;
const commits = ['h', 'f', 'u', 'm', 'q', 'n'];

/** What anybody does at a public repository. */
const ofStrangers = Array.from({ length: 240 }, (_, nth) => {
  const [who, number, commit] = [`sock${nth % 30}`, 1000 + nth, commits[nth % commits.length]];
  const minute = String(Math.floor(nth / 60)).padStart(2, '0');
  const clock = `10:${minute}:${String(nth % 60).padStart(2, '0')}`;
  return [
    `${clock} ${who} opens #${number} in acme/app from x at ${commit} (of fork ${who}; association NONE)`,
    `${clock} ${who} updates #${number} in acme/app to ${commits[(nth + 1) % commits.length]}`,
    `${clock} ${who} approves #12 in acme/app (association NONE)`,
    `${clock} ${who} approves #13 in acme/app (association NONE)`,
    `${clock} ${who} starts run ${number} of ci in acme/app at ${commit} (trigger pull_request; of fork ${who}; on x${nth})`,
    `${clock} ${who} starts job build of run ${number} (on box-${1 + (nth % 2)}; labels l${nth})`,
    `${clock} ${who} finishes job build of run ${number}`,
  ].join('\n');
});

const told = eventsOf([ofHouse, ...ofStrangers].join('\n')).map(
  (event) =>
    ({
      ...{ trust: 'high', workspace: 'acme', position: { partition: 0, offset: 0, appendedAtMs: event.atMs } },
      ...event,
    }) as unknown as LoggedEvent & { line: number },
);
const houseLines = ofHouse.split('\n').length;
const [house, strangers] = [
  told.filter(({ line }) => line <= houseLines),
  told.filter(({ line }) => line > houseLines),
];
const facts = [...new Set(rules.flatMap(({ concludes }) => (concludes?.uses ?? []) as AnyFact[]))];

/** By key, ids of the events by which something is known. */
function namedBy(fact: AnyFact, events: readonly LoggedEvent[]): Map<string, Set<string>> {
  const known = new Map<string, unknown>();
  for (const event of events) {
    if (!fact.reads.includes(event.type)) continue;
    for (const key of fact.keys(event)) {
      const nowMs = Date.parse(event.time);
      const at = { key, nowMs, pinned: new Set<string>(), flooded: () => {}, wants: () => true };
      known.set(key, fact.learn(known.get(key), event, at));
    }
  }
  const named = new Map<string, Set<string>>();
  for (const [key, value] of known) {
    const ids = new Set<string>();
    addObserved(value, ids);
    named.set(key, ids);
  }
  return named;
}

describe('what strangers do pushes out nothing of the house', () => {
  test.each(facts.map((fact) => [fact.id, fact] as const))('%s', (_, fact) => {
    const expected = namedBy(fact, house);
    fc.assert(
      fc.property(fc.shuffledSubarray(told, { minLength: told.length }), (events) => {
        const named = namedBy(fact, events);
        for (const [key, ids] of expected) {
          const gone = [...ids].filter((id) => !named.get(key)!.has(id));
          expect(gone.map((id) => `${key}: line ${house.find((event) => event.id === id)!.line}`)).toEqual([]);
        }
      }),
      { numRuns: 5 },
    );
  });
  test('and there is something to push out', () => {
    expect(strangers.length).toBeGreaterThan(1500);
    expect(facts.filter((fact) => namedBy(fact, house).size > 0).length).toBeGreaterThan(8);
  });
});
