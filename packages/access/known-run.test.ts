import { createHash } from 'node:crypto';
import { seeded } from '@tripline/testing/timeline/any-order';
import { eventsOf } from '@tripline/testing/timeline/in-words';
import { at, type LoggedEventInput, permuted, playTimeline } from '@tripline/testing/timeline/play';
import { expect, test } from 'vitest';
import { type LoggedJob, readingRuns } from './known-run.ts';

const shaOf = (name: string) => createHash('sha1').update(`commit ${name}`).digest('hex');
const inventory = at(Date.parse('2026-03-11T08:00:00Z'), 'dev.cdeventsx.tripline-inventory.observed', {
  'tripline.inventory.part': 1,
  'tripline.inventory.parts': 1,
  'tripline.inventory.heads': [{ repository: 'acme/app', branch: 'main', revision: shaOf('day1') }],
  'tripline.inventory.protected': [{ repository: 'acme/app', patterns: ['main'] }],
});

/** What is known in the end of the jobs of runs, by run and job. */
function known(events: readonly LoggedEventInput[], settings: Record<string, unknown> = {}) {
  const told = new Map<string, LoggedJob>();
  const rule = readingRuns((_, key, jobs) => {
    for (const job of jobs.filter((one) => one.job.checkRunId !== null))
      told.set(`${key.slice(key.lastIndexOf('#') + 1)} ${job.name}`, job);
  });
  const untilMs = Date.parse('2026-03-12T12:00:00Z');
  const { poison } = playTimeline({
    rules: [rule],
    events: [inventory, ...events],
    untilMs,
    settings: { [rule.id]: settings },
  });
  expect(poison).toEqual([]);
  return told;
}

const merged = `
  09:00     ada     opens #12 in acme/app from feat at h
  09:05     carol   approves #12 in acme/app
  09:10     carol   merges #12 in acme/app as m
  09:10:05  carol   starts run 7 of ci in acme/app at m (path .github/workflows/ci.yml)
  09:10:06  carol   starts job deploy of run 7 (to production)`;

test('a run of a reviewed commit, as its token would have it', () => {
  const job = known(eventsOf(merged)).get('7 deploy')!;
  expect(job).toMatchObject({
    job: {
      repository: { name: 'acme/app' },
      run: { id: '7', attempt: 1 },
      caller: { ref: 'acme/app/.github/workflows/ci.yml@refs/heads/main' },
      ...{ event: 'push', ref: 'refs/heads/main', sha: shaOf('m'), environment: 'production' },
      ...{ runnerEnvironment: 'github-hosted', actor: { name: 'carol' } },
    },
    known: { job: 'running', fork: false, reviewed: { is: 'reviewed' }, deployedTo: [] },
  });
  expect(job.things.map(({ kind }) => kind)).toEqual(['repository', 'run', 'commit', 'user']);
});

test('an unreviewed commit, a tag, a pull request of a fork, and one that ended', () => {
  const jobs = known(
    eventsOf(`
    09:00     mallory pushes evil to acme/app main
    09:00:05  mallory starts run 7 of ci in acme/app at evil
    09:00:06  mallory starts job deploy of run 7 (to production)
    09:20     mallory tags evil of acme/app as v9
    09:20:05  mallory starts run 8 of release in acme/app at evil (on v9)
    09:20:06  mallory starts job publish of run 8 (to production)
    09:20:09  mallory finishes job publish of run 8 (to production)
    09:30     eve     opens #13 in acme/app from x at f (of fork eve; association NONE)
    09:30:05  eve     starts run 9 of ci in acme/app at f (on x; of fork eve; trigger pull_request)
    09:30:06  eve     starts job test of run 9 (to preview)
    `),
  );
  expect(jobs.get('7 deploy')!.known.reviewed.is).toBe('unreviewed');
  expect(jobs.get('8 publish')).toMatchObject({ job: { ref: 'refs/tags/v9' }, known: { job: 'ended' } });
  expect(jobs.get('9 test')!.known).toMatchObject({ fork: true });
});

