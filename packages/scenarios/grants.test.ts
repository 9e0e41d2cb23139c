import { rulesByDefault as rules } from '@tripline/rules/registry';
import { organization, play, repository, startMs, told, user } from '@tripline/testing/deliveries';
import { type LoggedEventInput, type Played, playTimeline, type Timeline } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';

/** Grants through GitHub's own bodies and all rules: what an attacker tries, and what honest people do. */
const grantingApp = 'access-broker[bot]';
const granting = {
  grantingWorkflows: ['acme/access/.github/workflows/grant.yml'],
  grantingActors: [grantingApp],
};
const settings = { 'privilege-grant-outside-job': granting, 'grant-outlived-job': granting };
const hour = 3600;
const time = (s: number) => new Date(startMs + s * 1000).toISOString();
const sha = (digit: string) => digit.repeat(40);

type Late = { heard?: number; id?: string };
/** Heard later than it was sent; a body that bears no time is then taken for one of when it was received. */
function heard(s: number, event: LoggedEventInput & { id: string }): LoggedEventInput & { id: string } {
  const atMs = startMs + s * 1000;
  const isTimeless = (event.data as Record<string, unknown>)['tripline.time.received'] === true;
  return { ...event, atMs, ...(isTimeless ? { time: new Date(atMs).toISOString() } : {}) };
}
const member = (
  s: number,
  action: string,
  by: string,
  who: string,
  right: unknown = 'admin',
  where = 'infra',
  late: Late = {},
) => {
  const changes = typeof right === 'string' ? { permission: { to: right }, role_name: { to: right } } : right;
  const body = {
    action,
    member: user(who),
    repository: repository(where),
    ...(action === 'removed' ? {} : { changes }),
  };
  const event = told(s, 'member', by, body, late.id);
  return late.heard === undefined ? event : heard(late.heard, event);
};
const ofOrganization = (s: number, action: string, by: string, body: object) =>
  told(s, 'organization', by, { action, ...body });
const invited = (s: number, by: string, id: number, login: string | null) =>
  ofOrganization(s, 'member_invited', by, {
    invitation: {
      id,
      login,
      email: login === null ? 'x@y.example' : null,
      role: 'direct_member',
      created_at: time(s),
      inviter: user(by),
    },
    ...(login === null ? {} : { user: user(login) }),
  });
const joined = (s: number, who: string) =>
  ofOrganization(s, 'member_added', who, { membership: { role: 'member', state: 'active', user: user(who) } });
const deployKey = (s: number, action: 'created' | 'deleted', id: number, title: string, by: string) =>
  told(s, 'deploy_key', by, {
    ...{ action, repository: repository('infra') },
    key: { id, title, read_only: false, created_at: time(s), key: `ssh-ed25519 ${id}` },
  });
const team = (s: number, action: string, body: object, by = 'eve') =>
  told(s, 'team', by, {
    action,
    team: { id: 9, name: 'contractors', slug: 'contractors', permission: 'pull', privacy: 'closed' },
    ...body,
  });
