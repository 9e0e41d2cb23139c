import { generateKeyPairSync } from 'node:crypto';
import { parseEvent } from '@tripline/contracts/event';
import type { Intent } from '@tripline/contracts/response';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { identify, loginOf, organizationId } from '../packages/integrations/github/actions/action.ts';
import { withAppToken } from '../packages/integrations/github/app-token.ts';
import { createGitHubClient } from '../packages/integrations/github/client.ts';
import { withHook } from '../packages/integrations/github/deliveries.ts';
import { createGitHubGate } from '../packages/integrations/github/gate.ts';
import { inventoryPermissions, readInventory, toParts } from '../packages/integrations/github/inventory.ts';
import { createGitHubMinter } from '../packages/integrations/github/mint.ts';
import { readPolicyNames } from '../packages/integrations/github/policy-names.ts';
import { readEnvironmentGates, readGranted } from '../packages/integrations/github/policy-places.ts';
import { installedOn } from '../packages/integrations/github/reader.ts';
import { actionOf as actionFor } from '../packages/integrations/github/resolve.ts';
import { lookUpReviews } from '../packages/integrations/github/reviews.ts';
import { revokeByValue } from '../packages/integrations/github/revoke-by-value.ts';
import { readStanding } from '../packages/integrations/github/standing/read.ts';
import { polled } from '../packages/sources/github-audit/polled.ts';
import { type DescribedGitHub, serveGitHub } from '../packages/testing/fakes/github-openapi.ts';
import { heldIntents } from '../packages/testing/intents.ts';

