import { generateKeyPairSync } from 'node:crypto';
import type { Intent } from '@tripline/contracts/response';
import { type FakeAnswer, type FakeService, startFakeService } from '@tripline/testing/integration.conformance';
import { heldIntents } from '@tripline/testing/intents';
import { afterEach, describe, expect, test } from 'vitest';
import { ownInstallationOn } from '../app-token.ts';
import { createGitHubClient } from '../client.ts';
import { actionOf as actionFor } from '../resolve.ts';
import { askWhetherSameRepository, known } from './action.ts';

const clock = { nowMs: () => Date.parse('2026-05-01T12:00:00Z'), pause: async () => {} };
const gate = async () => {};
const actionOf = (step: Intent) => actionFor(step, 'acme-inc');
const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
let github: FakeService | undefined;
afterEach(async () => {
  await github?.close();
  github = undefined;
});
const json = (status: number, body: unknown): FakeAnswer => ({ status, body: JSON.stringify(body) });

/** GitHub as the test has it, by `METHOD /path`; what it does not name is not there. */
async function playing(answers: Record<string, FakeAnswer>) {
  github = await startFakeService(({ method, path }) => answers[`${method} ${path.split('?', 1)[0]}`] ?? json(404, {}));
  return createGitHubClient({ apiUrl: github.url, authorization: 'token t', manner: 'once' });
}
const changes = () =>
  github!.requests.map(({ method, path }) => `${method} ${path}`).filter((one) => !one.startsWith('GET'));
async function ask(step: Intent, answers: Record<string, FakeAnswer>, appId = '7') {
  const client = await playing(answers);
  const app = { apiUrl: github!.url, id: appId, privateKey };
  const ownInstallation = (on: string) => known(clock, () => ownInstallationOn(app, on));
  return actionOf(step)!.ask(step, { client, clock, appId, ownInstallationOn: ownInstallation });
}
async function act(step: Intent, answers: Record<string, FakeAnswer>) {
  const client = await playing(answers);
  return actionOf(step)!.act(step, { client, clock, gate });
}
async function check(step: Intent, answers: Record<string, FakeAnswer>) {
  const client = await playing(answers);
  return actionOf(step)!.check(step, { client });
}

const at = '/repos/acme/app';
const apps = '/enterprises/acme-inc/apps/organizations/acme/installations';
const [former, moved, other] = ['a', 'b', 'c'].map((digit) => digit.repeat(40));
const rules = (id: number, enabled = true) =>
  json(200, { custom_deployment_protection_rules: [{ enabled, app: { id } }] });
const waiting = json(200, [{ environment: { name: 'staging' } }]);
const alert = (of: object) => ({ [`GET ${at}/secret-scanning/alerts/42`]: json(200, of) });
const tag = (sha: string) => ({ [`GET ${at}/git/ref/tags%2Fv1`]: json(200, { object: { sha } }) });

describe('a repository whose name another one has by now', () => {
  const step: Intent = { ...heldIntents.workflow, repositoryId: '1' };
  const asking = async (of: Intent, answers: Record<string, FakeAnswer>) =>
    askWhetherSameRepository(of, { client: await playing(answers), clock });

  test('has nothing done to it', async () => {
    expect(await asking(step, { [`GET ${at}`]: json(200, { id: 2 }) })).toMatchObject({
      result: 'not-so',
      detail: 'acme/app is another repository now than the one of the finding',
      alive: true,
    });
  });

  test('is none where it is the same, is gone, or was never told by a number', async () => {
    expect(await asking(step, { [`GET ${at}`]: json(200, { id: 1 }) })).toBeUndefined();
    expect(await asking(step, {})).toBeUndefined();
    expect(await asking(heldIntents.workflow, {})).toBeUndefined();
    expect(await asking(heldIntents.block, {})).toBeUndefined();
  });

  test.each([json(301, { message: 'Moved Permanently' }), json(200, {}), json(200, []), json(500, {})])(
    'is not known to be none by %o',
    async (answer) => {
      expect(await asking(step, { [`GET ${at}`]: answer })).toMatchObject({ result: 'unknown' });
    },
  );
});