const rights = (right: string) => {
  const order = ['pull', 'triage', 'push', 'maintain', 'admin'];
  return Object.fromEntries(order.map((one, place) => [one, place <= order.indexOf(right)]));
};
const onInfra = (right: string, role?: string) => ({
  repository: {
    ...repository('infra'),
    permissions: rights(right),
    ...(role === undefined ? {} : { role_name: role }),
  },
});
/** A run of the granting workflow that `by` set off, its job from `s` to `end`, or without an end. */
function grantingRun(
  s: number,
  end: number | null,
  by: string,
  id: number,
  head: { branch?: string; sha?: string; path?: string; of?: ReturnType<typeof repository> } = {},
) {
  const access = head.of ?? repository('access');
  const path = head.path ?? '.github/workflows/grant.yml';
  const at = { head_branch: head.branch ?? 'main', head_sha: head.sha ?? sha('a') };
  const workflow_run = {
    ...{ id, name: 'Grant', path, event: 'workflow_dispatch', status: 'queued', ...at, conclusion: null },
    ...{ head_repository: access, run_attempt: 1, pull_requests: [], referenced_workflows: [] },
    ...{
      created_at: time(s),
      updated_at: time(s),
      run_started_at: time(s),
      actor: user(by),
      triggering_actor: user(by),
    },
  };
  const workflow_job = (completed_at: string | null) => ({
    ...{ id: id * 10, run_id: id, run_attempt: 1, workflow_name: 'Grant', name: 'grant', ...at, labels: ['ubuntu'] },
    ...{ status: 'in_progress', conclusion: completed_at && 'success', created_at: time(s), started_at: time(s) },
    ...{ completed_at, runner_id: 4, runner_name: 'GitHub Actions 4', runner_group_id: 0, steps: [] },
  });
  const body = { workflow: { id: 1, name: 'Grant', path }, repository: access };
  return [
    told(s, 'workflow_run', by, { action: 'requested', workflow_run, ...body }),
    told(s, 'workflow_job', by, { action: 'in_progress', workflow_job: workflow_job(null), repository: access }),
    ...(end === null
      ? []
      : [
          told(end, 'workflow_job', by, {
            action: 'completed',
            workflow_job: workflow_job(time(end)),
            repository: access,
          }),
        ]),
  ];
}
const breakGlass = (s: number, actor: string, until: number, id = 'bg-1') =>
  ({
    ...{ atMs: startMs + s * 1000, type: 'dev.cdeventsx.tripline-breakglass.opened', id: `opened-${id}` },
    data: {
      ...{ 'tripline.breakglass.id': id, 'tripline.breakglass.actor': actor, 'tripline.breakglass.reason': 'outage' },
      'tripline.breakglass.expires_at': time(until),
    },
  }) as LoggedEventInput;

const outside = 'privilege-grant-outside-job';
const outlived = 'grant-outlived-job';
const seen = ({ findings }: Played) =>
  findings
    .filter(({ rule }) => rule === outside || rule === outlived)
    .map(({ rule, severity }) => `${rule} ${severity}`);
const after = (events: readonly LoggedEventInput[], more: Partial<Parameters<typeof play>[1]> = {}) =>
  play([...events], { settings, untilMs: startMs + 30 * hour * 1000, ...more });