/** Every request that Tripline sends to GitHub, held against the description that GitHub publishes of its API. */
const operations = [
  'POST /repos/{owner}/{repo}/actions/runs/{run_id}/cancel',
  'POST /repos/{owner}/{repo}/actions/runs/{run_id}/force-cancel',
  'GET /repos/{owner}/{repo}/actions/runs/{run_id}',
  'DELETE /repos/{owner}/{repo}/actions/runners/{runner_id}',
  'GET /repos/{owner}/{repo}/actions/runners/{runner_id}',
  'DELETE /orgs/{org}/actions/runners/{runner_id}',
  'GET /orgs/{org}/actions/runners/{runner_id}',
  'DELETE /orgs/{org}/invitations/{invitation_id}',
  'GET /orgs/{org}/invitations',
  'DELETE /repos/{owner}/{repo}/invitations/{invitation_id}',
  'GET /repos/{owner}/{repo}/invitations',
  'DELETE /orgs/{org}/memberships/{username}',
  'GET /orgs/{org}/memberships/{username}',
  'DELETE /orgs/{org}/teams/{team_slug}/memberships/{username}',
  'GET /orgs/{org}/teams/{team_slug}/memberships/{username}',
  'DELETE /orgs/{org}/teams/{team_slug}/repos/{owner}/{repo}',
  'GET /orgs/{org}/teams/{team_slug}/repos/{owner}/{repo}',
  'DELETE /repos/{owner}/{repo}/collaborators/{username}',
  'GET /repos/{owner}/{repo}/collaborators/{username}',
  'GET /repos/{owner}/{repo}/collaborators',
  'PUT /repos/{owner}/{repo}/collaborators/{username}',
  'PUT /orgs/{org}/teams/{team_slug}/repos/{owner}/{repo}',
  'PUT /orgs/{org}/memberships/{username}',
  'GET /repos/{owner}/{repo}/teams',
  'GET /orgs/{org}',
  'GET /users/{username}',
  'GET /user/{account_id}',
  'DELETE /repos/{owner}/{repo}/keys/{key_id}',
  'GET /repos/{owner}/{repo}/keys/{key_id}',
  'POST /orgs/{org}/personal-access-tokens/{pat_id}',
  'GET /orgs/{org}/personal-access-tokens',
  'PUT /repos/{owner}/{repo}/actions/workflows/{workflow_id}/disable',
  'GET /repos/{owner}/{repo}/actions/workflows/{workflow_id}',
  'PUT /repos/{owner}/{repo}/actions/permissions',
  'GET /repos/{owner}/{repo}/actions/permissions',
  'POST /repos/{owner}/{repo}/actions/runs/{run_id}/deployment_protection_rule',
  'GET /repos/{owner}/{repo}/actions/runs/{run_id}/pending_deployments',
  'GET /repos/{owner}/{repo}/environments/{environment_name}/deployment_protection_rules',
  'GET /repos/{owner}/{repo}/secret-scanning/alerts/{alert_number}',
  'PATCH /repos/{owner}/{repo}/secret-scanning/alerts/{alert_number}',
  'GET /orgs/{org}/credential-authorizations',
  'DELETE /orgs/{org}/credential-authorizations/{credential_id}',
  'GET /orgs/{org}/organization-roles',
  'GET /orgs/{org}/organization-roles/{role_id}/users',
  'DELETE /orgs/{org}/organization-roles/users/{username}/{role_id}',
  'GET /repos/{owner}/{repo}/git/ref/{ref}',
  'GET /repos/{owner}/{repo}/compare/{basehead}',
  'PATCH /repos/{owner}/{repo}/git/refs/{ref}',
  'DELETE /repos/{owner}/{repo}/git/refs/{ref}',
  'POST /repos/{owner}/{repo}/git/refs',
  'POST /repos/{owner}/{repo}/rulesets',
  'GET /repos/{owner}/{repo}/actions/caches',
  'DELETE /repos/{owner}/{repo}/actions/caches/{cache_id}',
  'GET /repos/{owner}/{repo}/actions/runs/{run_id}/artifacts',
  'DELETE /repos/{owner}/{repo}/actions/artifacts/{artifact_id}',
  'GET /repos/{owner}/{repo}',
  'PATCH /repos/{owner}/{repo}',
  'GET /repos/{owner}/{repo}/actions/secrets/{secret_name}',
  'DELETE /repos/{owner}/{repo}/actions/secrets/{secret_name}',
  'GET /repos/{owner}/{repo}/environments/{environment_name}/secrets/{secret_name}',
  'DELETE /repos/{owner}/{repo}/environments/{environment_name}/secrets/{secret_name}',
  'GET /orgs/{org}/actions/secrets/{secret_name}',
  'DELETE /orgs/{org}/actions/secrets/{secret_name}',
  'GET /orgs/{org}/blocks/{username}',
  'PUT /orgs/{org}/blocks/{username}',
  'GET /orgs/{org}/members/{username}',
  'GET /orgs/{org}/installation',
  'GET /enterprises/{enterprise}/installation',
  'GET /enterprises/{enterprise}/apps/organizations/{org}/installations',
  'DELETE /enterprises/{enterprise}/apps/organizations/{org}/installations/{installation_id}',
  'GET /users/{username}/installation',
  'GET /app/installations',
  'POST /app/installations/{installation_id}/access_tokens',
  'DELETE /installation/token',
  'GET /installation/repositories',
  'POST /credentials/revoke',
  'GET /app/hook/deliveries',
  'POST /app/hook/deliveries/{delivery_id}/attempts',
  'GET /orgs/{org}/hooks/{hook_id}/deliveries',
  'POST /orgs/{org}/hooks/{hook_id}/deliveries/{delivery_id}/attempts',
  'GET /repos/{owner}/{repo}/commits/{ref}',
  'GET /repos/{owner}/{repo}/commits/{commit_sha}/pulls',
  'GET /repos/{owner}/{repo}/pulls/{pull_number}',
  'GET /repos/{owner}/{repo}/pulls/{pull_number}/commits',
  'GET /repos/{owner}/{repo}/collaborators/{username}/permission',
  'GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews',
  'GET /orgs/{org}/actions/runners',
  'GET /orgs/{org}/actions/runner-groups',
  'GET /orgs/{org}/actions/runner-groups/{runner_group_id}/runners',
  'GET /orgs/{org}/actions/hosted-runners',
  'GET /orgs/{org}/members',
  'GET /orgs/{org}/installations',
  'GET /orgs/{org}/repos',
  'GET /repos/{owner}/{repo}/actions/runners',
  'GET /repos/{owner}/{repo}/keys',
  'GET /repos/{owner}/{repo}/branches',
  'GET /repos/{owner}/{repo}/branches/{branch}',
  'GET /repos/{owner}/{repo}/rulesets',
  'GET /repos/{owner}/{repo}/rulesets/{ruleset_id}',
  'GET /orgs/{org}/personal-access-tokens/{pat_id}/repositories',
  'GET /orgs/{org}/actions/oidc/customization/sub',
  'GET /orgs/{org}/outside_collaborators',
  'GET /orgs/{org}/teams',
  'GET /orgs/{org}/teams/{team_slug}/repos',
  'GET /orgs/{org}/teams/{team_slug}',
  'GET /orgs/{org}/organization-roles/{role_id}/teams',
  'GET /orgs/{org}/actions/runner-groups/{runner_group_id}/repositories',
  'GET /orgs/{org}/actions/secrets',
  'GET /orgs/{org}/actions/secrets/{secret_name}/repositories',
  'GET /orgs/{org}/dependabot/secrets',
  'GET /orgs/{org}/dependabot/secrets/{secret_name}/repositories',
  'GET /repos/{owner}/{repo}/actions/secrets',
  'GET /repos/{owner}/{repo}/dependabot/secrets',
  'GET /repos/{owner}/{repo}/environments',
  'GET /repos/{owner}/{repo}/environments/{environment_name}',
  'GET /repos/{owner}/{repo}/installation',
  'GET /repos/{owner}/{repo}/environments/{environment_name}/secrets',
];
const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const clock = { nowMs: () => Date.now(), pause: async () => {} };
const gate = async () => {};
const actionOf = (intent: Intent) => actionFor(intent, 'acme-inc')!;

