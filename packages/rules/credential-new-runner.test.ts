import type { Attributes } from '@tripline/contracts/attributes';
import { expectSameInAnyOrder } from '@tripline/testing/timeline/any-order';
import { at, type LoggedEventInput, playTimeline } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { rule as unreviewed } from './build-from-unreviewed-commit.ts';
import { rule } from './credential-new-runner.ts';

const startMs = Date.parse('2026-03-11T09:00:00Z');
const s = (seconds: number) => startMs + seconds * 1000;
const iso = (seconds: number) => new Date(s(seconds)).toISOString();
const day = 86_400;
const repository = 'acme/app';
const path = '.github/workflows/deploy.yml';
const of = { 'vcs.repository.name': repository, 'vcs.owner.name': 'acme', 'cicd.pipeline.run.id': '700' } as const;

const inventory = at(s(-60), 'dev.cdeventsx.tripline-inventory.observed', {
  'tripline.inventory.part': 1,
  'tripline.inventory.parts': 1,
  'tripline.inventory.runners': [{ id: '1', name: 'build-01', groupId: '1', labels: [] }],
  'tripline.inventory.credential_uses': [
    { credential: `workflow:${repository}/${path}`, runner: 'self-hosted:1:build-01' },
    { credential: 'token:abc=', runner: 'hosted:GitHub Actions:ubuntu-latest' },
  ],
});
const known = { 'cicd.worker.id': '1', 'cicd.worker.name': 'build-01', 'tripline.worker.hosted': false } as const;
const rogue = { 'cicd.worker.id': '99', 'cicd.worker.name': 'x7', 'tripline.worker.hosted': false } as const;
const hosted = (id: string, label = 'ubuntu-latest') =>
  ({
    'cicd.worker.id': id,
    'cicd.worker.name': `GitHub Actions ${id}`,
    'tripline.worker.hosted': true,
    'tripline.worker.labels': [label],
    'tripline.worker.group.name': 'GitHub Actions',
  }) satisfies Attributes;
const production = { 'deployment.environment.name': 'production' } as const;
const task = (seconds: number, more: Attributes, phase: 'started' | 'finished' = 'started') =>
  at(s(seconds), `dev.cdevents.taskrun.${phase}`, {
    ...of,
    'cicd.pipeline.task.run.id': '701',
    'cicd.pipeline.task.name': 'deploy',
    ...more,
  });
const run = (seconds: number) =>
  at(s(seconds), 'dev.cdevents.pipelinerun.queued', {
    ...of,
    'vcs.ref.head.revision': 'a'.repeat(40),
    'tripline.pipeline.path': path,
    'cicd.pipeline.name': 'Deploy',
  });
const used = (seconds: number, more: Attributes) =>
  at(s(seconds), 'dev.cdeventsx.tripline-credential.used', { ...of, 'tripline.credential.id': 'x', ...more });
const registered = (seconds: number, by: string, when: number) =>
  at(s(seconds), 'dev.cdeventsx.tripline-runner.registered', {
    ...rogue,
    'cicd.worker.id': '99',
    'tripline.runner.registered_by': by,
    'tripline.runner.registered_at': iso(when),
  });
const story = (events: readonly LoggedEventInput[], settings: Record<string, unknown> = {}) => ({
  rules: [rule],
  before: [inventory],
  events,
  settings: { [rule.id]: settings },
  untilMs: s(80 * 3600),
});
const play = (events: readonly LoggedEventInput[], settings: Record<string, unknown> = {}) => {
  const { before, ...rest } = story(events, settings);
  const played = playTimeline({ ...rest, events: [...before, ...events] });
  expect(played.poison).toEqual([]);
  return played;
};
const found = [`credential-new-runner self-hosted:99:x7 ${repository}#700/1`];

describe('with webhooks only', () => {
  test('a deployment on an unknown runner cancels the run, then removes the runner; in any order', () => {
    const events = [run(0), task(1, { ...rogue, ...production }), task(9, { ...rogue, ...production }, 'finished')];
    const { findings } = play(events);
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({ severity: 'critical', confidence: 'medium', detectedAt: iso(1) });
    expect(findings[0]!.response).toEqual([
      { action: 'stop-run', provider: 'github', instance: 'github.com', repository, runId: '700' },
      {
        action: 'isolate-runner',
        provider: 'github',
        instance: 'github.com',
        organization: 'acme',
        runnerId: '99',
        runnerName: 'x7',
      },
    ]);
    expectSameInAnyOrder(story(events), found);
  });

  test('a workflow known to use secrets is enough, at low confidence; in any order', () => {
    const events = [run(0), task(1, rogue)];
    expect(play(events).findings[0]).toMatchObject({ confidence: 'low' });
    expectSameInAnyOrder(story(events), found);
  });

  test('a known runner, a hosted one, and a job without secrets are quiet', () => {
    expectSameInAnyOrder(story([run(0), task(1, { ...known, ...production })]), []);
    expectSameInAnyOrder(story([run(0), task(1, { ...hosted('5'), ...production })]), []);
    expectSameInAnyOrder(story([task(1, rogue), task(9, rogue, 'finished')]), []);
  });

  test('a known runner that is in another group than the inventory says is found', () => {
    const moved = { ...known, ...production, 'tripline.worker.group.id': '7' };
    expect(play([task(1, moved)]).findings).toHaveLength(1);
    expect(play([task(1, { ...moved, 'tripline.worker.group.id': '1' })]).findings).toEqual([]);
  });
});