describe('what is a grant', () => {
  test.each<[string, LoggedEventInput, boolean]>([
    [
      'a team that gets admin, whatever its own default says',
      team(0, 'added_to_repository', onInfra('admin', 'admin')),
      true,
    ],
    ['a team that gets read', team(0, 'added_to_repository', onInfra('pull')), false],
    [
      'a team raised from read to admin',
      team(0, 'edited', {
        changes: { repository: { permissions: { from: rights('pull') } } },
        ...onInfra('admin', 'admin'),
      }),
      true,
    ],
    [
      'a team lowered from admin to write',
      team(0, 'edited', { changes: { repository: { permissions: { from: rights('admin') } } }, ...onInfra('push') }),
      false,
    ],
    [
      'write to maintain',
      member(0, 'edited', 'eve', 'sock', {
        old_permission: { from: 'write' },
        permission: { from: 'write', to: 'maintain' },
      }),
      true,
    ],
    [
      'read to a role of one’s own',
      member(0, 'edited', 'eve', 'sock', { permission: { from: 'read', to: 'release-manager' } }),
      true,
    ],
    [
      'write to a role of one’s own',
      member(0, 'edited', 'eve', 'sock', { permission: { from: 'write', to: 'release-manager' } }),
      true,
    ],
    [
      'a role named pull whose base is admin',
      member(0, 'added', 'eve', 'sock', { permission: { to: 'admin' }, role_name: { to: 'pull' } }),
      true,
    ],
    [
      'a team moved beneath another',
      team(0, 'edited', {
        changes: { parent: { from: null } },
        team: {
          id: 9,
          name: 'contractors',
          slug: 'contractors',
          permission: 'pull',
          parent: { id: 1, name: 'admins', slug: 'admins' },
        },
      }),
      true,
    ],
    ['a new team with admin', team(0, 'created', { team: { id: 9, name: 'x', slug: 'x', permission: 'admin' } }), true],
    ['a new team', team(0, 'created', {}), false],
    [
      'a new owner',
      ofOrganization(0, 'member_added', 'eve', { membership: { role: 'admin', state: 'active', user: user('sock') } }),
      true,
    ],
    ['a deploy key without a title', deployKey(0, 'created', 1, '', 'eve'), true],
    ['a deploy key titled with nothing to see', deployKey(0, 'created', 1, '\u200b', 'eve'), true],
    ['a deploy key with a title of 4,000', deployKey(0, 'created', 1, 'y'.repeat(4000), 'eve'), true],
    ['a deploy key whose title is cut within a pair', deployKey(0, 'created', 1, `${'x'.repeat(199)}😀`, 'eve'), true],
    ['an invitation by address', invited(0, 'eve', 5, null), true],
    [
      'a member of a team without a slug',
      told(0, 'membership', 'eve', {
        action: 'added',
        scope: 'team',
        member: user('sock'),
        team: { id: 3, name: 'ops / 运维', slug: null },
      }),
      true,
    ],
    [
      'an app without a name',
      told(0, 'installation', 'eve', {
        action: 'created',
        installation: {
          id: 1,
          account: organization,
          app_slug: null,
          app_id: null,
          permissions: { contents: 'write' },
        },
      }),
      true,
    ],
    [
      'a token without an id of its own',
      told(0, 'personal_access_token_request', 'eve', {
        action: 'approved',
        personal_access_token_request: {
          id: 5,
          owner: user('sock'),
          permissions_result: { repository: { contents: 'write' } },
          repository_selection: 'all',
          created_at: time(0),
        },
      }),
      true,
    ],
  ])('%s', (_, event, isOne) => {
    expect(seen(after([event]))).toEqual(isOne ? [`${outside} high`] : []);
  });

  test('a team’s access that is told twice, once without saying which right, is what the other says', () => {
    const silent = told(1, 'team_add', 'eve', {
      team: { id: 9, name: 'contractors', slug: 'contractors', permission: 'pull' },
      repository: repository('infra'),
    });
    for (const right of ['pull', 'admin']) {
      const both = [team(0, 'added_to_repository', onInfra(right)), silent];
      for (const events of [both, both.toReversed().map((event, s) => ({ ...event, atMs: startMs + s * 1000 }))]) {
        expect(seen(after(events))).toEqual(right === 'pull' ? [] : [`${outside} high`]);
      }
    }
    expect(seen(after([silent]))).toEqual([`${outside} high`]);
  });

  test('our own App being installed is silent, another is not', () => {
    const installed = (app_id: number) =>
      told(0, 'installation', 'ada', {
        action: 'created',
        installation: { id: 1, account: organization, app_slug: 'x', app_id, permissions: { administration: 'write' } },
      });
    const own = { settings: { [outside]: { ...granting, ownApps: ['7'] } } };
    expect(seen(after([installed(7)], own))).toEqual([]);
    expect(seen(after([installed(8)], own))).toEqual([`${outside} high`]);
  });

  test('without a granting workflow, five people who join and get two teams each page nobody', () => {
    const events = Array.from({ length: 5 }, (_, nth) => [
      invited(nth * 10, 'ada', 100 + nth, `new-${nth}`),
      joined(nth * 10 + 5, `new-${nth}`),
      ...[1, 2].map((id) =>
        told(nth * 10 + 6 + id, 'membership', 'ada', {
          action: 'added',
          scope: 'team',
          member: user(`new-${nth}`),
          team: { id, name: `t${id}`, slug: `t${id}` },
        }),
      ),
    ]).flat();
    const found = seen(after(events, { settings: {} }));
    expect(found).toHaveLength(20);
    expect(new Set(found)).toEqual(new Set([`${outside} low`]));
  });
});