let github: DescribedGitHub;
beforeAll(async () => {
  github = await serveGitHub(operations);
});
afterAll(() => github.close());
afterEach(() => {
  const wrong = github.wrong.splice(0);
  github.requests.length = 0;
  expect(wrong).toEqual([]);
});
const client = (options: { answering?: number } = {}) =>
  createGitHubClient({
    apiUrl: github.url,
    authorization: 'token t',
    fetch: github.fetch(options.answering),
    manner: 'once',
  });

const repository = 'acme/app';
const organization = 'acme';
const restore = { action: 'restore-permission', provider: 'github', instance: 'github.com' } as const;
const steps: { step: Intent; sends: string[] }[] = [
  {
    step: { action: 'stop-run', provider: 'github', instance: 'github.com', repository, runId: '77' },
    // GitHub's example of a run is still queued, so it is forced too.
    sends: ['POST /repos/acme/app/actions/runs/77/cancel', 'POST /repos/acme/app/actions/runs/77/force-cancel'],
  },
  {
    step: {
      action: 'isolate-runner',
      provider: 'github',
      instance: 'github.com',
      organization,
      repository,
      runnerId: '9',
    },
    sends: ['DELETE /repos/acme/app/actions/runners/9'],
  },
  {
    step: { action: 'isolate-runner', provider: 'github', instance: 'github.com', organization, runnerId: '9' },
    sends: ['DELETE /orgs/acme/actions/runners/9'],
  },
  {
    step: {
      action: 'revoke-grant',
      provider: 'github',
      instance: 'github.com',
      grant: 'org-invitation',
      organization,
      invitationId: '5',
      user: 'mallory',
    },
    sends: ['DELETE /orgs/acme/invitations/5'],
  },
  {
    step: {
      action: 'revoke-grant',
      provider: 'github',
      instance: 'github.com',
      grant: 'org-invitation',
      organization,
      repository,
      invitationId: '5',
      user: 'mallory',
    },
    sends: ['DELETE /repos/acme/app/invitations/5'],
  },
  {
    step: {
      action: 'revoke-grant',
      provider: 'github',
      instance: 'github.com',
      grant: 'org-member',
      organization,
      user: 'mallory',
    },
    sends: ['DELETE /orgs/acme/memberships/mallory'],
  },
  {
    step: {
      action: 'revoke-grant',
      provider: 'github',
      instance: 'github.com',
      grant: 'team-member',
      organization,
      team: 'ops',
      user: 'mallory',
    },
    sends: ['DELETE /orgs/acme/teams/ops/memberships/mallory'],
  },
  {
    step: {
      action: 'revoke-grant',
      provider: 'github',
      instance: 'github.com',
      grant: 'team-repository',
      organization,
      team: 'ops',
      repository,
    },
    sends: ['DELETE /orgs/acme/teams/ops/repos/acme/app'],
  },
  {
    step: {
      action: 'revoke-grant',
      provider: 'github',
      instance: 'github.com',
      grant: 'collaborator',
      repository,
      user: 'mallory',
    },
    sends: ['DELETE /repos/acme/app/collaborators/mallory'],
  },
  {
    step: {
      action: 'revoke-credential',
      provider: 'github',
      instance: 'github.com',
      credential: 'deploy-key',
      repository,
      credentialId: '3',
    },
    sends: ['DELETE /repos/acme/app/keys/3'],
  },
  {
    // The token of the description's own example, whose grant has another id.
    step: {
      action: 'revoke-credential',
      provider: 'github',
      instance: 'github.com',
      credential: 'personal-access-token',
      organization,
      credentialId: '98716',
    },
    sends: ['POST /orgs/acme/personal-access-tokens/25381'],
  },
  {
    step: { ...restore, grant: 'org-member', organization, user: 'octocat', formerPermission: 'member' },
    sends: ['PUT /orgs/acme/memberships/octocat'],
  },
  {
    step: {
      ...restore,
      grant: 'team-repository',
      organization,
      team: 'justice-league',
      repository,
      formerPermission: 'push',
    },
    sends: ['PUT /orgs/acme/teams/justice-league/repos/acme/app'],
  },
  {
    step: { ...restore, grant: 'collaborator', repository, user: 'octocat', formerPermission: 'read' },
    sends: ['PUT /repos/acme/app/collaborators/octocat'],
  },
  { step: heldIntents.workflow, sends: ['PUT /repos/acme/app/actions/workflows/release.yml/disable'] },
  { step: heldIntents.allWorkflows, sends: ['PUT /repos/acme/app/actions/permissions'] },
  { step: heldIntents.deployment, sends: ['POST /repos/acme/app/actions/runs/77/deployment_protection_rule'] },
  {
    // The user of the description's own example, who has three.
    step: { ...heldIntents.authorizations, user: 'octocat' },
    sends: [
      'DELETE /orgs/acme/credential-authorizations/161195',
      'DELETE /orgs/acme/credential-authorizations/161197',
      'DELETE /orgs/acme/credential-authorizations/161199',
    ],
  },
  { step: heldIntents.app, sends: ['DELETE /enterprises/acme-inc/apps/organizations/acme/installations/1'] },
  { step: heldIntents.role, sends: ['DELETE /orgs/acme/organization-roles/users/mallory/8'] },
  { step: heldIntents.ref, sends: ['PATCH /repos/acme/app/git/refs/tags%2Fv1'] },
  // GitHub's example compares two branches of which one lies behind the other.
  { step: { ...heldIntents.ref, ifOnDefaultBranch: true }, sends: ['PATCH /repos/acme/app/git/refs/tags%2Fv1'] },
  { step: heldIntents.madeRef, sends: ['DELETE /repos/acme/app/git/refs/heads%2Ffix%2Fx%231'] },
  { step: heldIntents.tags, sends: ['POST /repos/acme/app/rulesets'] },
  { step: { ...heldIntents.caches, since: undefined }, sends: ['DELETE /repos/acme/app/actions/caches/505'] },
  {
    step: heldIntents.artifacts,
    sends: ['DELETE /repos/acme/app/actions/artifacts/11', 'DELETE /repos/acme/app/actions/artifacts/13'],
  },
  { step: heldIntents.exposure, sends: ['PATCH /repos/acme/app'] },
  { step: heldIntents.alert, sends: ['PATCH /repos/acme/app/secret-scanning/alerts/42'] },
  { step: heldIntents.secret, sends: ['DELETE /repos/acme/app/actions/secrets/NPM_TOKEN'] },
  {
    step: heldIntents.environmentSecret,
    sends: ['DELETE /repos/acme/app/environments/production/secrets/NPM_TOKEN'],
  },
  {
    step: { ...heldIntents.secret, storedBefore: '2026-05-01T11:00:00Z' },
    sends: ['DELETE /repos/acme/app/actions/secrets/NPM_TOKEN'],
  },
  { step: heldIntents.organizationSecret, sends: ['DELETE /orgs/acme/actions/secrets/NPM_TOKEN'] },
  { step: heldIntents.block, sends: ['PUT /orgs/acme/blocks/mallory'] },
];

