import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { lint } from '@tripline/access/lint';
import { readLock } from '@tripline/access/lock';
import { readPolicies } from '@tripline/access/policy';
import type { Attributes } from '@tripline/contracts/attributes';
import { forbidden, standingAnswers, startStandingGitHub } from '@tripline/testing/fakes/github-standing';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { at, toRecords } from '@tripline/testing/timeline/play';
import { addToTrail, makeTrailDays } from '@tripline/trail/trail';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { main } from '../main.ts';

/** `tripline access standing`, against a GitHub on this machine. */
let github: Awaited<ReturnType<typeof startStandingGitHub>>;
let folder: string;
beforeAll(async () => {
  github = await startStandingGitHub();
  folder = mkdtempSync(join(tmpdir(), 'tripline-standing-'));
});
afterAll(async () => {
  await github.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  github.requests.length = 0;
  for (const key of Object.keys(github.answers)) delete github.answers[key];
  Object.assign(github.answers, standingAnswers());
});

async function standing(args: string[], env: Record<string, string> = {}) {
  const said = { out: '', err: '' };
  const into = (stream: 'out' | 'err') => (text: string) => {
    said[stream] += text;
  };
  const io = { out: into('out'), err: into('err'), stdin: Readable.from(['']), cwd: folder, isTerminal: false };
  const set = {
    TRIPLINE_GITHUB_API_URL: github.url,
    TRIPLINE_GITHUB_TOKEN: 'a-token-that-reads',
    ...env,
  };
  const status = await main(['access', 'standing', ...args], { ...io, env: set });
  return { status, ...said };
}
type Line = {
  row?: { id: string; risk: string; idleDays: number | null } & Record<string, unknown>;
  gap?: unknown;
  shared?: unknown;
};
async function rowsOf(...args: string[]) {
  const { out } = await standing(['--org', 'acme', '--json', ...args]);
  const lines = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  return { lines, row: (id: string) => lines.find(({ row }) => row?.id === id)?.row };
}

test('a row for each thing that GitHub tells of, with reach, scope, risk and last use', async () => {
  const { lines, row } = await rowsOf();
  expect(lines.flatMap((line) => (line.row ? [line.row.id] : [])).sort()).toEqual(
    [
      ...[
        'fine-grained-token/25',
        'app/7',
        'oidc-subject/acme',
        'organization-right/65/base',
        'organization-right/65/second-factor',
      ],
      ...['owner/1', 'member/2', 'outside-collaborator/3', 'team/4', 'organization-role/8'],
      ...[
        'runner-group/acme/1',
        'runner-group/acme/2',
        'runner/acme/11',
        'secret/@acme/NPM_TOKEN',
        'secret/74/DEPLOY_KEY',
      ],
      ...['dependabot-secret/74/REGISTRY', 'secret/74/PROD_KEY@production', 'deploy-key/74/12', 'deploy-key/74/13'],
      ...['environment/74/31', 'environment/74/32'],
    ].sort(),
  );
  expect(row('fine-grained-token/25')).toMatchObject({
    ...{ owner: 'ada', repositories: ['acme/api'], scope: ['contents:write', 'metadata:read'], risk: 'medium' },
    ...{ lastUse: { at: '2026-11-01T08:00:00.000Z', by: 'provider' }, traits: ['writes', 'never-expires'] },
  });
  expect(row('deploy-key/74/13')).toMatchObject({ lastUse: 'never', scope: ['contents:read'] });
  expect(row('app/7')).toMatchObject({ lastUse: 'unknown', idleDays: null, risk: 'high' });
  expect(row('member/2')).toMatchObject({ risk: 'high', traits: ['no-second-factor'] });
  expect(row('outside-collaborator/3')).toMatchObject({
    repositories: ['acme/api'],
    scope: ['admin'],
    traits: ['outsider', 'administers'],
  });
  expect(row('team/4')).toMatchObject({ repositories: ['acme/api'], scope: ['push'], traits: ['writes'] });
  expect(row('environment/74/31')).toMatchObject({ traits: ['administrators-bypass'], scope: ['reviewers'] });
  expect(row('environment/74/32')).toMatchObject({ traits: ['ungated', 'every-branch'] });
  expect(row('runner-group/acme/2')).toMatchObject({ repositories: ['acme/api'], traits: [] });
});

