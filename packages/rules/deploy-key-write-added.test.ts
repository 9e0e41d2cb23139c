import { seeded } from '@tripline/testing/timeline/any-order';
import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { at, type LoggedEventInput, permuted, playTimeline } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { rule } from './deploy-key-write-added.ts';
import { rule as wider } from './privilege-grant-outside-job.ts';

test('a key that may write is found, one that only reads is not', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  ada      adds deploy key reader to acme/app (read-only; id 11)
    09:01  mallory  adds deploy key "my laptop" to acme/app (id 12)    ← FOUND deploy-key:my laptop@acme/app [high/high]
    09:02  ada      gives bob admin on acme/app
    `,
  );
  expect(findings[0]!.title).toBe('mallory added a deploy key that may write to acme/app');
  expect(findings[0]!.entities).toContainEqual(expect.objectContaining({ kind: 'user', id: 'mallory' }));
  expect(findings[0]!.response).toMatchObject([
    { action: 'revoke-credential', instance: 'github.com', repository: 'acme/app', credentialId: '12' },
  ]);
});

test('each key is one finding, also of two with one title or none', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  mallory  adds deploy key ci to acme/app (id 12)         ← FOUND deploy-key:ci@acme/app
    09:01  mallory  adds deploy key ci to acme/app (id 13)         ← FOUND deploy-key:ci@acme/app
    09:02  mallory  removes deploy key ci from acme/app (id 12)
    09:03  mallory  adds deploy key "" to acme/lib (id 14)         ← FOUND deploy-key:a key without a title@acme/lib
    `,
  );
  // Nothing is left to take back of the one that was removed.
  expect(findings.map(({ response }) => response.length)).toEqual([1, 1, 1]);
});

describe('beside the wider rule', () => {
  const granting = {
    grantingWorkflows: ['acme/access/.github/workflows/grant.yml'],
    grantingActors: ['broker[bot]'],
  };
  const startMs = Date.parse('2026-03-11T09:00:00Z');
  const s = (seconds: number) => startMs + seconds * 1000;
  const access = { 'vcs.owner.name': 'acme', 'vcs.repository.name': 'acme/access', 'cicd.pipeline.run.id': '500' };
  const job = { ...access, 'cicd.pipeline.task.run.id': '501', 'cicd.pipeline.task.name': 'grant', 'user.name': 'ada' };
  const startedAt = { 'tripline.task.started_at': new Date(s(10)).toISOString() };
  const windowOfGranting: LoggedEventInput[] = [
    at(s(0), 'dev.cdevents.pipelinerun.queued', {
      ...access,
      'vcs.ref.head.revision': 'a'.repeat(40),
      'vcs.ref.head.name': 'main',
      'tripline.repository.default_branch': 'main',
      'tripline.pipeline.path': '.github/workflows/grant.yml',
      'user.name': 'ada',
    }),
    at(s(10), 'dev.cdevents.taskrun.started', { ...job, ...startedAt }),
    at(s(90), 'dev.cdevents.taskrun.finished', {
      ...{ ...job, ...startedAt, 'tripline.task.completed_at': new Date(s(90)).toISOString() },
    }),
  ];
  const key = (seconds: number, by: string) =>
    at(
      s(seconds),
      'dev.cdeventsx.tripline-grant.added',
      {
        ...{ 'vcs.owner.name': 'acme', 'vcs.repository.name': 'acme/app', 'user.name': by },
        ...{ 'tripline.grant.kind': 'deploy-key', 'tripline.grant.id': '12', 'tripline.grant.grantee': 'ci' },
        ...{ 'tripline.grant.target': 'acme/app', 'tripline.grant.permission': 'write' },
      },
      { id: 'key' },
    );
  const play = (events: LoggedEventInput[], settings: Record<string, unknown> = granting) =>
    playTimeline({
      ...{ rules: [wider, rule], events, untilMs: s(6 * 3600) },
      settings: { [rule.id]: settings, [wider.id]: settings },
    });
  const standing = (events: LoggedEventInput[], settings?: Record<string, unknown>) => {
    const { findings, superseded, poison } = play(events, settings);
    expect(poison).toEqual([]);
    return findings.map((one) => (superseded.has(one.id) ? `(${one.rule})` : `${one.rule} ${one.severity}`)).sort();
  };

  test.each([
    ['with a granting workflow', granting],
    ['without one', {}],
  ])('of a key that nobody authorised this one tells, %s', (_, settings) => {
    const wanted = ['(privilege-grant-outside-job)', 'deploy-key-write-added high'];
    expect(standing([key(50, 'mallory')], settings)).toEqual(wanted);
    expect(standing([...windowOfGranting, key(50, 'mallory')], settings)).toEqual(wanted);
    expect(play([key(50, 'mallory')], settings).changes).toEqual([]);
  });

  test('a key that a granting workflow rightly adds is silent in both, whatever comes first', () => {
    const random = seeded(5);
    for (let shuffle = 0; shuffle < 30; shuffle += 1) {
      expect(standing(permuted([...windowOfGranting, key(50, 'broker[bot]')], random))).toEqual([]);
    }
    // The job is received an hour late: both had found the key, and take that back at once.
    const late = windowOfGranting.map((event) => ({
      ...{ ...event, atMs: event.atMs + 3_600_000 },
      time: new Date(event.atMs).toISOString(),
    }));
    const { findings, retracted, changes } = play([key(50, 'broker[bot]'), ...late]);
    expect(findings).toEqual([]);
    expect(retracted.map((one) => one.rule).sort()).toEqual([rule.id, wider.id]);
    expect(changes).toEqual([]);
  });

  test('what the granting account adds outside any job is told by this one', () => {
    expect(standing([key(50, 'broker[bot]')])).toEqual([
      '(privilege-grant-outside-job)',
      'deploy-key-write-added high',
    ]);
  });
});
