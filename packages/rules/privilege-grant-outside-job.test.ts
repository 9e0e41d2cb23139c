import type { Attributes } from '@tripline/contracts/attributes';
import { expectSameInAnyOrder, standing } from '@tripline/testing/timeline/any-order';
import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { at, type LoggedEventInput, playTimeline } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { rule } from './privilege-grant-outside-job.ts';

const startMs = Date.parse('2026-03-11T09:00:00Z');
const s = (seconds: number) => startMs + seconds * 1000;
const iso = (seconds: number) => new Date(s(seconds)).toISOString();
const hour = 3600;
const granting = {
  'privilege-grant-outside-job': {
    grantingWorkflows: ['acme/access/.github/workflows/grant.yml'],
    grantingActors: ['acme-broker[bot]'],
  },
};
const bot = 'acme-broker[bot]';
const of = { 'vcs.owner.name': 'acme' } as const;

const invite = (seconds: number, by: string, more: Attributes = {}) =>
  at(
    s(seconds),
    'dev.cdeventsx.tripline-grant.added',
    {
      ...of,
      'user.name': by,
      'tripline.grant.kind': 'org-invitation',
      'tripline.grant.id': '77',
      'tripline.grant.grantee': 'mallory',
      'tripline.grant.target': 'acme',
      'tripline.grant.permission': 'direct_member',
      ...more,
    },
    { id: 'invite' },
  );
const run = (seconds: number, more: Attributes = {}) =>
  at(s(seconds), 'dev.cdevents.pipelinerun.queued', {
    ...of,
    'vcs.repository.name': 'acme/access',
    'cicd.pipeline.run.id': '500',
    'vcs.ref.head.revision': 'a'.repeat(40),
    'vcs.ref.head.name': 'main',
    'tripline.repository.default_branch': 'main',
    'tripline.pipeline.path': '.github/workflows/grant.yml',
    'tripline.pipeline.triggered_by': 'ada',
    'user.name': 'ada',
    ...more,
  });
const task = {
  ...of,
  'vcs.repository.name': 'acme/access',
  'cicd.pipeline.run.id': '500',
  'cicd.pipeline.task.run.id': '501',
  'cicd.pipeline.task.name': 'grant',
  'user.name': 'ada',
};
const started = (seconds: number) =>
  at(s(seconds), 'dev.cdevents.taskrun.started', { ...task, 'tripline.task.started_at': iso(seconds) });
const finished = (from: number, to: number) =>
  at(s(to), 'dev.cdevents.taskrun.finished', {
    ...task,
    'tripline.task.started_at': iso(from),
    'tripline.task.completed_at': iso(to),
  });
const breakGlass = (from: number, to: number, trust: 'high' | 'low' = 'high') =>
  at(
    s(from),
    'dev.cdeventsx.tripline-breakglass.opened',
    {
      'tripline.breakglass.id': 'bg-1',
      'tripline.breakglass.actor': 'ada',
      'tripline.breakglass.reason': 'on-boarding',
      'tripline.breakglass.expires_at': iso(to),
    },
    { trust },
  );
const play = (
  events: LoggedEventInput[],
  settings: Record<string, Record<string, unknown>> = granting,
  until = 120 * hour,
) => playTimeline({ rules: [rule], events, settings, untilMs: s(until) });

const found = 'privilege-grant-outside-job org-invitation:mallory@acme invite';

