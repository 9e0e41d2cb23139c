import { createRequire } from 'node:module';
import { parseEvent, type TriplineEvent } from '@tripline/contracts/event';
import { openapiBodies } from '@tripline/testing/openapi-bodies';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { IgnoredReason, Normalised, RequestHeaders } from '../source.ts';
import { createWorkspaces } from '../workspace.ts';
import { readEvents, unreadEvents } from './registry.ts';
import { github } from './source.ts';
import { drillHeader, signGithub } from './verify.ts';
import { isHosted } from './workflow.ts';

type Json = Record<string, unknown>;
const examples = createRequire(import.meta.url)('@octokit/webhooks-examples') as { name: string; examples: Json[] }[];
const everybody = createWorkspaces({ workspaces: [], drills: true });
const receivedAtMs = Date.parse('2026-03-04T05:06:07Z');
const anybody = { kind: 'anybody' } as const;

function normalise(event: string, body: unknown, workspaces = everybody): Normalised {
  const rawBody = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  const headers = { 'x-github-event': event, 'x-github-delivery': '72d3162e-cc78-11e3-81ab-4c9367dc0958' };
  const delivery = { headers, rawBody, bodySha256: 'a'.repeat(64), receivedAtMs, secretScope: anybody };
  return github.normalise(delivery, workspaces);
}
function eventOf(event: string, body: unknown): TriplineEvent {
  const normalised = normalise(event, body);
  if (!('event' in normalised)) throw new Error(`no event: ${JSON.stringify(normalised)}`);
  return normalised.event;
}
function example(name: string, fits: (body: Json) => boolean = () => true): Json {
  return structuredClone(examples.find((one) => one.name === name)!.examples.find(fits)!);
}
const action = (name: string) => (body: Json) => body['action'] === name;

test('every published example is an event that fits its contract, or ignored', () => {
  let count = 0;
  for (const { name, examples: bodies } of examples) {
    for (const body of bodies) {
      const normalised = normalise(name, body);
      expect(normalised, `${name} ${body['action'] ?? ''}`).not.toHaveProperty('refusal');
      if ('ignored' in normalised) expect(forNothing).toContain(normalised.ignored);
      if ('event' in normalised) parseEvent(normalised.event);
      count += 1;
    }
  }
  expect(count).toBe(329);
});

/** Why a body is ignored that is what its event's are, and from an organisation that is known. */
const forNothing: readonly IgnoredReason[] = ['ping', 'event-not-read', 'action-not-read', 'no-workspace'];

test('every action that any product of GitHub’s describes is understood, with the least of its fields and with all of them', () => {
  const bodies = openapiBodies();
  const odd = new Set<string>();
  for (const { event, operation, least, whole } of bodies) {
    for (const [extent, body] of Object.entries({ least, whole })) {
      const normalised = normalise(event, body);
      expect(normalised, operation).not.toHaveProperty('refusal');
      if ('ignored' in normalised && !forNothing.includes(normalised.ignored)) {
        odd.add(`${operation}, ${extent}: ${normalised.ignored}`);
      }
      if ('event' in normalised) parseEvent(normalised.event);
    }
  }
  expect(bodies.length).toBeGreaterThan(300);
  // Too bare to be told from other events, and organisations’ with a repository, which GitHub sends none of.
  expect([...odd].sort()).toEqual([
    'deployment-protection-rule-requested, least: unexpected-shape',
    'organization-deleted, whole: unexpected-shape',
    'organization-renamed, whole: unexpected-shape',
    'repository-anonymous-access-disabled, least: unexpected-shape',
    'repository-anonymous-access-enabled, least: unexpected-shape',
  ]);
});

test('no example passes for another event that Tripline reads', () => {
  const passed = new Set<string>();
  for (const { name, examples: bodies } of examples) {
    for (const claimed of readEvents.keys()) {
      if (claimed === name) continue;
      for (const body of bodies) {
        if ('event' in normalise(claimed, body)) passed.add(`${name} ${body['action'] ?? ''} as ${claimed}`);
      }
    }
  }
  expect([...passed]).toEqual([]);
  for (const claimed of ['member', 'star']) {
    const unread = { content: Buffer.from(JSON.stringify(example('push'))) };
    expect(normalise(claimed, example('push'))).toEqual({
      ...{ ignored: 'unexpected-shape', organization: 'Codertocat', unread },
    });
  }
});