describe.each(steps)('$step.action: $sends.0', ({ step, sends }) => {
  test('sends what GitHub describes, and understands its answers', async () => {
    const outcome = await actionOf(step).act(step, { client: client(), clock, gate, appId: '7' });
    expect(github.requests.filter((request) => !request.startsWith('GET'))).toEqual(sends);
    expect(outcome).toMatchObject(
      step.action === 'stop-run' ? { kind: 'retry' } : { kind: 'done', reason: 'accepted' },
    );
    github.requests.length = 0;
    const before = await actionOf(step).ask(step, { client: client(), clock });
    // GitHub's example of a runner is at work, and that of protection rules does not fit its own description.
    const isGate = step.action === 'reject-deployment';
    const answers = isGate ? /^unclear$/ : /^(so|not-so|busy)$/;
    expect(before.result === 'unknown' ? before.reason : before.result).toMatch(answers);
    expect(github.requests.length).toBeGreaterThan(0);
    github.requests.length = 0;
    const check = await actionOf(step).check(step, { client: client() });
    expect(check.result).toMatch(/^(dead|alive)$/);
    expect(github.requests.length).toBeGreaterThan(0);
  });

  test('asks for a token with permissions that GitHub knows, and revokes it', async () => {
    const app = { apiUrl: github.url, id: '1', privateKey, fetch: github.fetch() };
    const left: string[] = [];
    const options = { manner: 'once' as const, nowMs: clock.nowMs, onLeftAlive: (reason: string) => left.push(reason) };
    await withAppToken(app, actionOf(step).scope(step), async () => {}, options);
    expect(github.requests.map((request) => request.split(' ')[0])).toEqual(['GET', 'POST', 'DELETE']);
    expect(left).toEqual([]);
  });
});