describe('without a granting workflow', () => {
  test('a grant informs at once, at low severity', () => {
    const { findings } = play([invite(0, 'ada')], {});
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({
      severity: 'low',
      confidence: 'medium',
      decidingEvent: 'invite',
      detectedAt: iso(0),
    });
    expect(findings[0]!.remedy.join(' ')).toContain('grantingWorkflows');
  });

  test('a grant by anybody but the granting account is found at once, with the step that takes it back', () => {
    const { findings } = play([invite(0, 'ada')]);
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({
      severity: 'high',
      confidence: 'high',
      decidingEvent: 'invite',
      detectedAt: iso(0),
      response: [
        {
          action: 'revoke-grant',
          provider: 'github',
          instance: 'github.com',
          grant: 'org-invitation',
          organization: 'acme',
          invitationId: '77',
          user: 'mallory',
        },
      ],
    });
    expect(findings[0]!.title).toContain('ada granted an invitation of mallory to acme');
  });

  test('a signed break-glass record explains what the named person grants after it; an unsigned or expired one does not', () => {
    expect(play([breakGlass(0, hour), invite(60, 'ada')], {}).all).toEqual([]);
    for (const events of [
      [breakGlass(0, 30), invite(60, 'ada')],
      [breakGlass(0, hour, 'low'), invite(60, 'ada')],
      [breakGlass(0, hour), invite(60, 'eve')],
    ]) {
      expect(standing({ rules: [rule], events, untilMs: s(120 * hour) })).toEqual([found]);
    }
  });

  test('a record that is received after the grant explains nothing and takes nothing back, however it is dated', () => {
    for (const settings of [{}, granting]) {
      for (const record of [
        breakGlass(61, hour),
        { ...breakGlass(24 * hour, 24 * hour), time: '2020-01-01T00:00:00Z' },
      ]) {
        const played = play([invite(60, 'ada'), record], settings);
        expect(played.findings).toHaveLength(1);
        expect(played.retracted).toEqual([]);
      }
    }
  });

  test('a record that is opened right after the grant does not have it held back once it was told', () => {
    const timeless = { 'tripline.time.received': true } as const;
    const again = { ...invite(20, 'ada', timeless), id: 'invite-again' };
    const events = [invite(0, 'ada', timeless), breakGlass(10, hour), again];
    for (const until of [1, 21, 200]) expect(play(events, granting, until).findings).toHaveLength(1);
  });

  test('a record explains a day at most, whatever it says', () => {
    const eternal = breakGlass(0, 1_000_000 * hour);
    expect(play([eternal, invite(23 * hour, 'ada')], {}).findings).toEqual([]);
    expect(play([eternal, invite(25 * hour, 'ada')], {}).findings).toHaveLength(1);
  });

  test('no number of records pushes another person’s out, and four of one person are enough', () => {
    const record = (id: string, actor: string, from: number, to: number) => {
      const { data, ...event } = breakGlass(from, to);
      const named = { ...data, 'tripline.breakglass.id': id, 'tripline.breakglass.actor': actor };
      return { ...event, data: named } as LoggedEventInput;
    };
    const forged = Array.from({ length: 300 }, (_, nth) => record(`f${nth}`, `nobody-${nth}`, 1, 99 * hour));
    expect(play([record('honest', 'ada', 0, hour), ...forged, invite(10, 'ada')], {}).findings).toEqual([]);
    const hers = Array.from({ length: 50 }, (_, nth) => record(`h${nth}`, 'Ada', 1, 2 + nth));
    expect(play([record('honest', 'ada', 0, hour), ...hers, invite(100, 'ada')], {}).findings).toEqual([]);
    const rows = play([record('honest', 'ada', 0, hour), ...forged, ...hers], {});
    expect(rows.poison).toEqual([]);
  });

  test('what only reads, and what lowers a right, is no privilege', () => {
    const quiet: Attributes[] = [
      {
        'tripline.grant.kind': 'collaborator',
        'tripline.grant.permission': 'read',
        'tripline.grant.target': 'acme/app',
      },
      { 'tripline.grant.kind': 'deploy-key', 'tripline.grant.permission': 'read', 'tripline.grant.target': 'acme/app' },
      { 'tripline.grant.kind': 'app-installation', 'tripline.grant.permissions': { contents: 'read' } },
      { 'tripline.grant.kind': 'user-authorization' },
    ];
    for (const more of quiet) expect(play([invite(0, 'ada', more)], {}).all).toEqual([]);
    const lowered = at(s(0), 'dev.cdeventsx.tripline-grant.changed', {
      'tripline.grant.kind': 'collaborator',
      'tripline.grant.grantee': 'bob',
      'tripline.grant.target': 'acme/app',
      'tripline.grant.permission': 'write',
      'tripline.grant.permission_before': 'admin',
    });
    expect(play([lowered], {}).all).toEqual([]);
  });

  test.each(['release-manager', 'constructor', '__proto__'])('a role of one’s own is one, also %s', (permission) => {
    const given = { 'tripline.grant.kind': 'collaborator', 'tripline.grant.target': 'acme/app' } as const;
    expect(play([invite(0, 'ada', { ...given, 'tripline.grant.permission': permission })], {}).findings).toHaveLength(
      1,
    );
  });

  test('each kind of grant has the response that takes it back', () => {
    const response = (more: Attributes) => play([invite(0, 'ada', more)]).findings[0]!.response;
    const repository = { 'tripline.grant.target': 'acme/app', 'tripline.grant.permission': 'admin' } as const;
    expect(response({ ...repository, 'tripline.grant.kind': 'collaborator' })).toEqual([
      {
        action: 'revoke-grant',
        provider: 'github',
        instance: 'github.com',
        grant: 'collaborator',
        repository: 'acme/app',
        user: 'mallory',
      },
    ]);
    expect(response({ ...repository, 'tripline.grant.kind': 'deploy-key' })).toEqual([
      {
        action: 'revoke-credential',
        provider: 'github',
        instance: 'github.com',
        credential: 'deploy-key',
        repository: 'acme/app',
        credentialId: '77',
      },
    ]);
    expect(
      response({
        'tripline.grant.kind': 'personal-access-token',
        'tripline.credential.id': '9',
        'tripline.grant.permissions': { contents: 'write' },
      }),
    ).toEqual([
      {
        action: 'revoke-credential',
        provider: 'github',
        instance: 'github.com',
        credential: 'personal-access-token',
        organization: 'acme',
        credentialId: '9',
        user: 'mallory',
      },
    ]);
    expect(
      response({
        ...repository,
        'tripline.grant.kind': 'team-repository',
        'tripline.grant.grantee': 'ops',
        'tripline.grant.team': 'ops',
      }),
    ).toEqual([
      {
        action: 'revoke-grant',
        provider: 'github',
        instance: 'github.com',
        grant: 'team-repository',
        organization: 'acme',
        team: 'ops',
        repository: 'acme/app',
      },
    ]);
  });
});

