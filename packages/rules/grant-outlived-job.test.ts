import { expect, test } from 'vitest';
import { expectSameInAnyOrder } from './any-order.ts';
import { rule } from './grant-outlived-job.ts';
import { at, playTimeline } from './test-kit.ts';

const startMs = Date.parse('2026-03-11T09:00:00Z');
const s = (seconds: number) => startMs + seconds * 1000;
const iso = (seconds: number) => new Date(s(seconds)).toISOString();
const settings = { [rule.id]: { brokers: ['acme/access/.github/workflows/grant.yml'], brokerActors: ['broker[bot]'] } };
const untilMs = s(120 * 3600);

const run = at(s(0), 'dev.cdevents.pipelinerun.queued', {
  'vcs.repository.name': 'acme/access',
  'cicd.pipeline.run.id': '500',
  'vcs.ref.head.revision': 'a'.repeat(40),
  'vcs.ref.head.name': 'main',
  'tripline.repository.default_branch': 'main',
  'tripline.pipeline.path': '.github/workflows/grant.yml',
  'tripline.pipeline.triggered_by': 'ada',
});
const task = {
  'vcs.repository.name': 'acme/access',
  'cicd.pipeline.run.id': '500',
  'cicd.pipeline.task.run.id': '501',
  'cicd.pipeline.task.name': 'grant',
  'tripline.task.started_at': iso(10),
} as const;
const started = at(s(10), 'dev.cdevents.taskrun.started', task);
const finished = at(
  s(100),
  'dev.cdevents.taskrun.finished',
  { ...task, 'tripline.task.completed_at': iso(100) },
  { id: 'end' },
);
const access = {
  'vcs.owner.name': 'acme',
  'user.name': 'broker[bot]',
  'tripline.grant.kind': 'collaborator',
  'tripline.grant.grantee': 'grace',
  'tripline.grant.target': 'acme/app',
  'tripline.grant.permission': 'admin',
} as const;
const granted = (seconds: number) => at(s(seconds), 'dev.cdeventsx.tripline-grant.added', access, { id: 'grant' });
const removed = (seconds: number) => at(s(seconds), 'dev.cdeventsx.tripline-grant.removed', access, { id: 'removal' });
const found = ['grant-outlived-job collaborator:grace@acme/app grant'];

test('a grant that its job leaves behind is found when the grace is over', () => {
  const events = [run, started, granted(20), finished];
  const { findings } = playTimeline({ rules: [rule], events, settings, untilMs });
  expect(findings).toHaveLength(1);
  expect(findings[0]).toMatchObject({
    severity: 'high',
    confidence: 'high',
    decidingEvent: 'end',
    detectedAt: iso(160),
    response: [{ action: 'withdraw-grant', grant: 'collaborator', repository: 'acme/app', user: 'grace' }],
  });
  expect(findings[0]!.evidence.map((line) => line.time)).toEqual([iso(10), iso(20), iso(100)]);
  expectSameInAnyOrder({ rules: [rule], events, settings, untilMs }, found);
});

test('a grant that is taken back in time is quiet in any order, and so is one that no job gave', () => {
  const story = { rules: [rule], settings, untilMs };
  expectSameInAnyOrder({ ...story, events: [run, started, granted(20), removed(90), finished] }, []);
  expectSameInAnyOrder({ ...story, events: [run, started, granted(20), finished, removed(150)] }, []);
  expectSameInAnyOrder({ ...story, events: [run, started, finished, granted(900)] }, []);
});

test('a removal in time that is heard of late takes the finding back; one that came too late does not', () => {
  const late = { ...removed(90), atMs: s(3600), time: iso(90) };
  const played = playTimeline({
    rules: [rule],
    events: [run, started, granted(20), finished, late],
    settings,
    untilMs,
  });
  expect(played.findings).toEqual([]);
  expect(played.withdrawn.map(({ reason }) => reason)).toEqual(['it was removed in time']);
  expectSameInAnyOrder(
    { rules: [rule], events: [run, started, granted(20), finished, removed(600)], settings, untilMs },
    found,
  );
});

test('a job whose end is never heard of counts as ended after six hours', () => {
  const events = [run, started, granted(20)];
  const { findings } = playTimeline({ rules: [rule], events, settings, untilMs });
  expect(findings[0]).toMatchObject({ confidence: 'medium', detectedAt: iso(10 + 6 * 3600 + 60) });
  expectSameInAnyOrder({ rules: [rule], events, settings, untilMs }, found);
});