test('a gate is answered as GitHub describes it: with a verdict, and with a word on what it waits for', async () => {
  const left: string[] = [];
  const app = { apiUrl: github.url, id: '1', privateKey, fetch: github.fetch() };
  const answering = createGitHubGate([app], { nowMs: Date.now, onLeftAlive: (reason) => left.push(reason) });
  // As GitHub's examples of a token and a run have them.
  const question = { installation: '1', repositoryId: '1296269', runId: '30433642', environment: 'staging' };
  const told = await answering.ask(question, async (access) => ({
    ...{ run: await access.run(), waits: await access.waits() },
    words: [
      await access.say({ state: 'approved', comment: 'x' }),
      await access.say({ state: 'rejected', comment: 'x'.repeat(2000) }),
      await access.say({ comment: 'waits' }),
    ],
  }));
  expect(told).toEqual({
    result: 'answered',
    value: {
      run: {
        result: 'answered',
        value: { attempt: 1, isOver: false, ownerId: '1', actor: { id: '1', name: 'octocat' } },
      },
      waits: { result: 'answered', value: true },
      words: [{ kind: 'done' }, { kind: 'done' }, { kind: 'done' }],
    },
  });
  await expect.poll(() => github.requests.at(-1)).toBe('DELETE /installation/token');
  expect(left).toEqual([]);
});

test('the errors that GitHub describes are understood', async () => {
  const act = (at: number, answering: number) =>
    actionOf(steps[at]!.step).act(steps[at]!.step, { client: client({ answering }), clock, gate });
  expect(await act(1, 422)).toMatchObject({ kind: 'retry', reason: 'busy' });
  expect(await act(3, 404)).toMatchObject({ kind: 'done', reason: 'already-gone' });
  expect(await act(5, 403)).toMatchObject({ kind: 'give-up', reason: 'forbidden' });
  expect(await act(10, 500)).toMatchObject({ kind: 'retry', reason: 'provider-failed' });
  const org = steps[5]!.step;
  expect((await actionOf(org).check(org, { client: client({ answering: 404 }) })).result).toBe('dead');
});

test('people are known by their numbers as GitHub describes it', async () => {
  const [known] = await identify(client(), [{ login: 'octocat' }]);
  expect(known?.id).toMatch(/^[0-9]+$/);
  expect(await organizationId(client(), organization)).toMatch(/^[0-9]+$/);
  expect(await loginOf(client(), '1')).toMatch(/^[a-z]+$/i);
});

