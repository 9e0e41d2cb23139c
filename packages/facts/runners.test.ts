import type { Attributes } from '@tripline/contracts/attributes';
import type { EventType, LoggedEvent } from '@tripline/contracts/event';
import type { Fact } from '@tripline/contracts/fact';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { credentials } from './credentials.ts';
import { poolOf, runnerClasses } from './runner-classes.ts';
import { isHostedGroup, runnerGroups } from './runner-groups.ts';
import { isRunnerClassKey, keyBeside, placeOfKey, prefixOf, readRunnerKey, runnerKeyOf } from './runner-keys.ts';
import { runners } from './runners.ts';

const startMs = Date.parse('2026-03-11T09:00:00Z');
const minuteMs = 60_000;

function event(
  type: EventType,
  id: string,
  minute: number,
  data: Attributes,
  source = '//github.com/acme',
): LoggedEvent {
  return {
    ...{
      id,
      type,
      source,
      workspace: 'acme',
      trust: 'high',
      data,
      time: new Date(startMs + minute * minuteMs).toISOString(),
    },
    position: { partition: 0, offset: 0, appendedAtMs: startMs + minute * minuteMs },
  } as LoggedEvent;
}
/** What is known under each key once the events were received in this order, each at its own moment. */
function learned<Value>(fact: Fact<Value>, events: readonly LoggedEvent[]): Map<string, Value> {
  const known = new Map<string, Value>();
  for (const one of events) {
    for (const key of fact.keys(one)) {
      const at = {
        key,
        nowMs: one.position.appendedAtMs,
        pinned: new Set<string>(),
        flooded: () => {},
        wants: () => false,
      };
      const after = fact.learn(known.get(key), one, at);
      if (after === undefined) continue;
      fact.value.parse(after);
      known.set(key, after);
      expect(fact.learn(after, one, at), 'heard twice').toBe(after);
    }
  }
  return known;
}
const job = (id: string, minute: number, of: { runner: string; run: string; environment?: string; group?: string }) =>
  event('dev.cdevents.taskrun.started', id, minute, {
    ...{ 'vcs.repository.name': 'acme/app', 'vcs.repository.id': '6', 'vcs.owner.name': 'acme', 'vcs.owner.id': '77' },
    ...{ 'cicd.pipeline.run.id': of.run, 'cicd.pipeline.task.run.id': `j${of.run}`, 'tripline.worker.hosted': false },
    ...{ 'cicd.worker.id': of.runner, 'cicd.worker.name': `build-${of.runner}`, 'tripline.worker.labels': ['linux'] },
    'tripline.worker.group.id': of.group ?? '1',
    ...(of.environment === undefined ? {} : { 'deployment.environment.name': of.environment }),
  });
const listing = (id: string, minute: number, runner: string, groupId: string) =>
  event('dev.cdeventsx.tripline-inventory.observed', id, minute, {
    ...{ 'tripline.inventory.part': 1, 'tripline.inventory.parts': 1 },
    'tripline.inventory.runners': [{ id: runner, name: `build-${runner}`, groupId, labels: [], ownerId: '77' }],
  });
const act = (
  id: string,
  minute: number,
  entity: string,
  resolution: 'accepted' | 'true' | 'false',
  proof = 'os-user',
) =>
  event(
    'dev.cdeventsx.tripline-act.performed',
    id,
    minute,
    {
      ...{
        'tripline.act.kind': 'incident-resolved',
        'tripline.act.target': 'INC-1',
        'tripline.act.resolution': resolution,
      },
      ...{ 'tripline.act.proof': proof, 'tripline.act.entities': [{ kind: 'runner', id: entity }] },
    },
    '//tripline/acme',
  );

const minute = fc.integer({ min: 0, max: 4000 });
const anyEvent = fc.oneof(
  fc.record({
    kind: fc.constant('job' as const),
    minute,
    runner: fc.constantFrom('1', '2'),
    run: fc.constantFrom('10', '11', '12', '13', '14'),
    environment: fc.constantFrom(undefined, 'production', 'staging'),
    group: fc.constantFrom('1', '7'),
  }),
  fc.record({
    kind: fc.constant('listing' as const),
    minute,
    runner: fc.constantFrom('1', '2'),
    group: fc.constantFrom('1', '7'),
  }),
  fc.record({
    kind: fc.constant('act' as const),
    minute,
    runner: fc.constantFrom('1', '2'),
    as: fc.constantFrom('accepted' as const, 'true' as const, 'false' as const),
  }),
);
const eventsOf = fc.array(anyEvent, { maxLength: 25 }).map((drawn) =>
  drawn.map((one, place) => {
    const id = `e${place}`;
    if (one.kind === 'listing') return listing(id, one.minute, one.runner, one.group);
    if (one.kind === 'act')
      return act(id, one.minute, `github:github.com:runner:${one.runner}:build-${one.runner}`, one.as);
    const { environment, ...rest } = one;
    return job(id, one.minute, { ...rest, ...(environment === undefined ? {} : { environment }) });
  }),
);
const shuffledPair = eventsOf.chain((events) =>
  fc.tuple(fc.constant(events), fc.shuffledSubarray(events, { minLength: events.length })),
);