describe('an authentic delivery is not refused for what it says', () => {
  const reason = (event: string, body: unknown) => {
    const normalised = normalise(event, body);
    return 'ignored' in normalised ? normalised.ignored : normalised;
  };
  const within = (body: Json, part: string, fields: Json) => ({
    ...body,
    [part]: { ...(body[part] as Json), ...fields },
  });

  test('an event that nobody knows yet, and what has no event’s form, are ignored by name', () => {
    expect(normalise('quantum_entanglement', example('push'))).toEqual({
      ignored: 'unknown-event',
      organization: 'Codertocat',
    });
    expect(reason('__proto__', {})).toBe('unknown-event');
    expect(reason('push', {})).toBe('unexpected-shape');
    expect(reason('member', { action: 'added', member: 7, repository: [] })).toBe('unexpected-shape');
    const firm = createWorkspaces({
      workspaces: [{ id: 'firm', github: { organizations: [{ login: 'acme' }] } }],
      drills: false,
    });
    expect(normalise('push', example('push'), firm)).toEqual({
      ignored: 'unknown-organization',
      organization: 'Codertocat',
    });
    expect(reason('member', { ...example('member'), action: 'blessed' })).toBe('action-not-read');
  });

  test.each(['-Jerry-', 'acme.io', '_', 'ünïcode', 'x'.repeat(300), '', 'a b', 'Mona_acme', 'copilot-swe-agent[bot]'])(
    'a person of the name %j is received',
    (login) => {
      const member = { login, id: 77, type: 'User' };
      const event = eventOf('member', { ...example('member', action('added')), member, sender: member });
      expect(event.data['tripline.grant.grantee_id']).toBe('77');
      expect(event.data['tripline.grant.grantee']).toBe(login.slice(0, 256));
      parseEvent(event);
    },
  );

  test.each(['-Jerry-', 'acme.io', '.github', '-'])(
    'an organisation of the name %j is a workspace of its own',
    (login) => {
      const body = JSON.parse(JSON.stringify(example('push')).replaceAll('Codertocat', login)) as Json;
      const event = eventOf('push', body);
      expect(event).toMatchObject({
        workspace: login.toLowerCase(),
        source: `//github.com/${login}`,
        data: { 'vcs.owner.name': login, 'vcs.repository.name': `${login}/Hello-World` },
      });
      parseEvent(event);
    },
  );

  test.each(['acme/..', 'acme/.', '../app', 'acme/a/b', 'acme/a b', 'app', 'acme/', '/app'])(
    'a repository cannot be called %j',
    (name) => {
      expect(reason('push', within(example('push'), 'repository', { full_name: name }))).toBe('impossible-name');
      const fork = within(example('pull_request', action('opened')), 'sender', {});
      const head = { ...((fork['pull_request'] as Json)['head'] as Json), repo: { id: 9, full_name: name } };
      const event = eventOf('pull_request', within(fork, 'pull_request', { head }));
      expect(event.data).not.toHaveProperty('tripline.head.repository');
      expect(event.data['tripline.head.fork']).toBe(true);
      const run = within(example('workflow_run', action('completed')), 'workflow_run', { head_repository: head.repo });
      expect(eventOf('workflow_run', run).data['tripline.head.fork']).toBe(true);
    },
  );

  test('a run by pull_request_target is of the change’s head, where it names that beside the base’s', () => {
    const run = (more: Json) => within(example('workflow_run', action('requested')), 'workflow_run', more);
    const [base, head] = ['b'.repeat(40), 'c'.repeat(40)];
    const headOf = (more: Json) =>
      eventOf('workflow_run', run({ head_sha: base, ...more })).data['vcs.ref.head.revision'];
    expect(headOf({ event: 'pull_request_target', head_commit: { id: head } })).toBe(head);
    expect(headOf({ event: 'pull_request_target', head_commit: null })).toBe(base);
    expect(headOf({ event: 'pull_request', head_commit: { id: head } })).toBe(base);
  });

  test('a run whose head lay in a fork that was deleted is a fork’s, and of one that names no repository nothing is said', () => {
    const run = (more: Json) => within(example('workflow_run', action('requested')), 'workflow_run', more);
    expect(eventOf('workflow_run', run({})).data['tripline.head.fork']).toBe(false);
    expect(eventOf('workflow_run', run({ head_repository: null })).data['tripline.head.fork']).toBe(true);
    expect(eventOf('workflow_run', run({ head_repository: undefined })).data).not.toHaveProperty('tripline.head.fork');
  });

  test('who or what is called like a credential keeps its name, so that it can be named to GitHub', () => {
    const body = within(example('member', action('added')), 'member', { login: 'xoxb-0123456789' });
    expect(eventOf('member', body).data['tripline.grant.grantee']).toBe('xoxb-0123456789');
    const full_name = `Codertocat/ghp_${'a'.repeat(36)}`;
    expect(eventOf('member', within(body, 'repository', { full_name })).data).toMatchObject({
      'vcs.repository.name': full_name,
      'tripline.grant.target': full_name,
    });
  });

  test('a gate’s question names run, commit and ref, with a deployment or without, and whom of the apps it asks', () => {
    const body = openapiBodies().find(({ operation }) => operation === 'deployment-protection-rule-requested')!;
    const api = 'https://api.github.com/repos/octo-org/octo-repo';
    const asked = {
      ...(body.whole as Json),
      ...{ sha: 'a'.repeat(40), ref: 'refs/heads/main', event: 'push', environment: 'production' },
      deployment_callback_url: `${api}/actions/runs/29679449526/deployment_protection_rule`,
      installation: { id: 4711, node_id: 'x' },
    };
    const told = {
      ...{
        'cicd.pipeline.run.id': '29679449526',
        'vcs.ref.head.revision': 'a'.repeat(40),
        'vcs.ref.head.name': 'main',
      },
      ...{ 'deployment.environment.name': 'production', 'tripline.pipeline.trigger': 'push' },
      ...{ 'tripline.deployment.decision': 'requested', 'tripline.deployment.gate': '4711' },
    };
    const type = 'dev.cdeventsx.tripline-deployment.reviewed';
    for (const deployment of [(body.whole as Json)['deployment'], null, undefined]) {
      const event = eventOf('deployment_protection_rule', { ...asked, deployment });
      expect(event).toMatchObject({ type, data: told });
      parseEvent(event);
    }
  });

  test('a gate’s question whose address is no answer’s names no run', () => {
    const body = openapiBodies().find(({ operation }) => operation === 'deployment-protection-rule-requested')!;
    const run = 'https://api.github.com/repos/octo-org/octo-repo/actions/runs/7';
    for (const url of [`${run}/deployment_protection_rule?x`, `${run}x/deployment_protection_rule`, run, '', null, 7]) {
      const event = eventOf('deployment_protection_rule', { ...(body.whole as Json), deployment_callback_url: url });
      expect(event.data).not.toHaveProperty('cicd.pipeline.run.id');
    }
  });

  test('an alert that changed hands, a secret alert without a kind; and neither as another’s', () => {
    const whole = (operation: string) => openapiBodies().find((body) => body.operation === operation)!.whole as Json;
    expect(eventOf('code_scanning_alert', whole('code-scanning-alert-updated-assignment')).data).toMatchObject({
      'tripline.control.kind': 'security-alert',
      'tripline.control.action': 'updated_assignment',
    });
    const leak = within(whole('secret-scanning-alert-created'), 'alert', { secret_type: null });
    expect(eventOf('secret_scanning_alert', leak).data['tripline.control.kind']).toBe('secret-scanning');
    expect(reason('dependabot_alert', leak)).toBe('unexpected-shape');
    expect(reason('secret_scanning_alert', whole('code-scanning-alert-updated-assignment'))).toBe('unexpected-shape');
  });

  test('who asks to go round a push ruleset, and who lets them', () => {
    const asked = openapiBodies().find(({ operation }) => operation.startsWith('exemption-request-push-ruleset-resp'))!;
    expect(eventOf('exemption_request_push_ruleset', asked.whole).data).toMatchObject({
      'tripline.control.kind': 'exemption',
      'tripline.control.action': expect.stringMatching(/^response_/),
    });
  });

  test('a field that has another form than we know is left out, unless the event is nothing without it', () => {
    const added = example('member', action('added'));
    const odd = { ...added, changes: 'none', sender: { login: ['x'], id: {}, type: 4 } };
    expect(eventOf('member', odd).data).toMatchObject({ 'tripline.grant.grantee': 'hacktocat' });
    const push = example('push', (body) => (body['commits'] as unknown[]).length > 0);
    const commits = [
      { ...(push['commits'] as Json[])[0]!, added: ['.github/workflows/x.yml', null, 5], author: 'Mona' },
    ];
    expect(eventOf('push', { ...push, commits }).data['tripline.push.commit_count']).toBe(1);
    expect(reason('push', { ...push, ref: null })).toBe('unexpected-shape');
    expect(reason('pull_request', { ...example('pull_request'), pull_request: null })).toBe('unexpected-shape');
  });
});