const unheard: Intent = { ...heldIntents.ref, ifOnDefaultBranch: true };
const besides = { ...tag(moved!), [`GET ${at}`]: json(200, { default_branch: 'main' }) };
const compared = (status: string | null) => ({
  ...besides,
  [`GET ${at}/compare/main...${former}`]: json(200, { status }),
});

describe('asked before anything is done', () => {
  test.each<[string, Intent, Record<string, FakeAnswer>, object]>([
    [
      'a workflow that runs',
      heldIntents.workflow,
      { [`GET ${at}/actions/workflows/release.yml`]: json(200, { state: 'active' }) },
      { result: 'so' },
    ],
    [
      'the workflow whose file it is',
      heldIntents.workflow,
      {
        [`GET ${at}/actions/workflows/release.yml`]: json(200, {
          state: 'active',
          path: heldIntents.workflow.workflow,
        }),
      },
      { result: 'so' },
    ],
    [
      'a workflow that is called as an action’s file is',
      { ...heldIntents.workflow, workflow: '.github/actions/build/release.yml' } as Intent,
      {
        [`GET ${at}/actions/workflows/release.yml`]: json(200, {
          state: 'active',
          path: heldIntents.workflow.workflow,
        }),
      },
      { result: 'not-so', alive: true },
    ],
    [
      'a workflow that somebody disabled',
      heldIntents.workflow,
      { [`GET ${at}/actions/workflows/release.yml`]: json(200, { state: 'disabled_manually' }) },
      { result: 'not-so' },
    ],
    [
      'a workflow of which nothing is said',
      heldIntents.workflow,
      { [`GET ${at}/actions/workflows/release.yml`]: json(200, {}) },
      { result: 'unknown' },
    ],
    [
      'Actions that are off',
      heldIntents.allWorkflows,
      { [`GET ${at}/actions/permissions`]: json(200, { enabled: false }) },
      { result: 'not-so' },
    ],
    [
      'a deployment that waits for the App',
      heldIntents.deployment,
      {
        [`GET ${at}/actions/runs/77/pending_deployments`]: waiting,
        [`GET ${at}/environments/staging/deployment_protection_rules`]: rules(7),
      },
      { result: 'so' },
    ],
    [
      'a deployment that waits for people',
      heldIntents.deployment,
      {
        [`GET ${at}/actions/runs/77/pending_deployments`]: waiting,
        [`GET ${at}/environments/staging/deployment_protection_rules`]: rules(8),
      },
      { result: 'not-so', alive: true },
    ],
    [
      'a deployment whose rule is off',
      heldIntents.deployment,
      {
        [`GET ${at}/actions/runs/77/pending_deployments`]: waiting,
        [`GET ${at}/environments/staging/deployment_protection_rules`]: rules(7, false),
      },
      { result: 'not-so', alive: true },
    ],
    [
      'a deployment that went on',
      heldIntents.deployment,
      { [`GET ${at}/actions/runs/77/pending_deployments`]: json(200, []) },
      { result: 'not-so' },
    ],
    ['a tag where the finding has it', heldIntents.ref, tag(moved!), { result: 'so' }],
    ['a tag where it stood before', heldIntents.ref, tag(former!), { result: 'not-so' }],
    ['a tag that somebody moved since', heldIntents.ref, tag(other!), { result: 'not-so', alive: true }],
    ['a tag that nobody heard put, to the default branch', unheard, compared('behind'), { result: 'so' }],
    ['a tag that nobody heard put, to its tip', unheard, compared('identical'), { result: 'so' }],
    [
      'a tag that nobody heard put, to what is beside it',
      unheard,
      compared('diverged'),
      { result: 'not-so', alive: true },
    ],
    [
      'a tag that nobody heard put, to what is ahead of it',
      unheard,
      compared('ahead'),
      { result: 'not-so', alive: true },
    ],
    ['a tag that nobody heard put, to no commit', unheard, besides, { result: 'not-so', alive: true }],
    ['a tag that nobody heard put, of which GitHub says nothing', unheard, compared(null), { result: 'unknown' }],
    [
      'a branch that there was not, and is',
      heldIntents.madeRef,
      { [`GET ${at}/git/ref/heads%2Ffix%2Fx%231`]: json(200, { object: { sha: moved } }) },
      { result: 'so' },
    ],
    ['a branch that there was not, and is not', heldIntents.madeRef, {}, { result: 'not-so' }],
    [
      'a secret that was stored before',
      { ...heldIntents.secret, storedBefore: '2026-05-01T11:00:00Z' },
      { [`GET ${at}/actions/secrets/NPM_TOKEN`]: json(200, { updated_at: '2026-05-01T10:59:59Z' }) },
      { result: 'so' },
    ],
    [
      'a secret that was made anew since',
      { ...heldIntents.secret, storedBefore: '2026-05-01T11:00:00Z' },
      { [`GET ${at}/actions/secrets/NPM_TOKEN`]: json(200, { updated_at: '2026-05-01T11:00:01Z' }) },
      { result: 'not-so', alive: true },
    ],
    [
      'a secret of which GitHub does not say since when',
      { ...heldIntents.secret, storedBefore: '2026-05-01T11:00:00Z' },
      { [`GET ${at}/actions/secrets/NPM_TOKEN`]: json(200, { name: 'NPM_TOKEN' }) },
      { result: 'unknown' },
    ],
    [
      'tags under no ruleset',
      heldIntents.tags,
      { [`GET ${at}/rulesets`]: json(200, [{ name: 'main', enforcement: 'active', target: 'branch' }]) },
      { result: 'so' },
    ],
    [
      'tags that are locked',
      heldIntents.tags,
      {
        [`GET ${at}/rulesets`]: json(200, [
          { name: 'Tripline: all tags locked', enforcement: 'active', target: 'tag' },
        ]),
      },
      { result: 'not-so' },
    ],
    [
      'a lock that is off',
      heldIntents.tags,
      {
        [`GET ${at}/rulesets`]: json(200, [
          { name: 'Tripline: all tags locked', enforcement: 'disabled', target: 'tag' },
        ]),
      },
      { result: 'so' },
    ],
    [
      'a public repository',
      heldIntents.exposure,
      { [`GET ${at}`]: json(200, { id: 1, private: false }) },
      { result: 'so' },
    ],
    [
      'a private repository',
      heldIntents.exposure,
      { [`GET ${at}`]: json(200, { id: 1, private: true }) },
      { result: 'not-so' },
    ],
    ['an alert of a dead secret', heldIntents.alert, alert({ state: 'open', validity: 'inactive' }), { result: 'so' }],
    [
      'an alert of a secret that opens',
      heldIntents.alert,
      alert({ state: 'open', validity: 'active' }),
      { result: 'not-so', alive: true },
    ],
    [
      'an alert of a secret of which nobody knows',
      heldIntents.alert,
      alert({ state: 'open', validity: 'unknown' }),
      { result: 'not-so', alive: true },
    ],
    [
      'a leaked token',
      heldIntents.leakedToken,
      alert({ state: 'open', secret_type: 'github_personal_access_token', validity: 'active' }),
      { result: 'so' },
    ],
    [
      'a leaked token that is dead',
      heldIntents.leakedToken,
      alert({ secret_type: 'github_personal_access_token', validity: 'inactive' }),
      { result: 'not-so' },
    ],
    [
      'a leaked token of somebody else',
      heldIntents.leakedToken,
      alert({ secret_type: 'aws_access_key_id', validity: 'active' }),
      { result: 'not-so', alive: true },
    ],
    [
      'an app that is installed, and is not ours',
      heldIntents.app,
      { [`GET ${apps}`]: json(200, [{ id: 1 }]), 'GET /orgs/acme/installation': json(200, { id: 2 }) },
      { result: 'so' },
    ],
    [
      'an app where ours is installed nowhere',
      heldIntents.app,
      { [`GET ${apps}`]: json(200, [{ id: 1 }]) },
      { result: 'so' },
    ],
    [
      'Tripline’s own App',
      heldIntents.app,
      { [`GET ${apps}`]: json(200, [{ id: 1 }]), 'GET /orgs/acme/installation': json(200, { id: 1 }) },
      { result: 'not-so', alive: true },
    ],
    [
      'an app that may be ours',
      heldIntents.app,
      { [`GET ${apps}`]: json(200, [{ id: 1 }]), 'GET /orgs/acme/installation': json(500, {}) },
      { result: 'unknown' },
    ],
    ['an app that is gone', heldIntents.app, { [`GET ${apps}`]: json(200, [{ id: 2 }]) }, { result: 'not-so' }],
    ['an organisation of another enterprise', heldIntents.app, {}, { result: 'unknown' }],
    ['a stranger', heldIntents.block, {}, { result: 'so' }],
    [
      'a member',
      heldIntents.block,
      { 'GET /orgs/acme/members/mallory': { status: 204 } },
      { result: 'not-so', alive: true },
    ],
    [
      'a stranger who is blocked',
      heldIntents.block,
      { 'GET /orgs/acme/blocks/mallory': { status: 204 } },
      { result: 'not-so' },
    ],
    [
      'a role by a team',
      heldIntents.role,
      { 'GET /orgs/acme/organization-roles/8/users': json(200, [{ login: 'mallory', id: 6, assignment: 'indirect' }]) },
      { result: 'not-so', alive: true },
    ],
    [
      'another account of that login',
      heldIntents.role,
      { 'GET /orgs/acme/organization-roles/8/users': json(200, [{ login: 'mallory', id: 66 }]) },
      { result: 'not-so' },
    ],
    [
      'a role of somebody renamed',
      heldIntents.role,
      { 'GET /orgs/acme/organization-roles/8/users': json(200, [{ login: 'mal', id: 6 }]) },
      { result: 'so', now: expect.objectContaining({ user: 'mal' }) },
    ],
    [
      'a role by its name',
      { ...heldIntents.role, roleId: undefined },
      {
        'GET /orgs/acme/organization-roles': json(200, { roles: [{ id: 8, name: 'security_manager' }] }),
        'GET /orgs/acme/organization-roles/8/users': json(200, [{ login: 'mallory', id: 6 }]),
      },
      { result: 'so', now: expect.objectContaining({ roleId: '8' }) },
    ],
    [
      'no caches',
      heldIntents.caches,
      { [`GET ${at}/actions/caches`]: json(200, { actions_caches: [] }) },
      { result: 'not-so' },
    ],
    [
      'nobody with an authorised token',
      heldIntents.authorizations,
      { 'GET /orgs/acme/credential-authorizations': json(200, []) },
      { result: 'not-so' },
    ],
    ['no single sign-on, or none that may be asked', heldIntents.authorizations, {}, { result: 'unknown' }],
  ])('%s', async (_what, step, answers, result) => {
    expect(await ask(step, answers)).toMatchObject(result);
    expect(changes()).toEqual([]);
  });
});