describe('whatever the order of arrival, the same is known', () => {
  // Of more than two jobs it is kept that there are two, not which.
  const counted = <T extends { jobs: string[] }>({ jobs, ...rest }: T) => ({ ...rest, jobs: jobs.length });

  test('of a runner', () => {
    fc.assert(
      fc.property(shuffledPair, ([events, shuffled]) => {
        const inOrder = [...learned(runners, events)].map(([key, value]) => [key, counted(value)] as const);
        const other = [...learned(runners, shuffled)].map(([key, value]) => [key, counted(value)] as const);
        expect(new Map(other)).toEqual(new Map(inOrder));
      }),
    );
  });

  test('of a class of runners', () => {
    fc.assert(
      fc.property(shuffledPair, ([events, shuffled]) => {
        const shown = (of: readonly LoggedEvent[]) =>
          new Map(
            [...learned(runnerClasses, of)].map(([key, value]) => [
              key,
              value.members.map(({ heardMs: _, ...member }) => counted(member)),
            ]),
          );
        expect(shown(shuffled)).toEqual(shown(events));
      }),
    );
  });
});

test('a runner is kept with its first work in each place, and of what has credentials the first of its last day', () => {
  const key = 'github:github.com:runner:1:build-1';
  const of = { runner: '1', environment: 'production' };
  const known = learned(
    runners,
    [0, 1, 2, 3000, 3001].map((minute) => job(`e${minute}`, minute, { ...of, run: `${minute}` })),
  ).get(key)!;
  expect(known.work.map(({ eventId }) => eventId)).toEqual(['e0', 'e3000']);
  expect(known.early).toHaveLength(3);
  expect(known.jobs).toHaveLength(2);
  expect(known.work[0]).toMatchObject({
    run: 'acme/app#0',
    runKey: 'github:github.com:6#0',
    environment: 'production',
  });
});

test('of too many environments the first stay, and one too many writes nothing', () => {
  const key = 'github:github.com:runner:1:build-1';
  const of = (count: number) =>
    Array.from({ length: count }, (_, place) =>
      job(`e${place}`, place, { runner: '1', run: '10', environment: `env-${place}` }),
    );
  const full = learned(runners, of(50)).get(key)!;
  expect(full.work).toHaveLength(50);
  const flooded: string[] = [];
  const at = {
    ...{ key, nowMs: startMs, pinned: new Set<string>() },
    flooded: (kind: string, author: string) => flooded.push(`${kind} ${author}`),
    wants: () => false,
  };
  expect(runners.learn(full, of(51).at(-1)!, at)).toBe(full);
  expect(new Set(flooded)).toEqual(new Set(['work with credentials acme/app']));
});

test('who accepts teaches, by what was said last; a false alarm and somebody unknown teach nothing', () => {
  const key = 'github:github.com:runner:1:build-1';
  const isAccepted = (events: LoggedEvent[]) => learned(runners, events).get(key)?.accepted?.isAccepted;
  expect(isAccepted([act('a', 0, key, 'accepted')])).toBe(true);
  expect(isAccepted([act('a', 0, key, 'accepted'), act('b', 5, key, 'true')])).toBe(false);
  expect(isAccepted([act('b', 5, key, 'true'), act('a', 0, key, 'accepted')])).toBe(false);
  expect(isAccepted([act('a', 0, key, 'accepted'), act('b', 5, key, 'false')])).toBe(true);
  expect(isAccepted([act('a', 0, key, 'accepted', 'none')])).toBeUndefined();
  // A user's name, or any other entity, names no runner.
  expect(isAccepted([act('a', 0, 'self-hosted:1:build-1', 'accepted')])).toBeUndefined();
});