test('a dismissal without a commit takes the approval back all the same', () => {
  const dismissed = example('pull_request_review', action('dismissed'));
  const review = { ...(dismissed['review'] as Json), commit_id: null };
  const head = ((dismissed['pull_request'] as Json)['head'] as Json)['sha'];
  expect(eventOf('pull_request_review', { ...dismissed, review }).data).toMatchObject({
    'tripline.review.state': 'dismissed',
    'tripline.review.revision': head,
  });
  const approved = { ...dismissed, action: 'submitted', review: { ...review, state: 'approved' } };
  expect(normalise('pull_request_review', approved)).toMatchObject({ ignored: 'incomplete' });
});

test.each(['constructor', '__proto__', 'toString'])('an alert’s action %j is an action like any other', (name) => {
  const body = { ...example('repository_vulnerability_alert'), action: name };
  expect(eventOf('repository_vulnerability_alert', body).data['tripline.control.action']).toBe(name);
});

describe('ids', () => {
  test('stand beside the names of repository, owner, author, reviewer, target and head', () => {
    const review = eventOf('pull_request_review', example('pull_request_review', action('submitted')));
    expect(review.data).toMatchObject({
      'vcs.repository.id': '186853002',
      'vcs.owner.id': '21031067',
      'user.id': '21031067',
      'tripline.change.author_id': '21031067',
      'tripline.review.author_id': '21031067',
      'tripline.head.repository_id': '186853002',
    });
    expect(eventOf('member', example('member', action('added'))).data['tripline.grant.target_id']).toBe('186853002');
    const ofOrganization = eventOf('organization', example('organization', action('member_added')));
    expect(ofOrganization.data['tripline.grant.target_id']).toBe(ofOrganization.data['vcs.owner.id']);
    const ran = example('workflow_run', action('completed'));
    const run = { ...(ran['workflow_run'] as Json), triggering_actor: { login: 'mona', id: 5 } };
    expect(eventOf('workflow_run', { ...ran, workflow_run: run }).data).toMatchObject({
      'tripline.pipeline.triggered_by': 'mona',
      'tripline.pipeline.triggered_by_id': '5',
    });
  });
});

