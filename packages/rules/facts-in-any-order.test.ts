import type { LoggedEvent } from '@tripline/contracts/event';
import type { AnyFact } from '@tripline/contracts/fact';
import { addObserved } from '@tripline/engine/concerns';
import { changes } from '@tripline/facts/changes';
import { commits } from '@tripline/facts/commits';
import { credentials } from '@tripline/facts/credentials';
import { deployments } from '@tripline/facts/deployments';
import { refs } from '@tripline/facts/refs';
import { repositories } from '@tripline/facts/repositories';
import { runnerClasses } from '@tripline/facts/runner-classes';
import { runnerGroups } from '@tripline/facts/runner-groups';
import { runners } from '@tripline/facts/runners';
import { runs } from '@tripline/facts/runs';
import { workflowRuns } from '@tripline/facts/workflow-runs';
import { writers } from '@tripline/facts/writers';
import { eventsOf } from '@tripline/testing/timeline/in-words';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

/** A day at a repository, with all that tells of commits and runs. */
const day = eventsOf(`
  09:00     ada     pushes h to acme/app feat (from nothing; touching .github/workflows/ci.yml)
  09:00:05  ada     opens #12 in acme/app from feat at h
  09:01     mallory opens #13 in acme/app from x at h (of fork mallory; association NONE)
  09:02     mallory approves #12 in acme/app (association NONE)
  09:03     carol   approves #12 in acme/app
  09:04     carol   dismisses #12 in acme/app of carol
  09:05     carol   approves #12 in acme/app
  09:06     carol   pushes u to acme/app feat (committed by web-flow)
  09:06:01  carol   updates #12 in acme/app to u
  09:07     ada     queues #12 in acme/app as q
  09:08     ada     creates ruleset releases of acme/app (protecting refs/heads/rel/*)
  09:09     ada     deletes ruleset releases of acme/app
  09:10     carol   merges #12 in acme/app as m (of u, m)
  09:10:05  carol   starts run 7 of ci in acme/app at m
  09:10:06  carol   starts job deploy of run 7 (to production; on box-1)
  09:10:07  carol   starts job build of run 7
  09:10:08  github  answers about m in acme/app (verified; committed by web-flow; authored by carol; parents day1, u; change #12; merged as m; merged by carol; listing h, u<h+day1; approved by carol; at h; association NONE; permission write; approved at 09:05:00)
  09:10:20  carol   finishes job deploy of run 7
  09:10:30  carol   finishes run 7
  09:11     carol   tags m of acme/app as v1 (annotated as object)
  09:12     dan     deploys m of acme/app to staging
  09:13     ada     renames repository acme/app to acme/app2
  09:14     dan     starts run 7 of ci in acme/app2 at m (attempt 2)
`).map(
  (event) =>
    ({
      trust: 'high',
      workspace: 'acme',
      position: { partition: 0, offset: 0, appendedAtMs: 0 },
      ...event,
    }) as unknown as LoggedEvent,
);

function learnAll(fact: AnyFact, events: readonly LoggedEvent[]): Map<string, unknown> {
  const known = new Map<string, unknown>();
  for (const event of events) {
    if (!fact.reads.includes(event.type)) continue;
    for (const key of fact.keys(event)) {
      const value = fact.learn(known.get(key), event, {
        key,
        nowMs: 0,
        pinned: new Set(),
        flooded: () => {},
        wants: () => true,
      });
      if (value !== undefined) known.set(key, value);
    }
  }
  return new Map([...known].sort());
}

describe.each([runs, deployments, commits, changes, refs, repositories, writers] as AnyFact[])('$id', (fact) => {
  const expected = learnAll(fact, day);
  test('knows something, of the form that it says', () => {
    expect(expected.size).toBeGreaterThan(0);
    for (const value of expected.values()) expect(fact.value.parse(value)).toEqual(value);
  });
  test('is the same object where nothing is added', () => {
    for (const event of day.filter(({ type }) => fact.reads.includes(type))) {
      for (const key of fact.keys(event)) {
        const value = expected.get(key);
        expect(
          fact.learn(value, event, { key, nowMs: 0, pinned: new Set(), flooded: () => {}, wants: () => true }),
        ).toBe(value);
      }
    }
  });
  const twice = fc.shuffledSubarray([...day, ...day], { minLength: day.length * 2 });
  test('knows the same in any order, however often it is told', () => {
    fc.assert(
      fc.property(twice, (events) => {
        expect(learnAll(fact, events)).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });
  test('knows the same whatever is pinned', () => {
    fc.assert(
      fc.property(twice, fc.infiniteStream(fc.boolean()), (events, draws) => {
        const told = pinning(fact, events, () => draws.next().value as boolean);
        const bare = [...told].map(([key, value]) => [key, JSON.parse(JSON.stringify(value, withoutReplaced))]);
        expect(new Map(bare as [string, unknown][])).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });
});

describe.each([
  ...[runs, deployments, commits, changes, refs, repositories, writers],
  ...[runners, runnerClasses, workflowRuns, credentials, runnerGroups],
] as AnyFact[])('$id', (fact) => {
  test('names every event on which a finding rests for as long as it does', () => {
    const twice = fc.shuffledSubarray([...day, ...day], { minLength: day.length * 2 });
    fc.assert(
      fc.property(twice, fc.infiniteStream(fc.boolean()), (events, draws) => {
        pinning(fact, events, () => draws.next().value as boolean);
      }),
      { numRuns: 60 },
    );
  });
});

/** Learns the events while findings rest on some of what is known, and expects all of that to stay known. */
function pinning(fact: AnyFact, events: readonly LoggedEvent[], rests: () => boolean): Map<string, unknown> {
  const known = new Map<string, unknown>();
  const pins = new Map<string, Set<string>>();
  for (const event of events.filter(({ type }) => fact.reads.includes(type))) {
    for (const key of fact.keys(event)) {
      const pinned = pins.get(key) ?? new Set<string>();
      const value = fact.learn(known.get(key), event, { key, nowMs: 0, pinned, flooded: () => {}, wants: () => true });
      const named = new Set<string>();
      addObserved(value, named);
      expect([...named]).toEqual(expect.arrayContaining([...pinned]));
      known.set(key, value);
      // A finding that is concluded anew rests on what is known then.
      if (rests()) pins.set(key, new Set([...named].filter(rests)));
    }
  }
  return new Map([...known].filter(([, value]) => value !== undefined).sort());
}
const withoutReplaced = (name: string, value: unknown) => (name === 'replaced' ? undefined : value);