test('what may not be read is said with what to grant, the rest is told, and the exit status is 1', async () => {
  github.answers['/orgs/acme/personal-access-tokens'] = forbidden;
  github.answers['/repos/acme/api/keys'] = forbidden;
  github.answers['/orgs/acme/members?filter=2fa_insecure'] = {
    status: 422,
    body: '{"message":"Only owners can use this filter."}',
  };
  const { status, out, err } = await standing(['--org', 'acme']);
  expect(status).toBe(1);
  expect(out).toContain(
    'not read: fine-grained tokens: GitHub answered GET /orgs/{org}/personal-access-tokens with 403',
  );
  expect(out).toContain('organization_personal_access_tokens: read');
  expect(out).toMatch(/not read: deploy keys: .*To have it: grant administration: read/);
  expect(out).toContain('not read: the second factors of members');
  expect(out).toContain(
    'not read: classic tokens and SSH keys of members: GitHub lists them only for organisations of Enterprise Cloud',
  );
  expect(out).toContain('secret DEPLOY_KEY');
  expect(err).toContain('acme: 0 of 1 repositories read\nacme: 1 of 1 repositories read\n');
  expect(`${out}${err}`).not.toContain('a-token-that-reads');
});

test('what two tiers share is read off the rows, by the tiers of the policies', async () => {
  const tiers = 'tiers: { production: [production], staging: [staging] }';
  writeFileSync(join(folder, 'tiers.yaml'), `audience: https://access.acme.example\n${tiers}\npolicies: {}\n`);
  const { lines } = await rowsOf('--file', 'tiers.yaml');
  const shared = lines.flatMap((line) => (line.shared ? [line.shared as { id: string; tiers: string[] }] : []));
  expect(shared.map(({ id }) => id).sort()).toEqual([
    ...['runner-group/acme/1', 'runner-group/acme/2', 'secret/74/DEPLOY_KEY', 'secret/@acme/NPM_TOKEN'],
  ]);
  expect(shared.every((one) => one.tiers.join() === 'production,staging')).toBe(true);
});

test('an App is asked for what it was granted, so that one permission that it lacks costs one part', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const permissions = { metadata: 'read', administration: 'write', members: 'read' };
  github.answers['/orgs/acme/installation'] = { id: 5, permissions };
  github.answers['/app/installations/5/access_tokens'] = { status: 201, body: '{"token":"ghs_of-the-look"}' };
  github.answers['/orgs/acme/actions/secrets'] = forbidden;
  const { out } = await standing(['--org', 'acme'], {
    TRIPLINE_GITHUB_APP_ID: '1',
    TRIPLINE_GITHUB_APP_PRIVATE_KEY: pem,
  });
  const minted = github.requests.find(({ path }) => path.endsWith('/access_tokens'));
  expect(JSON.parse(minted!.body)).toEqual({
    permissions: { administration: 'read', members: 'read', metadata: 'read' },
  });
  expect(out).toMatch(/not read: the organisation’s secrets: .*grant organization_secrets: read/);
  expect(out).toContain('deploy key argo');
  expect(github.requests.at(-1)).toMatchObject({ method: 'DELETE', path: '/installation/token' });
});

test('when the allowance of requests is used up, what was read is told, and what was not is said', async () => {
  const headers = { 'retry-after': '3600' };
  github.answers['/repos/acme/api/environments'] = {
    status: 429,
    headers,
    body: '{"message":"API rate limit exceeded"}',
  };
  const { status, out } = await standing(['--org', 'acme']);
  expect(status).toBe(1);
  expect(out).toContain('not read: 1 of 1 repositories: GitHub’s allowance of requests is used up');
  expect(out).toContain('deploy key argo');
});

