import type { Attributes } from '@tripline/contracts/attributes';
import type { EventType, LoggedEvent } from '@tripline/contracts/event';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Run, runSchema, runs } from './runs.ts';

const of = {
  'vcs.provider.name': 'github',
  'vcs.repository.name': 'acme/app',
  'vcs.repository.id': '5',
  'vcs.repository.url.full': 'https://github.com/acme/app',
  'cicd.pipeline.run.id': '700',
} as const;
const event = (second: number, type: EventType, data: Attributes, id = `${type} ${second}`): LoggedEvent =>
  ({
    id,
    source: '//github.com/acme',
    type,
    time: new Date(1_700_000_000_000 + second * 1000).toISOString(),
    workspace: 'acme',
    trust: 'high',
    data: { ...of, ...data },
    position: { partition: 0, offset: 0, appendedAtMs: 0 },
  }) as LoggedEvent;
const run = (second: number, type: EventType, data: Attributes = {}) =>
  event(second, type, {
    'tripline.pipeline.trigger': 'push',
    'tripline.pipeline.path': '.github/workflows/ci.yml',
    'tripline.pipeline.triggered_by': 'ada',
    'tripline.pipeline.triggered_by_id': '1',
    'vcs.ref.head.name': 'main',
    'vcs.ref.head.revision': 'a'.repeat(40),
    'tripline.pipeline.referenced': [],
    ...data,
  });
const job = (second: number, type: EventType, id: string, data: Attributes = {}) =>
  event(
    second,
    type,
    { 'cicd.pipeline.task.run.id': id, 'cicd.pipeline.task.name': `job ${id}`, ...data },
    `${type} ${id} ${second}`,
  );
const onOwn = { 'tripline.worker.hosted': false, 'cicd.worker.id': '11', 'cicd.worker.name': 'build-1' } as const;

const told = [
  run(0, 'dev.cdevents.pipelinerun.queued'),
  run(3, 'dev.cdevents.pipelinerun.started', {
    'tripline.pipeline.referenced': ['acme/app/.github/workflows/deploy.yml@main'],
  }),
  job(2, 'dev.cdeventsx.tripline-taskrun.queued', '71'),
  job(4, 'dev.cdevents.taskrun.started', '71', { ...onOwn, 'deployment.environment.name': 'production' }),
  job(9, 'dev.cdevents.taskrun.finished', '71', { ...onOwn, 'tripline.task.started_at': '2023-11-14T22:13:24.000Z' }),
  job(5, 'dev.cdevents.taskrun.started', '72', {
    'tripline.worker.hosted': true,
    'cicd.worker.name': 'GitHub Actions 4',
  }),
  run(10, 'dev.cdevents.pipelinerun.finished'),
  run(50, 'dev.cdevents.pipelinerun.queued', {
    'tripline.pipeline.run.attempt': 2,
    'vcs.repository.name': 'acme/renamed',
  }),
  event(6, 'dev.cdeventsx.tripline-deployment.requested', {
    'deployment.id': '5',
    'deployment.environment.name': 'production',
  }),
];
const quiet = {
  nowMs: 0,
  pinned: new Set<string>(),
  flooded: (_kind: string) => {},
  key: '',
  wants: (_path: string) => true,
};
const learnAll = (events: readonly LoggedEvent[], at = quiet) =>
  events.reduce<Run | undefined>((known, one) => runs.learn(known, one, at), undefined);