test('an Enterprise Server is named by the addresses that it signs, also where no repository is concerned; github.com is not', () => {
  const at = (host: string) => {
    const someone = { login: 'mona', id: 3, type: 'User', html_url: `https://${host}/mona` };
    const membership = { role: 'member', state: 'active', organization_url: '', user: someone };
    const body = { action: 'member_added', membership, organization: { login: 'acme', id: 1 }, sender: someone };
    const normalised = normalise('organization', body);
    return 'event' in normalised ? normalised.event.data['tripline.provider.instance'] : normalised;
  };
  expect(at('GitHub.acme.example')).toBe('github.acme.example');
  expect(at('github.com')).toBeUndefined();
  expect(at('github.com.evil.example')).toBe('github.com.evil.example');
});

describe('who looks like GitHub', () => {
  test.each([
    [{ 'x-gitea-event': 'push' }, 'Gitea'],
    [{ 'x-gogs-event': 'push', 'x-gitea-event': 'push' }, 'Gitea'],
    [{ 'x-forgejo-event': 'push', 'x-gitea-event': 'push', 'x-gogs-event': 'push' }, 'Forgejo'],
    [{ 'x-gogs-event': 'push' }, 'Gogs'],
  ])('is told by its own header and named: %j', (own, provider) => {
    const headers = { 'x-github-event': 'push', 'x-github-delivery': 'fc1a3a5e-5ba6-4df6-8e6b-4f3b1d2e0c11', ...own };
    const rawBody = Buffer.from(JSON.stringify(giteaPush));
    const refused = github.normalise(
      { headers, rawBody, bodySha256: 'a'.repeat(64), receivedAtMs, secretScope: anybody },
      everybody,
    );
    expect(refused).toMatchObject({ refusal: { status: 400, reason: 'other-provider' } });
    expect((refused as { refusal: { message: string } }).refusal.message).toContain(provider);
  });
});

/** A push as Gitea 1.24 sends it, cut to its shape. */
const giteaPush = {
  ref: 'refs/heads/main',
  before: '0'.repeat(40),
  after: 'a'.repeat(40),
  compare_url: 'http://gitea.test/acme/app/compare/a...b',
  commits: [],
  total_commits: 0,
  head_commit: null,
  repository: { id: 1, owner: { id: 2, login: 'acme', username: 'acme' }, name: 'app', full_name: 'acme/app' },
  pusher: { id: 3, login: 'mona', username: 'mona' },
  sender: { id: 3, login: 'mona', username: 'mona' },
};

describe('verification', () => {
  const body = Buffer.from('{"zen":"ünïcode"}');
  const secretScope = (id: string) => ({ kind: 'workspaces', ids: [id], beyond: false }) as const;
  const verify = (signature: string | undefined, secrets: string[], more: RequestHeaders = {}) =>
    github.verify(
      body,
      { 'x-hub-signature-256': signature, ...more },
      [
        ...secrets.map((secret) => ({ secret, secretScope: secretScope(secret) })),
        { secret: 'drill', secretScope: { kind: 'drills' } },
      ],
      receivedAtMs,
    );

  test('says which configured secret signed, over the raw bytes', () => {
    expect(verify(signGithub(body, 'old'), ['new', 'old'])).toEqual({ secretScope: secretScope('old') });
    expect(verify(signGithub(body, 'new'), ['new', 'old'])).toEqual({ secretScope: secretScope('new') });
  });

  test('takes the drill key for what says to be a drill’s, and nothing else for it', () => {
    const drill = { [drillHeader]: '1' };
    const refused = { refusal: { status: 401, reason: 'bad-signature' } };
    expect(verify(signGithub(body, 'drill'), ['new'], drill)).toEqual({ secretScope: { kind: 'drills' } });
    expect(verify(signGithub(body, 'new'), ['new'], drill)).toMatchObject(refused);
    expect(verify(signGithub(body, 'drill'), ['new'])).toMatchObject(refused);
  });

  test('knows GitHub’s own example', () => {
    // https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    expect(signGithub('Hello, World!', "It's a Secret to Everybody")).toBe(
      'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
    );
  });

  test('refuses any other signature, and never throws on one', () => {
    expect(verify(undefined, ['new'])).toMatchObject({ refusal: { status: 401, reason: 'missing-signature' } });
    const refused = { refusal: { status: 401, reason: 'bad-signature' } };
    expect(verify(signGithub(body, 'guess'), ['new'])).toMatchObject(refused);
    expect(verify(signGithub(body, 'new'), [])).toMatchObject(refused);
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (given) => {
        expect(verify(given, ['new'])).toMatchObject({ refusal: { status: 401 } });
        expect(verify(`sha256=${given}`, ['new'])).toMatchObject({ refusal: { status: 401 } });
      }),
    );
  });
});