test('a leaked token is read from its alert and revoked without a credential', async () => {
  const step = heldIntents.leakedToken;
  const revoked: string[][] = [];
  const revokeByValue = async (tokens: readonly string[]) => {
    revoked.push([...tokens]);
    return { kind: 'done' } as const;
  };
  const acting = { client: client(), clock, gate, revokeByValue };
  expect(await actionOf(step).act(step, acting)).toMatchObject({ kind: 'done' });
  // Of the description's own example.
  expect(revoked).toEqual([['XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX-us2']]);
  expect(github.requests).toEqual(['GET /repos/acme/app/secret-scanning/alerts/42']);
  await actionOf(step).ask(step, { client: client(), clock });
  await actionOf(step).check(step, { client: client() });
});

describe('revocation by value', () => {
  const tokens = [`ghp_${'a'.repeat(36)}`, `github_pat_${'b'.repeat(82)}`];
  test('is sent as GitHub describes it, without any credential', async () => {
    let authorization: string | null = 'not sent';
    const fetch: typeof globalThis.fetch = (input, init) => {
      authorization = new Headers(init?.headers).get('authorization');
      return github.fetch()(input, init);
    };
    expect(await revokeByValue({ apiUrl: github.url, tokens, fetch })).toMatchObject({
      kind: 'done',
      reason: 'accepted',
    });
    expect(authorization).toBeNull();
    expect(github.requests).toEqual(['POST /credentials/revoke']);
  });
  test('repeats no token, whatever goes wrong', async () => {
    const echo: typeof globalThis.fetch = async (_input, init) =>
      Response.json({ message: String(init?.body) }, { status: 422 });
    const said = JSON.stringify([
      await revokeByValue({ apiUrl: github.url, tokens, fetch: echo }),
      await revokeByValue({ apiUrl: github.url, tokens: [...tokens, 'not-a-token-canary'] }),
      await revokeByValue({ apiUrl: github.url, tokens: Array(1001).fill(tokens[0]) }),
      await revokeByValue({ apiUrl: github.url, tokens: [] }),
    ]);
    for (const secret of [...tokens, 'canary']) expect(said).not.toContain(secret);
    expect(github.requests).toEqual([]);
  });
});

test('reviews are read and fit an event', async () => {
  const { commit, changes } = await lookUpReviews(client(), { repository, revision: 'a'.repeat(40) });
  expect(changes.length).toBeGreaterThan(0);
  expect(changes[0]!.reviews.length).toBeGreaterThan(0);
  parseEvent({
    ...{
      id: 'x',
      source: '//github.com/acme/app',
      type: 'dev.cdeventsx.tripline-change.looked-up',
      time: '2026-05-01T12:00:00Z',
      workspace: 'acme',
      trust: 'high',
    },
    data: {
      'vcs.repository.name': repository,
      'vcs.ref.head.revision': 'a'.repeat(40),
      'tripline.lookup.id': 'x',
      'tripline.lookup.outcome': 'found',
      'tripline.lookup.commit': commit,
      'tripline.lookup.changes': changes,
    },
  });
});

test('an inventory is read whole and fits its events', async () => {
  const inventory = await readInventory(client(), organization);
  for (const [kind, items] of Object.entries(inventory)) expect(items.length, kind).toBeGreaterThan(0);
  const parts = toParts(inventory, 1200);
  expect(parts.length).toBeGreaterThan(1);
  for (const data of parts) {
    expect(Buffer.byteLength(JSON.stringify(data))).toBeLessThanOrEqual(1200);
    parseEvent({
      id: 'x',
      source: '//github.com/acme',
      type: 'dev.cdeventsx.tripline-inventory.observed',
      time: '2026-05-01T12:00:00Z',
      workspace: 'acme',
      trust: 'high',
      data,
    });
  }
  const runners = parts.flatMap((data) => data['tripline.inventory.runners'] ?? []);
  expect(runners).toEqual(inventory.runners);
});

test('what the App needs to import with is known to GitHub, and installations are listed', async () => {
  const access = { apiUrl: github.url, app: { id: '1', privateKey }, fetch: github.fetch() };
  expect((await installedOn(access, clock.nowMs())).length).toBeGreaterThan(0);
  const options = { manner: 'once' as const, nowMs: clock.nowMs, onLeftAlive: () => {} };
  await withAppToken(
    { ...access, ...access.app },
    { owner: organization, permissions: inventoryPermissions },
    async () => {},
    options,
  );
});