test('of a branch of which nothing was received, nothing is known: that it was there before is a guess', () => {
  const jobs = known(
    eventsOf(`
    09:00     carol   starts run 7 of ci in acme/other at evil
    09:00:01  carol   starts job deploy of run 7 (to production)`),
  );
  expect(jobs.get('7 deploy')!.known.reviewed).toMatchObject({ is: 'unknown' });
});

test('where no event says where the head lies, it may be a fork’s', () => {
  const events = eventsOf(merged);
  const headless = events.map((event) => {
    const { 'tripline.head.fork': _, ...data } = event.data as Record<string, unknown>;
    return { ...event, data } as never;
  });
  expect(known(headless).get('7 deploy')!.known.fork).toBeUndefined();
  const toldLater = events.map((event, at) =>
    event.type === 'dev.cdevents.pipelinerun.queued' ? headless[at]! : event,
  );
  expect(
    known([...toldLater, ...eventsOf(`${merged}\n  09:12 carol finishes run 7`).slice(-1)]).get('7 deploy')!.known.fork,
  ).toBe(false);
});

test('a job is named as its token names it', () => {
  const events = eventsOf(merged);
  const id = events.at(-1)!.data['cicd.pipeline.task.run.id' as never];
  expect(known(events).get('7 deploy')!.job.checkRunId).toBe(id);
  const other = events.map((event) =>
    event.type === 'dev.cdevents.taskrun.started'
      ? ({ ...event, data: { ...event.data, 'cicd.pipeline.task.check_run.id': '501' } } as never)
      : event,
  );
  expect(known(other).get('7 deploy')).toMatchObject({ job: { checkRunId: '501' }, startedMs: expect.any(Number) });
});

test('where a commit was deployed counts by runs alone: anybody may write a deployment', () => {
  const jobs = known(
    eventsOf(`${merged}
    09:11     carol   reports deployment of run 7 to staging
    09:12     mallory deploys m of acme/app to canary
    `),
  );
  expect(jobs.get('7 deploy')!.known.deployedTo).toEqual(['staging']);
});

test('a machine of one’s own is known by an inventory or a pool, and its group is told', () => {
  const text = `${merged}
    09:11     carol   starts run 8 of ci in acme/app at m
    09:11:01  carol   starts job build of run 8 (on box-1; group deployers; group id 7)`;
  expect(known(eventsOf(text)).get('8 build')!.known.runner).toEqual({ group: 'deployers', isKnown: false });
  const pools = [{ groupId: '7', namePrefix: 'box-' }];
  expect(known(eventsOf(text), { pools }).get('8 build')!.known.runner).toEqual({ group: 'deployers', isKnown: true });
});

test('an attempt of which no job is kept tells what all of its jobs share', () => {
  let last: readonly LoggedJob[] = [];
  const rule = readingRuns((_, __, jobs) => {
    last = jobs;
  });
  const events = eventsOf(merged).slice(0, -1);
  playTimeline({ rules: [rule], events: [inventory, ...events], untilMs: Date.parse('2026-03-12T12:00:00Z') });
  expect(last).toMatchObject([
    { name: '', job: { checkRunId: null, sha: shaOf('m') }, known: { job: 'unknown', reviewed: { is: 'reviewed' } } },
  ]);
});

test('plain jobs are known of the files that policies name', () => {
  const text = `${merged}
    09:11     carol   starts job build of run 7`;
  expect([...known(eventsOf(text)).keys()]).toEqual(['7 deploy']);
  expect([...known(eventsOf(text), { workflows: ['.github/workflows/ci.yml'] }).keys()].sort()).toEqual([
    '7 build',
    '7 deploy',
  ]);
});

test('property: what is known in the end is the same in any order', () => {
  const events = eventsOf(`${merged}
    09:11     carol   reports deployment of run 7 to staging
    09:12     carol   starts job build of run 7 (on box-1; group deployers; group id 7)
    09:13     carol   finishes job deploy of run 7 (to production)`);
  const comparable = (told: Map<string, LoggedJob>) =>
    Object.fromEntries(
      [...told].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, job]) => [name, { ...job, known: job.known }]),
    );
  const inOrder = comparable(known(events));
  const random = seeded(11);
  for (let shuffle = 0; shuffle < 40; shuffle += 1)
    expect(comparable(known(permuted(events, random) as typeof events))).toEqual(inOrder);
});
