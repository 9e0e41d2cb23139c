import { at, playTimeline } from '@tripline/testing/timeline/play';
import { expect, test } from 'vitest';
import { rules } from './plain-runs.ts';

const data = { 'vcs.repository.name': 'acme/app', 'cicd.pipeline.run.id': '7', 'user.name': 'ada' } as const;
const found = (event: Parameters<typeof playTimeline>[0]['events'][number]) =>
  playTimeline({ rules, events: [event], untilMs: 2000 }).findings.map(({ rule, severity }) => [rule, severity]);

test('runs of forks, for those who ask for them', () => {
  const queued = (fork: boolean) =>
    at(1000, 'dev.cdevents.pipelinerun.queued', {
      ...{ ...data, 'vcs.ref.head.revision': 'a'.repeat(40), 'tripline.head.fork': fork },
      'tripline.head.repository': fork ? 'mallory/app' : 'acme/app',
    });
  expect(found(queued(true))).toEqual([['run-of-fork', 'low']]);
  expect(found(queued(false))).toEqual([]);
  expect(rules.every(({ offByDefault }) => offByDefault !== undefined)).toBe(true);
});

test('jobs on own machines, for those who ask for them', () => {
  const started = (hosted: boolean) =>
    at(1000, 'dev.cdevents.taskrun.started', {
      ...{ ...data, 'cicd.pipeline.task.run.id': '9', 'tripline.worker.hosted': hosted, 'cicd.worker.name': 'x7' },
    });
  expect(found(started(false))).toEqual([['run-on-own-machine', 'low']]);
  expect(found(started(true))).toEqual([]);
});
