import { expectSameInAnyOrder } from '@tripline/testing/timeline/any-order';
import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { at, playTimeline } from '@tripline/testing/timeline/play';
import { expect, test } from 'vitest';
import { rule } from './grant-outlived-job.ts';

const startMs = Date.parse('2026-03-11T09:00:00Z');
const s = (seconds: number) => startMs + seconds * 1000;
const iso = (seconds: number) => new Date(s(seconds)).toISOString();
const settings = {
  [rule.id]: { grantingWorkflows: ['acme/access/.github/workflows/grant.yml'], grantingActors: ['broker[bot]'] },
};
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
    decidingEvent: 'grant',
    detectedAt: iso(160),
    response: [
      {
        action: 'revoke-grant',
        provider: 'github',
        instance: 'github.com',
        grant: 'collaborator',
        repository: 'acme/app',
        user: 'grace',
      },
    ],
  });
  expect(findings[0]!.evidence.map((line) => line.time)).toEqual([iso(10), iso(20)]);
  expectSameInAnyOrder({ rules: [rule], events, settings, untilMs }, found);
});

test('a grant that is taken back in time is quiet in any order, and so is one that no job gave', () => {
  const timeline = { rules: [rule], settings, untilMs };
  expectSameInAnyOrder({ ...timeline, events: [run, started, granted(20), removed(90), finished] }, []);
  expectSameInAnyOrder({ ...timeline, events: [run, started, granted(20), finished, removed(150)] }, []);
  expectSameInAnyOrder({ ...timeline, events: [run, started, finished, granted(900)] }, []);
});

test('a removal in time that is received late takes the finding back; one that came too late does not', () => {
  const late = { ...removed(90), atMs: s(3600), time: iso(90) };
  const played = playTimeline({
    rules: [rule],
    events: [run, started, granted(20), finished, late],
    settings,
    untilMs,
  });
  expect(played.findings).toEqual([]);
  expect(played.retracted.map(({ reason }) => reason)).toEqual(['it was removed in time']);
  expectSameInAnyOrder(
    { rules: [rule], events: [run, started, granted(20), finished, removed(600)], settings, untilMs },
    found,
  );
});

test('a job whose end is never received counts as ended after six hours', () => {
  const events = [run, started, granted(20)];
  const { findings } = playTimeline({ rules: [rule], events, settings, untilMs });
  expect(findings[0]).toMatchObject({ confidence: 'medium', detectedAt: iso(10 + 6 * 3600 + 60) });
  expectSameInAnyOrder({ rules: [rule], events, settings, untilMs }, found);
});

const record = (from: number, to: number) =>
  at(s(from), 'dev.cdeventsx.tripline-breakglass.opened', {
    'tripline.breakglass.id': 'bg-1',
    'tripline.breakglass.actor': 'broker[bot]',
    'tripline.breakglass.reason': 'production is down',
    'tripline.breakglass.expires_at': iso(to),
  });

test('what break-glass excused is judged again when it ends: taken back by then or found', () => {
  for (const more of [settings, {}]) {
    const timeline = { rules: [rule], settings: more, untilMs };
    const { findings } = playTimeline({ ...timeline, events: [record(0, 3600), granted(20)] });
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({
      title: 'Access to acme/app for grace (admin) outlived the break-glass under which it was given',
      severity: 'high',
      detectedAt: iso(3660),
      response: [
        {
          action: 'revoke-grant',
          provider: 'github',
          instance: 'github.com',
          grant: 'collaborator',
          repository: 'acme/app',
          user: 'grace',
        },
      ],
    });
    expect(findings[0]!.evidence.map(({ time }) => time)).toEqual([iso(0), iso(20)]);
    expect(playTimeline({ ...timeline, events: [record(0, 3600), granted(20)], untilMs: s(3659) }).all).toEqual([]);
    expect(playTimeline({ ...timeline, events: [record(0, 3600), granted(20), removed(3000)] }).all).toEqual([]);
    expect(playTimeline({ ...timeline, events: [granted(20), record(30, 3600)] }).all).toEqual([]);
  }
});

test('a grant under break-glass that a job covers too may stay until the end of both', () => {
  const events = [run, started, record(15, 3600), granted(20), finished];
  const { findings } = playTimeline({ rules: [rule], events, settings, untilMs });
  expect(findings.map(({ detectedAt }) => detectedAt)).toEqual([iso(3660)]);
});

test('a hundred grants that nothing watches do not push out one that is watched', () => {
  const noise = Array.from({ length: 150 }, (_, nth) =>
    at(
      s(30 + nth),
      'dev.cdeventsx.tripline-grant.added',
      { ...access, 'user.name': 'eve', 'tripline.grant.grantee': `sock-${nth}` },
      { id: `noise-${nth}` },
    ),
  );
  const { findings } = playTimeline({
    rules: [rule],
    events: [record(0, 3600), granted(20), ...noise],
    settings,
    untilMs,
  });
  expect(findings.map(({ occasion }) => occasion)).toEqual(['grant']);
});

test('of any number that one job or one record leaves behind, each is found, the first one too', () => {
  const many = Array.from({ length: 250 }, (_, nth) =>
    at(
      s(21 + nth / 10),
      'dev.cdeventsx.tripline-grant.added',
      { ...access, 'tripline.grant.grantee': `sock-${nth}` },
      { id: `other-${nth}` },
    ),
  );
  for (const allowed of [[record(0, 3600)], [run, started, finished]]) {
    const events = [...allowed, granted(20), ...many];
    const { findings, poison } = playTimeline({ rules: [rule], events, settings, untilMs });
    expect(poison).toEqual([]);
    expect(findings).toHaveLength(251);
    expect(findings.map(({ occasion }) => occasion)).toContain('grant');
    expect(findings.every(({ severity, response }) => severity === 'high' && response.length === 1)).toBe(true);
  }
});

test('a team or an app is no person of that name', () => {
  const team = { ...access, 'tripline.grant.kind': 'team-repository', 'tripline.grant.grantee': 'ada' } as const;
  const given = at(s(20), 'dev.cdeventsx.tripline-grant.added', team, { id: 'grant' });
  for (const events of [
    [run, started, given, finished],
    [record(0, 3600), given],
  ]) {
    const { findings } = playTimeline({ rules: [rule], events, settings, untilMs });
    expect(findings).toHaveLength(1);
    expect(findings[0]!.entities).not.toContainEqual(expect.objectContaining({ kind: 'user', id: 'ada' }));
  }
});

test('a right that was raised is taken back by what leaves no more than was held before', () => {
  const granting = {
    grantingWorkflows: ['acme/access/.github/workflows/grant.yml'],
    grantingActors: ['acme-broker[bot]'],
  };
  const text = (back: string, mark = '') => `
    09:00     ada               starts run 7 of grant in acme/access at c1 (trigger workflow_dispatch)
    09:00:10  ada               starts job grant of run 7
    09:01     acme-broker[bot]  gives bob admin on acme/app (formerly push)
    09:05     acme-broker[bot]  gives bob ${back} on acme/app (formerly admin)
    09:06     ada               finishes job grant of run 7
    09:08     nothing happens   ${mark}`;
  const options = { settings: { [rule.id]: granting } };
  expectTimeline(rule, text('push'), options);
  expectTimeline(rule, text('maintain', '← FOUND collaborator:bob@acme/app'), options);
});
