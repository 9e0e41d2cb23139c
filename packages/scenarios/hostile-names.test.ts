import { organization, play, repository, startMs, told, user } from '@tripline/testing/deliveries';
import { at, type LoggedEventInput } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';

/**
 * Names of an attacker's choice: too long, empty, cut within a character, missing. Each is told of all the same, and nothing
 * of it is dead-lettered (`play` sees to that).
 */
const time = (s: number) => new Date(startMs + s * 1000).toISOString();
const reviewed = 'd'.repeat(40);
const evil = 'e'.repeat(40);
const app = repository('app');
const inventory = at(startMs - 60_000, 'dev.cdeventsx.tripline-inventory.observed', {
  ...{ 'tripline.inventory.part': 1, 'tripline.inventory.parts': 1 },
  'tripline.inventory.heads': [{ repository: 'acme/app', branch: 'main', revision: reviewed }],
});

type Run = { id?: number | string; name?: string; branch?: string; revision?: string };
function run(s: number, by: string, { id = 7000, name = 'CI', branch = 'main', revision = reviewed }: Run = {}) {
  const workflow_run = {
    ...{ id, name, path: '.github/workflows/ci.yml', event: 'push', status: 'queued', conclusion: null },
    ...{ head_branch: branch, head_sha: revision, head_repository: app, run_attempt: 1, pull_requests: [] },
    ...{ referenced_workflows: [], created_at: time(s), updated_at: time(s), run_started_at: time(s) },
    ...{ actor: user(by), triggering_actor: user(by) },
  };
  const workflow = { id: 1, name, path: workflow_run.path };
  return told(s, 'workflow_run', by, { action: 'requested', workflow, workflow_run, repository: app });
}
function job(s: number, by: string, of: Run & { environment?: string; runner: string | null }) {
  const { id = 7000, branch = 'main', revision = reviewed, environment = 'production', runner } = of;
  const workflow_job = {
    ...{ id: 7100, run_id: id, run_attempt: 1, workflow_name: 'CI', name: 'build', head_branch: branch },
    ...{ head_sha: revision, status: 'in_progress', conclusion: null, created_at: time(s), started_at: time(s) },
    ...{ completed_at: null, labels: ['self-hosted'], runner_id: 66, runner_name: runner, runner_group_id: 1 },
    ...{ runner_group_name: 'Default', steps: [] },
  };
  const deployment = { id: 5, environment, sha: revision, ref: branch, created_at: time(s) };
  return told(s, 'workflow_job', by, { action: 'in_progress', workflow_job, deployment, repository: app });
}
function push(s: number, by: string, branch: string, { before = '0'.repeat(40), pusher = by } = {}) {
  const created = /^0+$/.test(before);
  const person = { name: by, email: `${by}@example.com`, username: by };
  const commit = { id: evil, message: 'x', author: person, committer: person, added: [], removed: [], modified: ['x'] };
  return told(s, 'push', by, {
    ...{ ref: `refs/heads/${branch}`, before, after: evil, created, deleted: false, forced: false, base_ref: null },
    ...{ compare: '', commits: [commit], head_commit: commit, pusher: { name: pusher }, repository: app },
  });
}
const key = (title: string) =>
  told(10, 'deploy_key', 'eve', {
    ...{ action: 'created', repository: repository('infra') },
    key: { id: 1, title, read_only: false, created_at: time(10), key: 'ssh-ed25519 AAAA1' },
  });
const onRunner = (runner: string | null, environment?: string) => [
  ...[inventory, run(0, 'ada')],
  job(1, 'ada', { runner, ...(environment === undefined ? {} : { environment }) }),
];

const grant = 'privilege-grant-outside-job';
const runner = 'credential-new-runner';
const build = 'build-from-unreviewed-commit';
const longBranch = `${'b'.repeat(499)}😀`;

describe('whatever it is called, it is found', () => {
  test.each<[string, string, LoggedEventInput[]]>([
    ['a deploy key whose title is cut within an emoji', grant, [key(`${'x'.repeat(199)}😀`)]],
    ['a deploy key with a title of 4,000 characters', grant, [key('y'.repeat(4000))]],
    ['a deploy key without a title', grant, [key('')]],
    ['a deploy key whose title shows nothing', grant, [key('\u200b')]],
    [
      'a push by nobody',
      build,
      [inventory, push(0, 'eve', 'main', { before: reviewed, pusher: '' }), run(5, 'eve', { revision: evil })],
    ],
    ['an environment that is cut within an emoji', runner, onRunner('evil', `${'x'.repeat(199)}😀`)],
    ['an environment of 4,000 characters', runner, onRunner('evil', 'p'.repeat(4000))],
    ['a runner of 150 emoji', runner, onRunner('😀'.repeat(150))],
    ['a runner that is cut within one of 100 emoji', runner, onRunner(`x${'😀'.repeat(100)}`)],
    ['a runner that is cut within its last character', runner, onRunner(`${'x'.repeat(127)}😀`)],
    ['a runner without a name', runner, onRunner('')],
    [
      'a branch of 501 characters that reads production’s secrets',
      build,
      [
        ...[inventory, push(0, 'eve', longBranch), run(5, 'eve', { branch: longBranch, revision: evil })],
        job(6, 'eve', { branch: longBranch, revision: evil, runner: 'known' }),
      ],
    ],
    [
      'a workflow of 2,000 emoji',
      build,
      [
        ...[inventory, push(0, 'eve', 'main', { before: reviewed })],
        run(5, 'eve', { name: '😀'.repeat(2000), revision: evil }),
      ],
    ],
    [
      'an invitation to an address',
      grant,
      [
        told(0, 'organization', 'eve', {
          action: 'member_invited',
          invitation: { id: 5, login: null, email: 'x@y', role: 'admin', created_at: time(0), inviter: user('eve') },
        }),
      ],
    ],
    [
      'a team without a slug',
      grant,
      [
        told(0, 'membership', 'eve', {
          ...{ action: 'added', scope: 'team', member: user('sock') },
          team: { id: 3, name: 'ops / 运维', slug: null, permission: 'pull' },
        }),
      ],
    ],
    [
      'a token whose request names none',
      grant,
      [
        told(0, 'personal_access_token_request', 'eve', {
          action: 'approved',
          personal_access_token_request: {
            ...{ id: 5, owner: user('sock'), permissions_result: { repository: { contents: 'write' } } },
            ...{ repository_selection: 'all', created_at: time(0) },
          },
        }),
      ],
    ],
    [
      'a run with a number that no double holds',
      runner,
      [
        ...[inventory, run(0, 'ada', { id: '99999999999999999999' })],
        job(1, 'ada', { id: '99999999999999999999', runner: 'evil' }),
      ],
    ],
  ])('%s', (_, rule, events) => {
    const { findings } = play(events, { learningDays: 0 });
    expect(findings.map((finding) => finding.rule)).toContain(rule);
    for (const text of findings.flatMap(({ title, summary, subject }) => [title, summary, subject])) {
      expect(text.isWellFormed()).toBe(true);
      expect(text).not.toContain('undefined');
    }
  });

  test('an app without a slug or number is told by the number of its installation', () => {
    const installation = {
      ...{ id: 1, account: { ...organization, type: 'Organization' }, app_slug: null, app_id: null },
      ...{ permissions: { contents: 'write' }, repository_selection: 'all' },
    };
    const { findings } = play([told(0, 'installation', 'eve', { action: 'created', installation, repositories: [] })]);
    expect(findings.map(({ rule }) => rule)).toEqual([grant, 'app-permission-escalated']);
    expect(new Set(findings.map(({ subject }) => subject)).size).toBe(1);
  });
});