describe('what an event says', () => {
  test('a job: whose machine, which run, which environment, when', () => {
    const body = example('workflow_job', action('completed'));
    expect(eventOf('workflow_job', body)).toMatchObject({
      type: 'dev.cdevents.taskrun.finished',
      time: '2021-08-05T10:38:16.000Z',
      workspace: 'octocoders',
      source: '//github.com/Octocoders',
      data: {
        'cicd.pipeline.run.id': '2202229078',
        'cicd.pipeline.task.run.result': 'failure',
        'tripline.worker.hosted': true,
        'tripline.worker.labels': ['ubuntu-latest'],
      },
    });
    const deployment = { id: 5, environment: 'production', production_environment: true };
    const deploying = eventOf('workflow_job', { ...example('workflow_job', action('waiting')), deployment });
    expect(deploying.data).toMatchObject({
      'deployment.environment.name': 'production',
      'tripline.deployment.production': true,
    });
    expect(deploying.data).not.toHaveProperty('tripline.worker.hosted');
    expect(deploying.data).not.toHaveProperty('tripline.task.started_at');
  });

  test('a job whose check run has another id than it names that, since its id token does', () => {
    const body = example('workflow_job', action('completed'));
    const named = (check_run_url: string | null) =>
      eventOf('workflow_job', { ...body, workflow_job: { ...(body['workflow_job'] as object), check_run_url } }).data;
    const name = 'cicd.pipeline.task.check_run.id';
    const own = eventOf('workflow_job', body).data;
    // GitHub's published example is one of those whose ids differ.
    expect(own).toMatchObject({ [name]: '1291536064' });
    expect(named(`https://api.github.com/repos/o/r/check-runs/${own['cicd.pipeline.task.run.id']}`)).not.toHaveProperty(
      name,
    );
    expect(named('https://api.github.com/repos/o/r/check-runs/17')).toMatchObject({ [name]: '17' });
    for (const other of [null, '', 'https://api.github.com/repos/o/r/check-runs/', 'https://evil.example/x'])
      expect(named(other)).not.toHaveProperty(name);
  });

  test.each([
    ['none assigned', { runner_id: null, runner_name: null }, undefined],
    ['none ever assigned', { runner_id: 0, runner_name: '' }, undefined],
    ['GitHub’s own', { runner_id: 5, runner_name: 'GitHub Actions 5', runner_group_id: 0 }, true],
    ['GitHub’s own, of an older body', { runner_id: 5, runner_group_id: 2, runner_group_name: 'GitHub Actions' }, true],
    ['GitHub’s own, of a server that states no group', { runner_id: 5, runner_name: 'GitHub Actions 5' }, true],
    ['self-hosted', { runner_id: 5, runner_name: 'box', runner_group_name: 'Default', labels: ['self-hosted'] }, false],
    [
      'self-hosted, named and labelled like GitHub’s',
      { runner_id: 5, runner_name: 'GitHub Actions 5', runner_group_name: 'Default', labels: ['ubuntu-latest'] },
      false,
    ],
    [
      'self-hosted, in GitHub’s own group by what is said of it',
      { runner_id: 5, runner_group_id: 0, runner_group_name: 'GitHub Actions', labels: ['Self-Hosted'] },
      false,
    ],
    [
      'self-hosted, in a group named like GitHub’s',
      { runner_id: 66, runner_name: 'evil', runner_group_id: 42, runner_group_name: 'GitHub Actions' },
      false,
    ],
    [
      'self-hosted, in a group named like that of GitHub’s larger ones',
      { runner_id: 66, runner_name: 'evil', runner_group_id: 42, runner_group_name: 'Default Larger Runners' },
      false,
    ],
  ])('a runner that is %s', (_name, job, hosted) => {
    expect(isHosted(job)).toBe(hosted);
  });

  test('a push: whose account, which commit an annotated tag names, and which account an address names', () => {
    const [tagObject, commit] = ['e'.repeat(40), 'c'.repeat(40)];
    const author = { name: 'Ada', email: '81+ada@users.noreply.github.com' };
    const pushed = {
      ...example('push', () => true),
      ref: 'refs/tags/v1',
      after: tagObject,
      sender: { login: 'mallory', id: 66, type: 'User' },
      commits: [{ id: commit, message: 'x', author, committer: { ...author, email: 'ada@example.org' }, modified: [] }],
      head_commit: { id: commit, message: 'x', committer: author },
    };
    expect(eventOf('push', pushed).data).toMatchObject({
      'vcs.ref.head.revision': tagObject,
      'tripline.push.head_revision': commit,
      'tripline.push.pusher_id': '66',
      'tripline.push.commits': [{ revision: commit, authorId: '81' }],
    });
  });

  test('a merge: the merged commit; and before it none', () => {
    const closed = example('pull_request', action('closed'));
    const pull = closed['pull_request'] as Json;
    const merged = {
      ...pull,
      merged: true,
      merged_at: '2026-01-01T00:00:00Z',
      merge_commit_sha: 'c'.repeat(40),
      merged_by: { login: 'mona', id: 1 },
    };
    const event = eventOf('pull_request', { ...closed, pull_request: merged });
    expect(event).toMatchObject({
      type: 'dev.cdevents.change.merged',
      time: '2026-01-01T00:00:00.000Z',
      data: {
        'vcs.change.state': 'merged',
        'tripline.change.merge_revision': 'c'.repeat(40),
        'tripline.change.merged_by': 'mona',
      },
    });
    const open = eventOf('pull_request', example('pull_request', action('opened')));
    expect(open.data).not.toHaveProperty('tripline.change.merge_revision');
    const left = { ...pull, merged: false, merged_at: null };
    expect(eventOf('pull_request', { ...closed, pull_request: left }).type).toBe('dev.cdevents.change.abandoned');
  });

  test('an approval: who, of which commit, when; a dismissal takes it back', () => {
    const submitted = example('pull_request_review', action('submitted'));
    const review = { ...(submitted['review'] as Json), state: 'APPROVED', submitted_at: '2026-01-01T01:00:00+01:00' };
    const event = eventOf('pull_request_review', { ...submitted, review });
    expect(event).toMatchObject({
      time: '2026-01-01T00:00:00.000Z',
      data: {
        'tripline.review.state': 'approved',
        'tripline.review.revision': review['commit_id' as keyof typeof review],
        'tripline.review.author': 'Codertocat',
        'tripline.user.association': 'OWNER',
      },
    });
    expect(eventOf('pull_request_review', { ...submitted, action: 'dismissed', review }).data).toMatchObject({
      'tripline.review.state': 'dismissed',
    });
  });

  test('a push: its commits, the paths that configure CI, and GitHub’s time rather than the pusher’s', () => {
    const push = example('push', (body) => (body['commits'] as unknown[]).length === 0);
    const commit = {
      id: 'a'.repeat(40),
      message: 'change CI',
      timestamp: '1999-01-01T00:00:00Z',
      author: { name: 'Mona', username: 'mona', email: 'mona@example.com' },
      committer: { name: 'GitHub', username: 'web-flow' },
      added: ['.github/workflows/release.yml', 'src/a.ts'],
      modified: ['packages/x/action.yml'],
      removed: ['Jenkinsfile', 'docs/notaction.yml'],
    };
    const at = (pushedAt: unknown) => ({
      ...push,
      commits: [commit],
      head_commit: commit,
      repository: { ...(push['repository'] as Json), pushed_at: pushedAt },
    });
    const event = eventOf('push', at(receivedAtMs / 1000 - 1));
    expect(event.time).toBe('2026-03-04T05:06:06.000Z');
    expect(event.data['tripline.push.commits']).toEqual([
      {
        revision: 'a'.repeat(40),
        author: 'mona',
        authorEmail: 'mona@example.com',
        committer: 'web-flow',
        message: 'change CI',
        ciPaths: ['.github/workflows/release.yml', 'Jenkinsfile', 'packages/x/action.yml'],
        ciAdded: true,
        pathCount: 5,
      },
    ]);
    for (const insane of [null, 'never', receivedAtMs / 1000 + 3600, -1, 1e300]) {
      expect(eventOf('push', at(insane)).time).toBe('2026-03-04T05:06:07.000Z');
    }
  });

  test('a push of 2,048 commits full of text still fits a record', () => {
    const push = example('push');
    const long = '"\u0001ü'.repeat(500);
    const commits = Array.from({ length: 2048 }, (_, index) => ({
      id: index.toString(16).padStart(40, '0'),
      message: long,
      author: { username: long, email: long },
      committer: { name: long },
      added: Array.from({ length: 2 }, (_, n) => `.github/workflows/${n}${long}`),
    }));
    const event = eventOf('push', { ...push, commits });
    expect(event.data['tripline.push.commits']).toHaveLength(2048);
    expect(Buffer.byteLength(JSON.stringify(event.data))).toBeLessThan(900_000);
    parseEvent(event);
  });

  test('an invitation: its id, for whom, by whom, as what', () => {
    expect(eventOf('organization', example('organization', action('member_invited')))).toMatchObject({
      type: 'dev.cdeventsx.tripline-grant.added',
      time: '2021-05-24T04:10:21.000Z',
      data: {
        'tripline.grant.kind': 'org-invitation',
        'tripline.grant.id': '39652351',
        'tripline.grant.grantee': 'hacktocat',
        'tripline.grant.permission': 'direct_member',
        'user.name': 'Codertocat',
      },
    });
  });

  test('a job: the names of its steps, but not of one on a machine of GitHub’s without an environment', () => {
    const body = example('workflow_job', action('completed'));
    const job = body['workflow_job'] as Json;
    const names = (job['steps'] as { name: string }[]).map(({ name }) => name);
    expect(names.length).toBeGreaterThan(0);
    expect(eventOf('workflow_job', body).data).not.toHaveProperty(['tripline.task.steps']);
    const own = { ...job, labels: ['self-hosted'] };
    expect(eventOf('workflow_job', { ...body, workflow_job: own }).data['tripline.task.steps']).toEqual(names);
    const deployment = { id: 5, environment: 'production' };
    expect(eventOf('workflow_job', { ...body, deployment }).data['tripline.task.steps']).toEqual(names);
    const steps = Array.from({ length: 5000 }, () => ({ name: 'x'.repeat(5000) }));
    const long = eventOf('workflow_job', { ...body, workflow_job: { ...own, steps } });
    expect(JSON.stringify(long).length).toBeLessThan(60_000);
  });

  test('a wiki: which pages were written', () => {
    const event = eventOf('gollum', example('gollum'));
    expect(event.type).toBe('dev.cdeventsx.tripline-wiki.changed');
    const page = (example('gollum')['pages'] as Json[])[0]!;
    expect(event.data['tripline.wiki.pages']![0]).toEqual({
      ...{ title: page['title'], action: page['action'], revision: page['sha'] },
    });
  });

  test('a repository: what it says of itself, and whether it may be forked', () => {
    const body = example('repository', action('edited'));
    const repository = { ...(body['repository'] as Json), description: 'All of it', allow_forking: true };
    expect(eventOf('repository', { ...body, repository }).data).toMatchObject({
      ...{ 'tripline.repository.description': 'All of it', 'tripline.repository.forking_allowed': true },
    });
  });

  test.each([
    [
      'member',
      'added',
      {
        'tripline.grant.kind': 'collaborator',
        'tripline.grant.grantee': 'hacktocat',
        'tripline.grant.target': 'Codertocat/Hello-World',
      },
    ],
    [
      'membership',
      'added',
      {
        'tripline.grant.kind': 'team-member',
        'tripline.grant.target': 'Octocoders/github',
        'tripline.grant.team': 'github',
      },
    ],
    [
      'organization',
      'member_added',
      {
        'tripline.grant.kind': 'org-member',
        'tripline.grant.grantee': 'hacktocat',
        'tripline.grant.permission': 'member',
      },
    ],
    ['team', 'added_to_repository', { 'tripline.grant.kind': 'team-repository', 'tripline.grant.grantee': 'github' }],
    [
      'deploy_key',
      'created',
      { 'tripline.grant.kind': 'deploy-key', 'tripline.grant.id': '100', 'tripline.grant.permission': 'read' },
    ],
    [
      'installation',
      'created',
      {
        'tripline.grant.kind': 'app-installation',
        'tripline.grant.permissions': expect.objectContaining({ metadata: 'read' }),
      },
    ],
    [
      'installation_repositories',
      'added',
      { 'tripline.grant.kind': 'app-repositories', 'tripline.grant.repositories': ['Codertocat/Space'] },
    ],
  ])('a grant: %s %s', (name, verb, data) => {
    const event = eventOf(name, example(name, action(verb)));
    expect(event).toMatchObject({ type: 'dev.cdeventsx.tripline-grant.added', data });
  });

  const permissionsOf = (right: string) => {
    const order = ['pull', 'triage', 'push', 'maintain', 'admin'];
    return Object.fromEntries(order.map((one, at) => [one, at <= order.indexOf(right)]));
  };
  const ofTeam = (verb: string, more: Json, changes?: Json) => {
    const body = example('team', action(verb));
    const repository = { ...(example('team_add')['repository'] as Json), ...more };
    return eventOf('team', { ...body, repository, changes }).data;
  };
  test('a team’s right is what the repository says of it, never the team’s own default', () => {
    const added = (more: Json) => ofTeam('added_to_repository', more)['tripline.grant.permission'];
    expect(added({ permissions: permissionsOf('admin'), role_name: 'admin' })).toBe('admin');
    expect(added({ permissions: permissionsOf('push') })).toBe('push');
    expect(added({ permissions: permissionsOf('push'), role_name: 'release-manager' })).toBe('release-manager');
    expect(added({ permissions: permissionsOf('admin'), role_name: 'pull' })).toBe('custom role pull (admin)');
    expect(added({ permissions: { pull: false, push: false } })).toBe('none');
    expect(added({})).toBeUndefined();
    expect(eventOf('team_add', example('team_add')).data).not.toHaveProperty('tripline.grant.permission');
    const raised = ofTeam(
      'edited',
      { permissions: permissionsOf('admin') },
      { repository: { permissions: { from: permissionsOf('push') } } },
    );
    expect(raised).toMatchObject({
      'tripline.grant.kind': 'team-repository',
      'tripline.grant.permission': 'admin',
      'tripline.grant.permission_before': 'push',
    });
  });
  test('a team that is made or moved under another says under which', () => {
    const parent = { id: 1, name: 'Admins', slug: 'admins' };
    const of = (verb: string, changes?: Json) => {
      const body = example('team', action(verb));
      return eventOf('team', { ...body, team: { ...(body['team'] as Json), parent }, changes }).data;
    };
    const under = { 'tripline.grant.kind': 'team', 'tripline.grant.parent': 'admins', 'tripline.grant.parent_id': '1' };
    expect(of('edited', { parent: { from: null } })).toMatchObject(under);
    expect(of('created')).toMatchObject({ ...under, 'tripline.grant.permission': 'pull' });
    // Another field was edited: it had lain there before.
    expect(of('edited', { description: { from: 'x' } })).not.toHaveProperty('tripline.grant.parent');
  });
  test('a collaborator’s right is the role, and a role that only bears a lesser one’s name is told apart', () => {
    const of = (changes: Json) => eventOf('member', { ...example('member', action('added')), changes }).data;
    const right = (permission: string, role: string) =>
      of({ permission: { to: permission }, role_name: { to: role } })['tripline.grant.permission'];
    expect(right('write', 'maintain')).toBe('maintain');
    expect(right('read', 'triage')).toBe('triage');
    expect(right('write', 'release-manager')).toBe('release-manager');
    expect(right('admin', 'pull')).toBe('custom role pull (admin)');
    expect(of({ old_permission: { from: 'write' }, permission: { from: 'write', to: 'maintain' } })).toMatchObject({
      'tripline.grant.permission': 'maintain',
      'tripline.grant.permission_before': 'write',
    });
  });

  test('a token’s approval, and a secret alert without the secret', () => {
    const bodies = openapiBodies();
    const approved = bodies.find((body) => body.operation === 'personal-access-token-request-approved')!.whole;
    expect(eventOf('personal_access_token_request', approved).data).toMatchObject({
      'tripline.grant.kind': 'personal-access-token',
      'tripline.credential.id': '7',
      'tripline.grant.id': '7',
    });
    const leaked = structuredClone(
      bodies.find((body) => body.operation === 'secret-scanning-alert-created')!.whole,
    ) as Json;
    (leaked['alert'] as Json)['secret'] = 'the very secret';
    const event = eventOf('secret_scanning_alert', leaked);
    expect(event.data).toMatchObject({
      'tripline.control.kind': 'secret-scanning',
      'tripline.control.action': 'created',
    });
    expect(JSON.stringify(event)).not.toContain('the very secret');
  });

  test('a control that was relaxed: what it was, what it is', () => {
    const event = eventOf('branch_protection_rule', example('branch_protection_rule', action('edited')));
    expect(event.data).toMatchObject({
      'tripline.control.kind': 'branch-protection',
      'tripline.control.patterns': ['production'],
      'tripline.control.changes': { authorized_actors_only: 'false', authorized_actor_names: '[]' },
      'tripline.control.settings': { authorized_actors_only: 'true', admin_enforced: 'false' },
    });
  });
});