describe('what a job of the granting workflow excuses', () => {
  const kept = [
    ...grantingRun(0, 60, 'ada', 1),
    member(30, 'added', grantingApp, 'bob'),
    member(50, 'removed', grantingApp, 'bob'),
  ];
  test('is what its own account grants and takes back', () => {
    expect(seen(after(kept))).toEqual([]);
  });
  test('is not what whoever set it off grants by another token meanwhile, however long it is kept alive', () => {
    expect(
      seen(after([...grantingRun(0, 18_000, 'eve', 6), member(600, 'added', 'eve', 'sock', 'admin', 'crown-jewels')])),
    ).toEqual([`${outside} high`]);
  });
  test.each<[string, Partial<typeof granting>]>([
    ['in other case', { grantingWorkflows: ['Acme/Access/.github/workflows/grant.yml'] }],
    ['with @main', { grantingWorkflows: ['acme/access/.github/workflows/grant.yml@main'] }],
    ['with @refs/heads/main', { grantingWorkflows: ['acme/access/.github/workflows/grant.yml@refs/heads/main'] }],
    ['whose account is written in other case', { grantingActors: ['Access-Broker[bot]'] }],
  ])('does not hang on how it is written: %s', (_, more) => {
    const written = { ...granting, ...more };
    expect(seen(after(kept, { settings: { [outside]: written, [outlived]: written } }))).toEqual([]);
  });
  test.each<[string, object, RegExp]>([
    ['a workflow without an account', { grantingWorkflows: granting.grantingWorkflows }, /under whom/],
    ['what is no workflow', { grantingWorkflows: ['grant.yml'], grantingActors: ['x'] }, /owner\/name\/path/],
  ])('is refused at the start: %s', (_, written, why) => {
    expect(() => after([], { settings: { [outside]: written as Record<string, unknown> } })).toThrow(why);
  });
  describe('is of the repository that was first known by the name', () => {
    const former = grantingRun(-7000, -6900, 'ada', 4);
    const renamed = { ...repository('access'), name: 'access-2', full_name: 'acme/access-2' };
    const recreated = { ...repository('access'), id: 4711 };
    const renaming = told(-5000, 'repository', 'ada', {
      ...{ action: 'renamed', repository: renamed, changes: { repository: { name: { from: 'access' } } } },
    });
    const run = (of: ReturnType<typeof repository>) => grantingRun(0, 60, 'mallory', 5, { of });
    const byApp = [member(30, 'added', grantingApp, 'sock'), member(50, 'removed', grantingApp, 'sock')];
    const withId = (id: number): Partial<Timeline> => {
      const written = { ...granting, grantingWorkflows: [`acme/access:${id}/.github/workflows/grant.yml`] };
      return { settings: { [outside]: written, [outlived]: written } };
    };
    test.each<[string, (LoggedEventInput & { id: string })[], Partial<Timeline>, string[]]>([
      ['renamed since, it keeps the right', [...former, renaming, ...run(renamed)], {}, []],
      [
        'another that was made under the name has none',
        [...former, renaming, ...run(recreated)],
        {},
        [`${outside} high`],
      ],
      ['nor where nothing but the renaming was told', [renaming, ...run(recreated)], {}, [`${outside} high`]],
      ['nor where nothing but a run of it was told', [...former, ...run(recreated)], {}, [`${outside} high`]],
      ['settings may say which by its id', [...former, renaming, ...run(recreated)], withId(4711), []],
      [
        'and then the name alone says nothing',
        [...former, ...run(repository('access'))],
        withId(4711),
        [`${outside} high`],
      ],
    ])('%s', (_, events, more, wanted) => {
      expect(seen(after([...events, ...byApp], more))).toEqual(wanted);
    });
    test('received last, the first run says the same', () => {
      const lately = former.map((event) => heard(hour, event));
      expect(seen(after([...run(recreated), ...byApp, ...lately], { untilMs: startMs + 60 * hour * 1000 }))).toEqual([
        `${outside} high`,
      ]);
    });
  });
  test('accounts are named by id, since logins change hands', () => {
    const written = (grantingActors: string[]) => ({ [outside]: { ...granting, grantingActors } });
    for (const login of ['broker', 'broker:x', '']) {
      expect(() => after([], { settings: written([login]) })).toThrow('login:id');
    }
    const events = [...grantingRun(0, 60, 'ada', 5), member(30, 'added', String(user('ada').id), 'bob')];
    // A login of digits is no id.
    expect(seen(after(events, { settings: written([String(user('ada').id)]) }))).toEqual([`${outside} high`]);
  });
  test('is nothing on another branch, or by another workflow of the repository', () => {
    for (const head of [{ branch: 'evil', sha: sha('e') }, { path: '.github/workflows/noise.yml' }]) {
      const events = [
        ...grantingRun(0, 60, 'mallory', 5, head),
        member(30, 'added', grantingApp, 'sock'),
        member(50, 'removed', grantingApp, 'sock'),
      ];
      expect(seen(after(events))).toEqual([`${outside} high`]);
    }
  });
  const pushed = (s: number, ref: string, after: string, by = 'mallory', before = '0'.repeat(40)) =>
    told(s, 'push', by, {
      ...{ ref, before, after, created: before === '0'.repeat(40), deleted: false, forced: false, base_ref: null },
      ...{ compare: '', commits: [], head_commit: { id: after }, pusher: { name: by } },
      repository: { ...repository('access'), pushed_at: startMs / 1000 + s },
    });
  const stood = (revision: string) =>
    ({
      ...{ atMs: startMs - 3_600_000, type: 'dev.cdeventsx.tripline-inventory.observed', id: 'inventory' },
      data: {
        ...{ 'tripline.inventory.part': 1, 'tripline.inventory.parts': 1 },
        'tripline.inventory.heads': [{ repository: 'acme/access', branch: 'main', revision }],
      },
    }) as LoggedEventInput;
  const byApp = [member(30, 'added', grantingApp, 'sock'), member(50, 'removed', grantingApp, 'sock')];
  test.each<[string, LoggedEventInput[], boolean]>([
    ['at a tag that is called as the default branch', [pushed(-30, 'refs/tags/main', sha('e'))], false],
    ['at a commit that the default branch is not at', [stood(sha('b'))], false],
    ['at the commit that an inventory found it at', [stood(sha('e'))], true],
    [
      'at the commit that was pushed',
      [stood(sha('b')), pushed(-30, 'refs/heads/main', sha('e'), 'ada', sha('b'))],
      true,
    ],
    [
      'at the commit before the push',
      [stood(sha('e')), pushed(-600, 'refs/heads/main', sha('b'), 'ada', sha('e'))],
      false,
    ],
    ['while the next push comes', [stood(sha('e')), pushed(-2, 'refs/heads/main', sha('b'), 'ada', sha('e'))], true],
  ])('needs the head of the default branch: %s', (_, before, excuses) => {
    const run = grantingRun(0, 60, 'mallory', 5, { sha: sha('e') });
    const wanted = excuses ? [] : [`${outside} high`];
    expect(seen(after([...before, ...run, ...byApp]))).toEqual(wanted);
    // Heard after all else, it says the same.
    const lately = before.map((event) => ({
      ...event,
      time: event.time ?? new Date(event.atMs).toISOString(),
      atMs: startMs + 7200_000,
    }));
    expect(seen(after([...run, ...byApp, ...lately], { untilMs: startMs + 60 * hour * 1000 }))).toEqual(wanted);
  });
  test('is not pushed out by two hundred and fifty other runs in its repository, nor by as many of its own', () => {
    for (const path of ['.github/workflows/noise.yml', '.github/workflows/grant.yml']) {
      const flood = Array.from(
        { length: 250 },
        (_, nth) => grantingRun(3 + nth / 100, null, 'mallory', 9000 + nth, { path })[0]!,
      );
      const events = [...kept, ...flood].sort((a, b) => a.atMs - b.atMs);
      expect(seen(after(events))).toEqual([]);
    }
  });
  test('each of a hundred and twenty grants that it leaves behind is found, and no more of the state written by each', () => {
    const many = (count: number) =>
      [
        ...grantingRun(0, 60, 'ada', 6),
        ...Array.from({ length: count }, (_, nth) =>
          member(10 + nth / 10, 'added', grantingApp, `sock-${nth}`, 'admin', `r-${nth}`),
        ),
      ].sort((a, b) => a.atMs - b.atMs);
    expect(seen(after(many(120)))).toEqual(Array(120).fill(`${outlived} high`));
    const written = (count: number) =>
      playTimeline({ rules, events: many(count), settings, untilMs: startMs + 40_000, batchRecords: 1 }).written;
    expect(written(100) - written(50)).toBeLessThan((written(50) - written(25)) * 2 + 20);
  });
});