test('with a plan each says how it is retired, and secrets are replaced by policies for the jobs that were seen with them', async () => {
  const database = await freshDatabase();
  const nowMs = Date.now();
  const run = { 'cicd.pipeline.run.id': '9', 'vcs.repository.name': 'acme/api', 'vcs.repository.id': '74' };
  const told = (atMs: number, type: Parameters<typeof at>[1], data: Attributes) =>
    at(atMs, type, { ...run, ...data } as never);
  const used = (environment: string) => ({
    ...{ 'tripline.credential.id': `9/${environment}`, 'tripline.credential.secrets': ['DEPLOY_KEY'] },
    'deployment.environment.name': environment,
    'tripline.identity.subject': 'acme/api/.github/workflows/release.yml@refs/heads/main',
  });
  const events = [
    told(nowMs - 7_200_000, 'dev.cdevents.pipelinerun.started', {
      ...{ 'vcs.ref.head.revision': 'c1', 'tripline.pipeline.path': '.github/workflows/release.yml' },
      ...{ 'tripline.pipeline.trigger': 'push', 'user.id': '2', 'user.name': 'bob' },
    }),
    told(nowMs - 7_100_000, 'dev.cdeventsx.tripline-credential.used', used('production')),
    told(nowMs - 7_000_000, 'dev.cdeventsx.tripline-credential.used', used('staging')),
  ];
  const records = toRecords({ events }).map((record) => ({ ...record, fault: null }));
  await makeTrailDays(database.db.pool, records, new Set());
  const client = await database.db.pool.connect();
  await addToTrail(client, null, records);
  client.release();
  const policies = (given: string) =>
    `audience: https://access.acme.example\ntiers: { production: [production], staging: [staging] }\npolicies:\n${given}`;
  writeFileSync(join(folder, 'access.yaml'), policies('  {}\n'));
  const args = ['--org', 'acme', '--plan', '--holds', 'DEPLOY_KEY=deploy-key/74/12'];
  const env = { DATABASE_URL: database.urlAs('cli') };
  const { out } = await standing(args, env);
  const said = out.slice(out.indexOf('secret DEPLOY_KEY'));
  expect(said).toContain('used by acme/api acme/api/.github/workflows/release.yml@refs/heads/main push to production');
  expect(said).toContain('retire: DELETE /repos/acme/api/actions/secrets/DEPLOY_KEY');
  expect(out).toContain('retire: DELETE /repos/acme/api/keys/12');
  expect(out).toContain('retire: POST /orgs/acme/personal-access-tokens/25 {"action":"revoke"}');
  const planned = out.split('\n').filter((line) => /^ {10}\S/.test(line) || /^ {12}/.test(line));
  const next = policies(`${planned.map((line) => line.slice(8)).join('\n')}\n`);
  const file = readPolicies(next);
  const lock = readLock("github: { acme/api: { id: '74', owner: '65' } }");
  // One key in two tiers is one privilege in both: lint says so, and nothing else.
  expect(Object.keys(file.policies)).toEqual(['api-release-staging', 'api-release-production']);
  expect(lint(file, lock).map(({ what }) => what)).toEqual([expect.stringContaining('contents:write is given in')]);
  const { 'api-release-production': production } = file.policies;
  expect(lint({ ...file, policies: { production: production! } }, lock)).toEqual([]);
  expect(production).toMatchObject({
    ...{ tier: 'production', needs: { reviewed: true, noIncident: 'high' } },
    who: {
      github: {
        caller: ['.github/workflows/release.yml@refs/heads/main'],
        events: ['push'],
        environment: ['production'],
      },
    },
    give: [{ github: { repositories: ['acme/api'], permissions: { contents: 'write' } } }],
  });
  writeFileSync(join(folder, 'access.yaml'), next);
  expect((await standing(['--org', 'acme'], env)).out).toContain(
    'policy api-release-staging gives the same for the length of a job',
  );
  rmSync(join(folder, 'access.yaml'));
  await database.close();
});

test('needs something to read with, and an organisation', async () => {
  expect(await standing(['--org', 'acme'], { TRIPLINE_GITHUB_TOKEN: '' })).toMatchObject({
    status: 1,
    err: expect.stringContaining('there is nothing to read GitHub with'),
  });
  expect(await standing([])).toMatchObject({ status: 1, err: expect.stringContaining('say which organisation') });
  github.answers['/orgs/acme/repos'] = { status: 401, body: '{"message":"Bad credentials"}' };
  expect(await standing(['--org', 'acme'])).toMatchObject({
    status: 1,
    err: expect.stringContaining('GitHub cannot be read'),
  });
});