test('what stands is read whole, by requests as GitHub describes them', async () => {
  const { rows, gaps } = await readStanding(client(), organization);
  expect(gaps).toEqual([]);
  const kinds = new Set(rows.map(({ kind }) => kind));
  const told = [
    'fine-grained-token',
    'authorized-credential',
    'deploy-key',
    'app',
    'secret',
    'dependabot-secret',
    'owner',
  ];
  for (const kind of [...told, 'runner-group', 'runner', 'environment'] as const) expect(kinds, kind).toContain(kind);
});

test('what policies rest on is asked as GitHub describes it', async () => {
  const app = { apiUrl: github.url, fetch: github.fetch(), id: '1', privateKey };
  const granted = await readGranted([{ tier: 'production', repository: 'acme/api' }], () => app, Date.now());
  expect(granted.get('production acme/api')).toEqual(expect.any(Object));
  const access = { apiUrl: github.url, fetch: github.fetch(), token: 't' };
  const options = { nowMs: Date.now, onLeftAlive: () => {} };
  const named = [{ repository: 'acme/api', environment: 'production' }];
  const gates = await readEnvironmentGates(access, named, options);
  expect(gates.get('acme/api production')?.is).toBe('gated');
  expect(github.wrong).toEqual([]);
});

test('which ids teams and roles have is asked as GitHub describes it', async () => {
  const access = { apiUrl: github.url, fetch: github.fetch(), token: 't' };
  const options = { nowMs: Date.now, onLeftAlive: () => {} };
  // The team and roles of the description's own examples.
  const named = { teams: ['github/justice-league'], roles: ['github/auditor', 'github/no_such'] };
  const { teams, roles, unread } = await readPolicyNames(access, named, options);
  expect(github.requests).toEqual([
    'GET /orgs/github',
    'GET /orgs/github/teams/justice-league',
    'GET /orgs/github/organization-roles',
  ]);
  expect(teams).toEqual({ 'github/justice-league': { id: '1', owner: '1' } });
  expect(roles).toEqual({ 'github/auditor': { id: '8031', owner: '1' } });
  expect([...unread.keys()]).toEqual(['roles github/no_such']);
});

describe('undelivered deliveries', () => {
  const app = { id: '1', privateKey };
  const organizationHook = { kind: 'organization', organization, id: '42' } as const;
  const ways = [
    { how: "of the App's webhook", access: { app }, hook: { kind: 'app' } as const, path: '/app/hook/deliveries' },
    {
      how: "of an organisation's webhook, with a token",
      access: { hookToken: 't' },
      hook: organizationHook,
      path: '/orgs/acme/hooks/42/deliveries',
    },
    {
      how: "of an organisation's webhook, with the App",
      access: { app },
      hook: organizationHook,
      path: '/orgs/acme/hooks/42/deliveries',
    },
  ];
  test.each(ways)('$how are listed and asked for again as GitHub describes it', async ({ access, hook, path }) => {
    const left: string[] = [];
    const options = { nowMs: clock.nowMs, onLeftAlive: (reason: string) => left.push(reason) };
    await withHook({ ...access, apiUrl: github.url, fetch: github.fetch() }, hook, options, async (hooks) => {
      const { attempts, next } = await hooks.list('v1_12077215967');
      expect(next).toBeNull();
      expect(attempts.length).toBeGreaterThan(0);
      expect(attempts[0]).toMatchObject({ id: expect.stringMatching(/^[0-9]+$/), made: expect.any(Boolean) });
      expect(await hooks.redeliver(attempts[0]!.id)).toMatchObject({ kind: 'done', reason: 'accepted' });
    });
    expect(github.requests.filter((request) => request.includes(path))).toHaveLength(2);
    expect(left).toEqual([]);
  });
});