describe('a grant that is made twice', () => {
  test('is two: the second by the granting workflow outlives its job, though the first was taken back', () => {
    const listed = (s: number, id: string) =>
      ({
        atMs: startMs + s * 1000,
        type: 'dev.cdeventsx.tripline-delivery.looked-up',
        id: `proof:${id}`,
        data: { 'tripline.delivery.id': id, 'tripline.delivery.proof': 'listed' },
      }) as LoggedEventInput;
    const first = [
      ...grantingRun(0, 60, 'ada', 1),
      member(30, 'added', grantingApp, 'bob'),
      member(50, 'removed', grantingApp, 'bob'),
    ];
    const again = member(3630, 'added', grantingApp, 'bob');
    expect(seen(after([...first, ...grantingRun(3600, 3660, 'ada', 2), again, listed(3640, again.id)]))).toEqual([
      `${outlived} high`,
    ]);
    const byToken = member(3630, 'added', 'ada', 'bob');
    expect(seen(after([...first, byToken]))).toEqual([`${outside} high`]);
  });
  test('stays found, and so does the last, beside a hundred that are given and taken back', () => {
    const stays = member(0, 'added', 'eve', 'sock', 'admin', 'crown-jewels');
    const noise = Array.from({ length: 100 }, (_, nth) => [
      member(10 + nth * 2, 'added', 'eve', `decoy-${nth}`),
      member(11 + nth * 2, 'removed', 'eve', `decoy-${nth}`),
    ]).flat();
    const { findings, retracted } = after([stays, ...noise]);
    expect(findings.map(({ subject }) => subject)).toContain('collaborator:sock@acme/crown-jewels');
    expect(retracted).toEqual([]);
    expect(findings.filter(({ rule }) => rule === outside)).toHaveLength(101);
  });
});