describe('what strangers write', () => {
  const opened = example('pull_request', action('opened'));
  const withTitle = (title: string) => ({ ...opened, pull_request: { ...(opened['pull_request'] as Json), title } });

  test('is well-formed and cut on a code point', () => {
    const title = `${'x'.repeat(4095)}💥`;
    expect(eventOf('pull_request', withTitle(title)).data['vcs.change.title']).toBe('x'.repeat(4095));
    const raw = JSON.stringify(withTitle('LONE')).replace('LONE', 'a\\ud800\\u0000b');
    expect(eventOf('pull_request', Buffer.from(raw)).data['vcs.change.title']).toBe('a\ufffd\ufffdb');
  });

  test('keeps no credential', () => {
    const token = `ghp_${'A1b2C3d4E5f6'.repeat(3)}`;
    const event = eventOf('pull_request', withTitle(`oops ${token}`));
    expect(JSON.stringify(event)).not.toContain(token);
    expect(event.data['vcs.change.title']).toContain('sha256:');
    const added = example('member', action('added'));
    const named = eventOf('member', { ...added, member: { ...(added['member'] as Json), login: token } });
    expect(JSON.stringify(named)).not.toContain(token);
  });

  test('never makes the normaliser throw, nor brings forth an event that breaks its contract', () => {
    const names = [...readEvents.keys(), ...unreadEvents.keys()];
    const taken = examples.filter(({ name }) => readEvents.has(name));
    const mutated = fc
      .record({
        of: fc
          .constantFrom(...taken)
          .chain(({ name, examples: bodies }) =>
            fc.record({ name: fc.constant(name), body: fc.constantFrom(...bodies) }),
          ),
        key: fc.nat(),
        inner: fc.nat(),
        value: fc.oneof(
          fc.jsonValue(),
          fc.string({ unit: 'binary' }),
          fc.constantFrom('', 0, -1, 1e308, '2999-99-99', '\ud800', null, [], {}),
        ),
      })
      .map(({ of, key, inner, value }) => {
        const body = structuredClone(of.body);
        const top = Object.keys(body)[key % Object.keys(body).length]!;
        const part = body[top];
        if (typeof part !== 'object' || part === null) body[top] = value;
        else (part as Json)[Object.keys(part)[inner % Math.max(1, Object.keys(part).length)] ?? 'x'] = value;
        return { name: of.name, body };
      });
    const arbitrary = fc.record({ name: fc.constantFrom(...names), body: fc.dictionary(fc.string(), fc.jsonValue()) });
    fc.assert(
      fc.property(fc.oneof(mutated, arbitrary), ({ name, body }) => {
        const normalised = normalise(name, body);
        // Whole and genuine: whatever it says, it is not refused.
        expect(normalised).not.toHaveProperty('refusal');
        if ('event' in normalised) parseEvent(normalised.event);
      }),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.uint8Array(), (name, bytes) => {
        expect(normalise(name, Buffer.from(bytes))).toHaveProperty('refusal');
      }),
    );
  });
});