describe('with a granting workflow', () => {
  test('a grant inside a job of it is quiet, in any order', () => {
    const events = [run(0), started(10), invite(20, bot), finished(10, 30)];
    expectSameInAnyOrder({ rules: [rule], events, settings: granting, untilMs: s(120 * hour) }, []);
  });

  test('a grant outside of any job is held for the lateness, then found, in any order', () => {
    const events = [run(0), started(10), finished(10, 30), invite(600, bot)];
    expectSameInAnyOrder({ rules: [rule], events, settings: granting, untilMs: s(120 * hour) }, [found]);
    const { findings } = play(events);
    expect(findings[0]).toMatchObject({ confidence: 'high', detectedAt: iso(720) });
  });

  test('a job on another branch, or of another workflow, opens no window', () => {
    for (const more of [{ 'vcs.ref.head.name': 'evil' }, { 'tripline.pipeline.path': '.github/workflows/ci.yml' }]) {
      const events = [run(0, more), started(10), invite(20, bot), finished(10, 30)];
      expectSameInAnyOrder({ rules: [rule], events, settings: granting, untilMs: s(120 * hour) }, [found]);
    }
  });

  test('whoever set the job off, or anybody else, is not covered while it runs, and found at once', () => {
    for (const by of ['ada', 'eve']) {
      const { findings } = play([run(0), started(10), invite(20, by), finished(10, 30)]);
      expect(findings.map(({ detectedAt }) => detectedAt)).toEqual([iso(20)]);
    }
  });

  test('an account is known by its id too, and no longer by a login that somebody else has now', () => {
    const settings = {
      'privilege-grant-outside-job': { ...granting['privilege-grant-outside-job'], grantingActors: ['41'] },
    };
    const by = (id: string) => [run(0), started(10), invite(20, 'broker-account', { 'user.id': id }), finished(10, 30)];
    expect(play(by('41'), settings).findings).toEqual([]);
    expect(play(by('42'), settings).findings).toHaveLength(1);
  });

  test('a job whose end turns out to lie before the grant excuses nothing, however late it is received', () => {
    const late = { ...finished(10, 30), atMs: s(2 * hour), time: iso(30) };
    const { all, retracted } = play([run(0), started(10), invite(600, bot), late]);
    expect(all.map(({ title }) => title)).toHaveLength(1);
    expect(retracted).toEqual([]);
  });

  test('a job that is received late takes the finding back, with why', () => {
    const told = [run(0), started(10), finished(10, 30)].map((event) => ({
      ...event,
      time: new Date(event.atMs).toISOString(),
      atMs: event.atMs + hour * 1000,
    }));
    const { findings, retracted } = play([invite(20, bot), ...told]);
    expect(findings).toEqual([]);
    expect(retracted.map(({ reason }) => reason)).toEqual(['job grant of acme/access#500 was running']);
  });

  test('a job whose end is never received explains for six hours at the most', () => {
    const settings = { rules: [rule], settings: granting, untilMs: s(120 * hour) };
    expectSameInAnyOrder({ ...settings, events: [run(0), started(10), invite(5 * hour, bot)] }, []);
    expectSameInAnyOrder({ ...settings, events: [run(0), started(10), invite(7 * hour, bot)] }, [found]);
  });

  test('a source that tells of jobs only when they are over lowers the confidence', () => {
    const { findings } = play([run(0), finished(10, 30), invite(600, bot)]);
    expect(findings[0]!.confidence).toBe('low');
  });

  test('a membership is judged by the invitation that it accepts', () => {
    const member = at(
      s(9 * hour),
      'dev.cdeventsx.tripline-grant.added',
      {
        ...of,
        'user.name': 'mallory',
        'tripline.grant.kind': 'org-member',
        'tripline.grant.grantee': 'mallory',
        'tripline.grant.target': 'acme',
      },
      { id: 'member' },
    );
    const settings = { rules: [rule], settings: granting, untilMs: s(120 * hour) };
    expectSameInAnyOrder({ ...settings, events: [run(0), started(10), invite(20, bot), finished(10, 30), member] }, []);
    expectSameInAnyOrder({ ...settings, events: [run(0), started(10), finished(10, 30), invite(600, bot), member] }, [
      found,
      'privilege-grant-outside-job org-member:mallory@acme member',
    ]);
  });
});