describe('with the audit stream', () => {
  test('a secret on an unknown runner is found at high confidence, by its name', () => {
    const events = [used(1, { ...rogue, 'tripline.credential.secrets': ['DEPLOY_KEY'] })];
    const { findings } = play(events);
    expect(findings[0]).toMatchObject({ confidence: 'high' });
    expect(findings[0]!.title).toContain('DEPLOY_KEY');
    expectSameInAnyOrder(story(events), found);
  });

  test('hosted runners count by their class: new ids are quiet, a new class is not', () => {
    const token = { 'tripline.credential.token_hash': 'abc=' };
    expectSameInAnyOrder(story([used(1, { ...hosted('5'), ...token }), used(2, { ...hosted('6'), ...token })]), []);
    expect(play([used(1, { ...hosted('5', 'windows-latest'), ...token })]).findings[0]).toMatchObject({
      severity: 'medium',
      confidence: 'low',
    });
  });

  test('a runner is known once a registrar registered it a day ago, even when that is heard of late', () => {
    const settings = { registrars: ['runner-controller[bot]'] };
    const job = task(3600, { ...rogue, ...production });
    expectSameInAnyOrder(story([registered(0, 'runner-controller[bot]', -2 * day), job], settings), []);
    expectSameInAnyOrder(story([registered(0, 'runner-controller[bot]', -3600), job], settings), found);
    expectSameInAnyOrder(story([registered(0, 'eve', -2 * day), job], settings), found);
    const { withdrawn } = play(
      [{ ...job, atMs: s(1), time: iso(1) }, registered(600, 'runner-controller[bot]', -2 * day)],
      settings,
    );
    expect(withdrawn).toHaveLength(1);
  });
});

describe('learning', () => {
  const learn = (events: readonly LoggedEventInput[], rules = [rule]) =>
    playTimeline({ rules, events, untilMs: s(40 * day), learningDays: 14 });
  const before = [task(0, { ...rogue, ...production }), task(9, { ...rogue, ...production }, 'finished')];
  const after = { ...task(20 * day, { ...rogue, ...production }), id: 'after' };

  test('what was used while learning is usual afterwards, and nothing is found meanwhile', () => {
    expect(learn([...before, after]).all).toEqual([]);
    expect(learn([before[0]!, after]).findings.map((finding) => finding.decidingEvent)).toEqual(['after']);
  });

  test('a pair that is not used for 90 days is new again', () => {
    const others = [30, 60, 90].map((days) => ({ ...task(days * day, hosted('5')), id: `other-${days}` }));
    const long = { ...task(120 * day, { ...rogue, ...production }), id: 'long' };
    const events = [...before, ...others, long];
    const { findings } = playTimeline({ rules: [rule], events, untilMs: s(121 * day), learningDays: 14 });
    expect(findings.map((finding) => finding.decidingEvent)).toEqual(['long']);
  });

  test('nothing is learned from a run that another rule found', () => {
    const push = at(s(-2), 'dev.cdeventsx.tripline-ref.pushed', {
      'vcs.repository.name': repository,
      'tripline.repository.default_branch': 'main',
      'vcs.ref.head.name': 'main',
      'vcs.ref.head.type': 'branch',
      'vcs.ref.head.revision': 'a'.repeat(40),
      'tripline.push.head_committer': 'eve',
    });
    const queued = at(s(-1), 'dev.cdevents.pipelinerun.queued', {
      ...of,
      'vcs.ref.head.name': 'main',
      'tripline.repository.default_branch': 'main',
      'vcs.ref.head.revision': 'a'.repeat(40),
      'tripline.pipeline.trigger': 'push',
    });
    const { findings } = learn([push, queued, ...before, after], [rule, unreviewed] as never);
    expect(findings.map((finding) => finding.rule).sort()).toEqual([unreviewed.id, rule.id].sort());
  });
});