test('a pool has three runners or more, each of which took one job', () => {
  const of = (runs: readonly (readonly [runner: string, run: string])[]) => {
    const known = learned(
      runnerClasses,
      runs.map(([runner, run], place) => job(`e${place}`, place, { runner, run })),
    );
    const [value] = known.values();
    return poolOf(value).map(({ key }) => key.split(':').at(-1));
  };
  expect(
    of([
      ['1', '10'],
      ['2', '11'],
    ]),
  ).toEqual([]);
  expect(
    of([
      ['1', '10'],
      ['2', '11'],
      ['3', '12'],
      ['4', '13'],
      ['5', '14'],
      ['6', '15'],
    ]),
  ).toHaveLength(5);
  expect(
    of([
      ['1', '10'],
      ['2', '11'],
      ['3', '12'],
      ['3', '13'],
    ]),
  ).toEqual([]);
});

test('keys name a runner by number and name, a pool by group, labels and the beginning of the name', () => {
  const at = event('dev.cdevents.taskrun.started', 'e', 0, {});
  const key = runnerKeyOf(at, '9', 'x:y\n😀');
  expect(readRunnerKey(key)).toEqual({ id: '9', name: 'x:y\n😀' });
  expect(placeOfKey(key)).toEqual({ provider: 'github', instance: 'github.com' });
  expect(placeOfKey('github:ghe.acme.com:8443:runner:9:x')).toEqual({
    provider: 'github',
    instance: 'ghe.acme.com:8443',
  });
  expect(keyBeside(key, 'runner-group:3')).toBe('github:github.com:runner-group:3');
  // A label that looks like a runner's key names none.
  const pool = 'github:github.com:runner-class:77/1/a:runner:9:x/arc-';
  expect([readRunnerKey(pool), isRunnerClassKey(pool), isRunnerClassKey(key)]).toEqual([undefined, true, false]);
  for (const [name, prefix] of [
    ['arc-set-w8pwm-runner-r8z5c', 'arc-set-'],
    ['arc-set-bcdfg-runner-hjkmn', 'arc-set-'],
    ['i-0abc12def', 'i-'],
    ['prod-large_ab12cd', 'prod-large_'],
    ['build-1', 'build-'],
    ['builder', ''],
    ['', ''],
  ] as const) {
    expect(prefixOf(name), name).toBe(prefix);
  }
});

test('a group holds machines of the provider’s alone only where an inventory says so, of that organisation', () => {
  const group = (id: string, minute: number, hosted: string[], selfHosted: number, ownerId = '77') =>
    event('dev.cdeventsx.tripline-inventory.observed', id, minute, {
      ...{ 'tripline.inventory.part': 1, 'tripline.inventory.parts': 1 },
      'tripline.inventory.runner_groups': [{ id: '7', name: 'GitHub Actions', ownerId, hosted, selfHosted }],
    });
  const known = (...events: LoggedEvent[]) => learned(runnerGroups, events).get('github:github.com:runner-group:7');
  expect(isHostedGroup(known(group('a', 0, ['large'], 0)), '77')).toBe(true);
  expect(isHostedGroup(known(group('a', 0, ['large'], 0)), '5')).toBe(false);
  expect(isHostedGroup(known(group('a', 0, ['large'], 2)), '77')).toBe(false);
  expect(isHostedGroup(known(group('a', 0, [], 0)), '77')).toBe(false);
  expect(isHostedGroup(undefined, '77')).toBe(false);
  const later = [group('a', 0, ['large'], 0), group('b', 5, ['large'], 1)];
  for (const events of [later, later.toReversed()]) expect(isHostedGroup(known(...events), '77')).toBe(false);
});

test('a credential is kept with its first use on each runner, whatever was received first', () => {
  const used = (id: string, minute: number, runner: string) =>
    event('dev.cdeventsx.tripline-credential.used', id, minute, {
      ...{ 'tripline.credential.id': 'x', 'tripline.credential.token_hash': 'abc=', 'vcs.repository.name': 'acme/app' },
      ...{ 'cicd.worker.id': runner, 'cicd.worker.name': 'b', 'tripline.worker.hosted': false },
    });
  const events = [used('a', 0, '1'), used('b', 5, '1'), used('c', 3, '2')];
  for (const order of [events, events.toReversed()]) {
    const known = learned(credentials, order).get('github:github.com:credential:token:abc=')!;
    expect(known.contexts.map(({ eventId }) => eventId)).toEqual(['a', 'c']);
  }
});