test('each of many grants is found, and each costs the same', () => {
  const events = Array.from({ length: 150 }, (_, place) => ({
    ...invite(place, 'ada', { 'tripline.grant.grantee': `mallory-${place}`, 'tripline.grant.id': `${place}` }),
    id: `invite-${place}`,
  }));
  expect(standing({ rules: [rule], events, settings: granting, untilMs: s(120 * hour) })).toHaveLength(150);
});

describe('a default branch that is pushed to all day', () => {
  const grant = (commit: string, attempt: number) => `
    08:00     ada               pushes c0 to acme/access main
    08:30     ada               pushes c1 to acme/access main
    09:00     ada               starts run 7 of grant in acme/access at ${commit} (trigger workflow_dispatch; attempt ${attempt})
    09:00:10  ada               starts job grant of run 7
    09:01     acme-broker[bot]  gives bob push on acme/app`;
  const end = `
    09:10     acme-broker[bot]  takes bob off acme/app
    09:11     ada               finishes job grant of run 7`;
  const later = Array.from({ length: 40 }, (_, nth) => {
    return `${10 + Math.floor(nth / 4)}:${(nth % 4) + 1}0 ada pushes d${nth} to acme/access main`;
  }).join('\n');
  const options = { settings: granting, anyOrder: false, thenMs: 80 * 3_600_000 };

  test('makes no honest grant of this morning a finding', () => {
    expectTimeline(rule, `${grant('c1', 1)}${end}\n${later}`, options);
  });
  test('excuses no old run that was run again', () => {
    const found = '← FOUND collaborator:bob@acme/app';
    const text = `${grant('c0', 2)}\n09:04 nothing happens ${found}${end}\n${later}`;
    expectTimeline(rule, text, options);
  });
});