describe('two deploy keys of one title', () => {
  test('are two: one deleted in time does not excuse the other', () => {
    const events = [
      ...grantingRun(0, 60, 'ada', 6),
      deployKey(10, 'created', 1, 'ci', grantingApp),
      deployKey(12, 'created', 2, 'ci', grantingApp),
      deployKey(20, 'deleted', 2, 'ci', grantingApp),
    ];
    const { findings } = after(events);
    expect(findings.filter(({ rule }) => rule === outlived)).toMatchObject([{ response: [{ credentialId: '1' }] }]);
  });
  test('are both found outside of any job, and what is left is taken back', () => {
    const { findings } = after([
      deployKey(10, 'created', 1, 'ci', 'eve'),
      deployKey(12, 'created', 2, 'ci', 'eve'),
      deployKey(20, 'deleted', 2, 'ci', 'eve'),
    ]);
    const ours = findings.filter(({ rule }) => rule === outside);
    expect(ours).toHaveLength(2);
    expect(ours[0]!.response).toMatchObject([{ action: 'revoke-credential', credentialId: '1' }]);
  });
});

describe('what a late delivery tells', () => {
  const late = (s: number, { id }: { id: string }, first: number | null) =>
    ({
      ...{ atMs: startMs + s * 1000, type: 'dev.cdeventsx.tripline-delivery.looked-up', id: `late:${id}` },
      data: {
        ...{ 'tripline.delivery.id': id, 'tripline.delivery.proof': 'listed', 'tripline.delivery.late': true },
        ...(first === null ? {} : { 'tripline.delivery.first_attempt_at': time(first) }),
      },
    }) as LoggedEventInput;
  const run = grantingRun(0, 60, 'ada', 1);
  test('an honest grant and its removal, both an hour late, are of when GitHub first tried', () => {
    const added = member(30, 'added', grantingApp, 'bob', 'admin', 'infra', { heard: 3600 });
    const removed = member(50, 'removed', grantingApp, 'bob', 'admin', 'infra', { heard: 3601 });
    expect(seen(after([...run, added, removed, late(3660, added, 30), late(3660, removed, 50)]))).toEqual([]);
    // Said later than it was judged, it takes the finding back.
    expect(seen(after([...run, added, removed, late(7200, added, 30), late(7200, removed, 50)]))).toEqual([]);
  });
  test('a removal ten minutes late takes back what was found', () => {
    const removed = member(50, 'removed', grantingApp, 'bob', 'admin', 'infra', { heard: 600 });
    const events = [...run, member(30, 'added', grantingApp, 'bob'), removed];
    expect(seen(after([...events, late(660, removed, 50)]))).toEqual([]);
    expect(seen(after(events))).toEqual([`${outlived} high`]);
  });
  test('a grant that was made before the window in which its delivery is made again is found', () => {
    const added = member(30, 'added', grantingApp, 'sock', 'admin', 'infra', { heard: 3630 });
    const events = [added, late(3660, added, 30), ...grantingRun(3600, 3700, 'eve', 8)];
    expect(seen(after(events.sort((a, b) => a.atMs - b.atMs)))).toEqual([`${outside} high`]);
  });
  test('is low, and sets nothing off, where it is known to be late and not of when', () => {
    const added = member(30, 'added', grantingApp, 'bob', 'admin', 'infra', { heard: 3600 });
    const { findings } = after([...run, added, late(3660, added, null)]);
    expect(findings.filter(({ rule }) => rule === outside)).toMatchObject([{ severity: 'low', response: [] }]);
  });
});