describe('this suite can fail: a request is refused', () => {
  const sending = [
    [
      'at a wrong address',
      { route: 'DELETE /repos/{owner}/{repo}/key/{key_id}', parameters: { owner: 'acme', repo: 'app', key_id: '3' } },
    ],
    [
      'with a wrong id',
      { route: 'DELETE /repos/{owner}/{repo}/keys/{key_id}', parameters: { owner: 'acme', repo: 'app', key_id: 'x' } },
    ],
    [
      'with a wrong method',
      { route: 'POST /repos/{owner}/{repo}/keys/{key_id}', parameters: { owner: 'acme', repo: 'app', key_id: '3' } },
    ],
    [
      'with a wrong body',
      {
        route: 'POST /orgs/{org}/personal-access-tokens/{pat_id}',
        parameters: { org: 'acme', pat_id: '4', action: 'destroy' },
      },
    ],
    [
      'with an unknown permission',
      {
        route: 'POST /app/installations/{installation_id}/access_tokens',
        parameters: { installation_id: 1, permissions: { actions: 'admin' } },
      },
    ],
  ] as const;
  test.each(sending)('%s', async (_how, request) => {
    await expect(client().send(request)).rejects.toThrow('cannot be reached');
    expect(github.wrong.splice(0)).toHaveLength(1);
  });
  test('without a credential', async () => {
    const anonymous = createGitHubClient({ apiUrl: github.url, fetch: github.fetch(), manner: 'once' });
    await expect(anonymous.send({ route: 'GET /orgs/{org}/members', parameters: { org: 'acme' } })).rejects.toThrow();
    expect(github.wrong.splice(0)).toHaveLength(1);
  });
});

describe('the audit log of Enterprise Cloud', () => {
  let cloud: DescribedGitHub;
  beforeAll(async () => {
    cloud = await serveGitHub(['GET /orgs/{org}/audit-log', 'GET /enterprises/{enterprise}/audit-log'], 'ghec');
  });
  afterAll(() => cloud.close());

  test('is asked for as GitHub describes, and its example is read', async () => {
    const organizations = ['octo-corp', 'octocat-test-org', 'mona-org'].map((login) => ({ login }));
    const targets = polled.targets({
      ...{ github: { apiUrl: cloud.url }, workspaces: [{ id: 'octo', github: { organizations } }] },
      'github-audit': {
        ...{ pollToken: 't', polled: [{ organization: 'octo-corp' }, { enterprise: 'octo', workspace: 'octo' }] },
      },
    });
    const [cursor, begunMs, nowMs] = [null, Date.parse('2026-01-02T00:00:00Z'), Date.parse('2026-01-02T00:00:10Z')];
    const pages = [];
    for (const target of targets) {
      const window = JSON.stringify({ sinceMs: begunMs, newestMs: begunMs, page: 'MS42fHh4' });
      for (const where of [cursor, window]) {
        const asked = { target, cursor: where, begunMs, nowMs };
        const { url } = polled.request(asked);
        const answer = await cloud.fetch()(url, { headers: target.headers });
        const body = Buffer.from(await answer.arrayBuffer());
        pages.push(polled.read({ status: answer.status, headers: {}, body }, asked));
      }
    }
    expect(cloud.wrong).toEqual([]);
    expect(new Set(cloud.requests)).toEqual(
      new Set(['GET /orgs/octo-corp/audit-log', 'GET /enterprises/octo/audit-log']),
    );
    const events = pages.map((page) =>
      'refused' in page ? page : page.events.map(({ data }) => data['tripline.audit.action']),
    );
    const [own, all] = [['team.add_member'], ['team.add_member', 'org.create', 'repo.destroy']];
    expect(events).toEqual([own, own, all, all]);
  });
});

test('credentials for jobs are minted, asked about and revoked as GitHub describes it', async () => {
  const app = { id: '1', privateKey, apiUrl: github.url };
  // An example of GitHub's names an installation of account 1, and a token that has expired: it is taken back.
  const answer = await createGitHubMinter({ ...app, fetch: github.fetch() }, { clock }).mint({
    ...{ grantId: 'g-1', tier: 'production', run: 'acme/app#9', untilMs: clock.nowMs() + 3_600_000 },
    give: { repositories: ['acme/app'], permissions: { issues: 'write', contents: 'read' } },
    pins: { 'acme/app': { id: '1296269', owner: '1' } },
  });
  expect(answer.result, JSON.stringify(answer)).not.toBe('minted');
  const minter = createGitHubMinter({ ...app, fetch: github.fetch() }, { clock });
  const one = { handle: { installation: '1' }, value: 'ghs_example0123456789' };
  expect(await minter.check(one)).toMatchObject({ result: 'alive' });
  expect(await minter.revoke(one)).toEqual({ result: 'dead', by: 'revoked' });
  expect(github.requests).toEqual(
    expect.arrayContaining([
      'GET /app/installations',
      'POST /app/installations/1/access_tokens',
      'GET /installation/repositories',
      'DELETE /installation/token',
    ]),
  );
});