describe('done', () => {
  test('a lock of tags lets the App round it, which may have to put the next one back', async () => {
    const client = await playing({ [`POST ${at}/rulesets`]: json(201, { id: 1 }) });
    const outcome = await actionOf(heldIntents.tags)!.act(heldIntents.tags, { client, clock, gate, appId: '7' });
    expect(outcome).toMatchObject({ kind: 'done' });
    expect(JSON.parse(github!.requests[0]!.body)).toMatchObject({
      ...{ target: 'tag', conditions: { ref_name: { include: ['~ALL'] } } },
      bypass_actors: [{ actor_id: 7, actor_type: 'Integration', bypass_mode: 'always' }],
    });
  });

  test('a tag that was deleted altogether is made again', async () => {
    const answer = await act(heldIntents.ref, { [`POST ${at}/git/refs`]: json(201, {}) });
    expect(answer).toMatchObject({ kind: 'done' });
    expect(changes()).toEqual([`POST ${at}/git/refs`]);
  });

  test('only the caches since the given time are deleted, and told', async () => {
    const caches = [
      { id: 1, key: 'old', ref: 'refs/heads/main', created_at: '2026-05-01T10:59:00Z' },
      { id: 2, key: 'poisoned', ref: 'refs/heads/main', created_at: '2026-05-01T11:00:00Z' },
      { id: 3, key: 'ageless', ref: 'refs/heads/main' },
    ];
    const answer = await act(heldIntents.caches, {
      [`GET ${at}/actions/caches`]: json(200, { total_count: 3, actions_caches: caches }),
      [`DELETE ${at}/actions/caches/2`]: { status: 204 },
      [`DELETE ${at}/actions/caches/3`]: { status: 204 },
    });
    expect(answer).toMatchObject({
      kind: 'done',
      message: '2 deleted: poisoned (refs/heads/main), ageless (refs/heads/main)',
    });
    expect(changes()).toEqual([`DELETE ${at}/actions/caches/2`, `DELETE ${at}/actions/caches/3`]);
  });

  test.each([heldIntents.caches, heldIntents.artifacts, heldIntents.authorizations])(
    'a listing that is refused is not taken for an empty one: $action',
    async (step) => {
      for (const status of [403, 404]) {
        const client = await playing({
          [`GET ${at}/actions/caches`]: json(status, {}),
          [`GET ${at}/actions/runs/77/artifacts`]: json(status, {}),
          'GET /orgs/acme/credential-authorizations': json(status, {}),
        });
        expect(await actionOf(step)!.act(step, { client, clock, gate })).toMatchObject({
          kind: 'give-up',
          reason: 'forbidden',
        });
        await github!.close();
      }
    },
  );

  test('the gate is asked before each of many deletions', async () => {
    let asked = 0;
    const closing = async () => {
      asked += 1;
      if (asked > 2) throw new Error('closed');
    };
    const artifacts = [1, 2, 3].map((id) => ({ id, name: `a${id}` }));
    const client = await playing({
      [`GET ${at}/actions/runs/77/artifacts`]: json(200, { artifacts }),
      [`DELETE ${at}/actions/artifacts/1`]: { status: 204 },
    });
    const step = heldIntents.artifacts;
    await expect(actionOf(step)!.act(step, { client, clock, gate: closing })).rejects.toThrow('closed');
    expect(changes()).toEqual([`DELETE ${at}/actions/artifacts/1`]);
  });

  test('the value of a leaked token goes to the revocation, and into no outcome', async () => {
    const value = `ghp_${'c'.repeat(36)}`;
    const client = await playing(alert({ secret: value }));
    const given: string[] = [];
    const revokeByValue = async (tokens: readonly string[]) => {
      given.push(...tokens);
      return { kind: 'done', message: 'GitHub answered 202' } as const;
    };
    const step = heldIntents.leakedToken;
    const outcome = await actionOf(step)!.act(step, { client, clock, gate, revokeByValue });
    expect(given).toEqual([value]);
    expect(JSON.stringify(outcome)).not.toContain('ghp_');
    // Asking and checking have GitHub leave the value out.
    await actionOf(step)!.ask(step, { client, clock });
    await actionOf(step)!.check(step, { client });
    expect(github!.requests.map(({ path }) => path.split('=')[1])).toEqual(['false', 'true', 'true']);
  });
});