describe('break-glass', () => {
  test('an invitation by address, accepted under a login, is one with the membership', () => {
    const events = [breakGlass(0, 'ada', hour), invited(10, 'ada', 5, null), joined(600, 'newcomer')];
    expect(seen(after(events, { untilMs: startMs + 1800_000 }))).toEqual([]);
    expect(seen(after(events.slice(1), { untilMs: startMs + 1800_000 }))).toEqual(Array(2).fill(`${outside} high`));
  });
  test('a membership that nobody invited, by one’s own hand, is found', () => {
    expect(seen(after([breakGlass(0, 'ada', hour), joined(600, 'newcomer')]))).toEqual([`${outside} high`]);
  });
  test('a back-dated record takes nothing back', () => {
    const record = { ...breakGlass(24 * hour, 'eve', 999 * hour), time: '2020-01-01T00:00:00Z' };
    expect(seen(after([member(0, 'added', 'eve', 'sock'), record]))).toEqual([`${outside} high`]);
  });
  test('a record that names the account by id excuses nobody who took its login over, and it under any name', () => {
    const granted = member(10, 'added', 'ada', 'bob');
    const by = (login: string, id: string) =>
      ({ ...granted, data: { ...granted.data, 'user.name': login, 'user.id': id } }) as LoggedEventInput;
    const record = breakGlass(0, 'ada:41', hour);
    const untilMs = startMs + 200_000;
    expect(seen(after([record, by('ada', '666')], { untilMs }))).toEqual([`${outside} high`]);
    expect(seen(after([record, by('ada-2', '41')], { untilMs }))).toEqual([]);
  });
  test('fifty records of others push none out', () => {
    const flood = Array.from({ length: 50 }, (_, nth) => breakGlass(1, `nobody-${nth}`, 99 * hour, `f-${nth}`));
    const events = [breakGlass(0, 'ada', hour, 'honest'), ...flood, member(10, 'added', 'ada', 'bob')];
    expect(seen(after(events, { untilMs: startMs + 200_000 }))).toEqual([]);
  });
});

describe('the response', () => {
  const of = (event: LoggedEventInput) => after([event]).findings.find(({ rule }) => rule === outside)!.response;
  test('leaves somebody who had write with it', () => {
    const raised = member(0, 'edited', 'eve', 'carol', { permission: { from: 'write', to: 'admin' } });
    expect(of(raised)).toMatchObject([
      {
        action: 'restore-permission',
        grant: 'collaborator',
        repository: 'acme/infra',
        repositoryId: `${repository('infra').id}`,
        user: 'carol',
        userId: `${user('carol').id}`,
        formerPermission: 'write',
        permission: 'admin',
      },
    ]);
  });
  test('leaves a team of forty with what it had', () => {
    const raised = team(0, 'edited', {
      changes: { repository: { permissions: { from: rights('push') } } },
      ...onInfra('admin'),
    });
    expect(of(raised)).toMatchObject([
      {
        action: 'restore-permission',
        grant: 'team-repository',
        team: 'contractors',
        teamId: '9',
        repository: 'acme/infra',
        formerPermission: 'push',
      },
    ]);
  });
  test('takes a team from beneath another', () => {
    const moved = team(0, 'edited', {
      changes: { parent: { from: null } },
      team: { id: 9, name: 'c', slug: 'c', parent: { id: 1, name: 'admins', slug: 'admins' } },
    });
    expect(of(moved)).toMatchObject([{ action: 'restore-permission', grant: 'team', team: 'c', teamId: '9' }]);
  });
  test('takes back what nobody had before', () => {
    expect(of(member(0, 'added', 'eve', 'sock'))).toMatchObject([
      { action: 'revoke-grant', grant: 'collaborator', userId: `${user('sock').id}` },
    ]);
  });
});
