import type { EventData } from '@tripline/contracts/event';
import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { at, playTimeline } from '@tripline/testing/timeline/play';
import { expect, test } from 'vitest';
import { rule } from './app-permission-escalated.ts';

const subject = 'app-installation:helper@acme';

test('an app that may change workflows is installed', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  ada  installs app helper on acme (on acme/app; to contents, workflows)    ← FOUND ${subject} [medium/high]
    10:00  ada  installs app reader on acme (on acme/app)
    11:00  ada  removes app helper from acme
    `,
  );
  expect(findings[0]!.title).toBe('ada opened acme to app helper, which may write workflows');
  expect(findings[0]!.response).toMatchObject([
    { action: 'revoke-grant', grant: 'app-installation', organization: 'acme', app: 'helper' },
  ]);
});

test('one that may write contents informs; the App by which Tripline reads is silent', () => {
  const text = '09:00  ada  installs app helper on acme (to contents)';
  const { findings } = expectTimeline(rule, `${text}   ← FOUND ${subject} [low/high]`);
  expect(findings[0]!.title).toBe('ada opened all repositories of acme to app helper, which may write contents');
  const app = findings[0]!.entities.find(({ kind }) => kind === 'grant')!;
  expect(app.id).toBe(subject);
});

const startMs = Date.parse('2026-03-11T09:00:00Z');
const told = (
  permissions: Record<string, string>,
  more: Partial<EventData<'dev.cdeventsx.tripline-grant.changed'>> = {},
) =>
  at(startMs, 'dev.cdeventsx.tripline-grant.changed', {
    ...{ 'tripline.grant.kind': 'app-installation', 'tripline.grant.grantee': 'helper' },
    ...{ 'tripline.grant.grantee_id': '7', 'tripline.grant.id': '70', 'tripline.grant.target': 'acme' },
    ...{ 'tripline.grant.target_id': '77', 'vcs.owner.name': 'acme', 'user.name': 'ada', 'user.id': '5' },
    'tripline.grant.permissions': permissions,
    ...more,
  });

test('permissions that are accepted count as given, and those that only read as nothing', () => {
  const play = (event: ReturnType<typeof told>, settings = {}) =>
    playTimeline({
      rules: [rule],
      events: [event],
      untilMs: startMs + 1000,
      settings: { 'app-permission-escalated': settings },
    }).findings;
  const [found] = play(told({ administration: 'write', metadata: 'read' }));
  expect(found).toMatchObject({
    severity: 'medium',
    title: 'ada accepted new permissions of app helper on acme: it may write administration',
  });
  expect(play(told({ metadata: 'read', contents: 'read' }))).toEqual([]);
  expect(play(told({ administration: 'write' }), { ownApps: ['7'] })).toEqual([]);
});

test('where a granting workflow could have installed it, it is a step graver: what is broad pages, and what is not does not', () => {
  const granting = {
    grantingWorkflows: ['acme/access/.github/workflows/grant.yml'],
    grantingActors: ['broker[bot]'],
  };
  const settings = { 'app-permission-escalated': granting };
  expectTimeline(
    rule,
    `
    09:00  ada  installs app helper on acme (on acme/app; to contents)             ← FOUND app-installation:helper@acme [medium]
    09:10  ada  installs app deployer on acme (on acme/app; to contents, secrets)  ← FOUND app-installation:deployer@acme [high]
    `,
    { settings },
  );
});