describe('a run', () => {
  test('is known by ids of provider, instance, repository and run, and by a name where no id is told', () => {
    expect(runs.keys(told[0]!)).toEqual(['github:github.com:5#700']);
    const { 'vcs.repository.id': _, ...rest } = told[0]!.data as Attributes;
    expect(runs.keys({ ...told[0]!, data: rest } as LoggedEvent)).toEqual(['github:github.com:name:acme/app#700']);
  });

  test('is put together of its own events and those of its jobs', () => {
    const known = learnAll(told)!;
    expect(runSchema.parse(known)).toEqual(known);
    expect(known.repository.name).toBe('acme/renamed');
    expect(known.deployments).toMatchObject([{ environment: 'production', id: '5' }]);
    expect(known.attempts).toMatchObject([
      {
        attempt: 1,
        trigger: 'push',
        actor: { id: '1', login: 'ada' },
        referenced: ['acme/app/.github/workflows/deploy.yml@main'],
        jobs: [
          {
            id: '71',
            worker: { id: '11', hosted: false },
            environment: 'production',
            startedMs: 1_700_000_004_000,
            finishedMs: 1_700_000_009_000,
          },
          { id: '72', worker: { hosted: true } },
        ],
      },
      { attempt: 2, jobs: [] },
    ]);
  });

  test('is the same in any order, however often it is told', () => {
    const expected = learnAll(told);
    fc.assert(
      fc.property(fc.shuffledSubarray([...told, ...told], { minLength: told.length * 2 }), (events) => {
        expect(learnAll(events)).toEqual(expected);
      }),
    );
  });

  test('is of the head that its own events name, whatever its jobs name', () => {
    const ofJob = { 'vcs.ref.head.revision': '0a'.repeat(20) };
    const events = [
      run(0, 'dev.cdevents.pipelinerun.queued', { 'vcs.ref.head.revision': 'b'.repeat(40) }),
      job(1, 'dev.cdevents.taskrun.started', '71', { ...onOwn, ...ofJob }),
      job(2, 'dev.cdevents.taskrun.finished', '71', { ...onOwn, ...ofJob }),
    ];
    expect(learnAll(events.slice(1))!.attempts[0]!.revision).toBe('0a'.repeat(20));
    for (const order of [events, events.toReversed()]) {
      expect(learnAll(order)!.attempts[0]!.revision).toBe('b'.repeat(40));
    }
  });

  test('is deployed to an environment once, however many jobs and attempts say so', () => {
    const flooded: string[] = [];
    const at = { ...quiet, flooded: (kind: string) => void flooded.push(kind) };
    const matrix = Array.from({ length: 30 }, (_, nth) => [
      event(100 + nth, 'dev.cdeventsx.tripline-deployment.requested', {
        'deployment.id': String(100 + nth),
        'deployment.environment.name': 'production',
      }),
      job(200 + nth, 'dev.cdevents.taskrun.started', `d${nth}`, {
        'tripline.worker.hosted': true,
        'cicd.worker.name': 'x',
        'deployment.environment.name': 'production',
      }),
    ]);
    const known = learnAll([...told, ...matrix.flat()], at)!;
    expect(known.deployments).toMatchObject([{ environment: 'production', id: '5' }]);
    expect(flooded).toEqual([]);
  });

  test('is the same object where nothing is added', () => {
    const known = learnAll(told);
    for (const one of told) expect(runs.learn(known, one, quiet)).toBe(known);
  });

  test('is the same in any order of events of its own, in whatever they differ', () => {
    // Each says one thing otherwise than the first does; of two that differ, the rules of order keep one, whichever came first.
    const said = fc.constantFrom<Attributes>(
      {},
      { 'tripline.pipeline.trigger': 'dynamic' },
      { 'tripline.pipeline.path': '.github/workflows/a.yml' },
      { 'cicd.pipeline.name': 'CI' },
      { 'vcs.ref.head.name': 'a' },
      { 'vcs.ref.head.revision': '0a'.repeat(20) },
      { 'tripline.head.fork': true },
      { 'tripline.pipeline.triggered_by': 'abe' },
      { 'tripline.pipeline.triggered_by_id': '0' },
      { 'tripline.change.ids': ['7'] },
      { 'tripline.credential.secrets': ['A'] },
      { 'tripline.pipeline.referenced': ['acme/app/.github/workflows/deploy.yml@main'] },
    );
    const type = fc.constantFrom(
      ...(['queued', 'started', 'finished'] as const).map((end) => `dev.cdevents.pipelinerun.${end}` as const),
    );
    const one = fc.tuple(fc.nat({ max: 9 }), type, said);
    fc.assert(
      fc.property(fc.uniqueArray(one, { selector: ([second]) => second, minLength: 2, maxLength: 4 }), (all) => {
        const events = all.map(([second, of, data]) => run(second, of, { 'tripline.head.fork': false, ...data }));
        const inTheirOrder = events.toSorted((a, b) => (a.time < b.time ? -1 : 1));
        expect(learnAll(inTheirOrder)!.attempts).toEqual(learnAll(inTheirOrder.toReversed())!.attempts);
      }),
      { numRuns: 1000 },
    );
  });

  test('keeps the job on a machine of one’s own however many others there are; a matrix is no flood', () => {
    const flooded: string[] = [];
    const at = { ...quiet, flooded: (kind: string) => void flooded.push(kind) };
    const hosted = Array.from({ length: 300 }, (_, nth) =>
      job(100 + nth, 'dev.cdevents.taskrun.started', `h${nth}`, {
        'tripline.worker.hosted': true,
        'cicd.worker.name': 'x',
      }),
    );
    const known = learnAll([...told, ...hosted], at)!;
    expect(known.attempts[0]!.jobs.length).toBeLessThan(100);
    expect(known.attempts[0]!.jobs.filter(({ worker }) => worker?.hosted === false)).toHaveLength(1);
    expect(flooded).toEqual([]);
  });
});

describe('jobs on machines of the provider’s without an environment', () => {
  const plain = [
    run(0, 'dev.cdevents.pipelinerun.queued', { 'tripline.pipeline.path': '.github/workflows/Test.yml' }),
    job(1, 'dev.cdevents.taskrun.started', 'a', { 'tripline.worker.hosted': true, 'cicd.worker.name': 'x' }),
    job(2, 'dev.cdevents.taskrun.finished', 'a', { 'tripline.worker.hosted': true, 'cicd.worker.name': 'x' }),
  ];
  const own = job(3, 'dev.cdevents.taskrun.started', 'b', { 'tripline.worker.hosted': false, 'cicd.worker.name': 'y' });
  const jobsOf = (events: readonly LoggedEvent[], wanted: string) =>
    learnAll(events, { ...quiet, wants: (path) => path === wanted })?.attempts[0]?.jobs.map(({ id }) => id);

  test('are kept of workflow files that settings name, whatever comes first', () => {
    expect(jobsOf([...plain, own], '.github/workflows/test.yml')).toEqual(['a', 'b']);
    expect(jobsOf([own, ...plain.toReversed()], '.github/workflows/test.yml')).toEqual(['a', 'b']);
  });

  test('of others they are kept until the run’s own event came, so that a run is known by any of its events', () => {
    expect(jobsOf(plain.slice(1), 'grant.yml')).toEqual(['a']);
    expect(jobsOf([...plain, own], 'grant.yml')).toEqual(['b']);
    expect(jobsOf([own, ...plain.toReversed()], 'grant.yml')).toEqual(['b']);
  });
});