describe('checked afterwards', () => {
  test.each<[string, Intent, Record<string, FakeAnswer>, string]>([
    ['a token of which GitHub says nothing new', heldIntents.leakedToken, alert({ validity: 'active' }), 'unknown'],
    ['a token that is inactive', heldIntents.leakedToken, alert({ validity: 'inactive' }), 'dead'],
    ['a tag that stands where it stood', heldIntents.ref, tag(former!), 'dead'],
    ['a tag that was moved again', heldIntents.ref, tag(other!), 'alive'],
    [
      'a repository that is private',
      heldIntents.exposure,
      { [`GET ${at}`]: json(200, { id: 1, private: true }) },
      'dead',
    ],
    [
      'a repository that is public',
      heldIntents.exposure,
      { [`GET ${at}`]: json(200, { id: 1, private: false }) },
      'alive',
    ],
    ['a secret that is gone', heldIntents.secret, {}, 'dead'],
    [
      'tags that are locked',
      heldIntents.tags,
      {
        [`GET ${at}/rulesets`]: json(200, [
          { name: 'Tripline: all tags locked', enforcement: 'active', target: 'tag' },
        ]),
      },
      'dead',
    ],
    ['tags that are not', heldIntents.tags, { [`GET ${at}/rulesets`]: json(200, []) }, 'alive'],
  ])('%s', async (_what, step, answers, result) => {
    expect(await check(step, answers)).toMatchObject({ result });
  });
});
