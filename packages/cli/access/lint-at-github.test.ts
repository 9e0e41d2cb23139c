import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { startStandingGitHub } from '@tripline/testing/fakes/github-standing';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { main } from '../main.ts';

/** `tripline access lint`, with an App and a reader, against a GitHub on this machine. */
let github: Awaited<ReturnType<typeof startStandingGitHub>>;
let folder: string;
const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const policies = `audience: https://access.acme.example
tiers: { production: [production], staging: [staging] }
policies:
  deploy-app:
    tier: production
    who:
      github:
        repository: acme/api
        caller: .github/workflows/ci.yml@refs/heads/main
        events: [push]
        ref: refs/heads/main
        environment: production
    needs: { reviewed: true }
    give: [{ github: { repositories: [acme/api], permissions: { contents: read, deployments: write } } }]
    tests: [{ expect: granted }, { job: { ref: refs/heads/x }, expect: denied }]
`;
const where = '/repos/acme/api/environments/production';
const answers = () => ({
  '/repos/acme/api/installation': { id: 5, permissions: { contents: 'write', deployments: 'write' } },
  '/repos/acme/api': { id: 74, visibility: 'public' },
  [where]: { id: 31, name: 'production', protection_rules: [{ type: 'required_reviewers', reviewers: [{}] }] },
  [`${where}/deployment_protection_rules`]: { custom_deployment_protection_rules: [] as object[] },
});

beforeAll(async () => {
  github = await startStandingGitHub({});
  folder = mkdtempSync(join(tmpdir(), 'tripline-lint-'));
  writeFileSync(join(folder, 'access.yaml'), policies);
  writeFileSync(join(folder, 'access.lock'), `github: { acme/api: { id: '74', owner: '65' } }\n`);
  writeFileSync(join(folder, 'key.pem'), privateKey, { mode: 0o600 });
});
afterAll(async () => {
  await github.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  github.requests.length = 0;
  for (const key of Object.keys(github.answers)) delete github.answers[key];
  Object.assign(github.answers, answers());
  const app = { id: '7', privateKey, tiers: ['production'] };
  writeFileSync(join(folder, 'tripline.yaml'), JSON.stringify({ broker: { apps: [app] } }), { mode: 0o600 });
});

async function lint(...args: string[]) {
  const said = { out: '', err: '' };
  const into = (stream: 'out' | 'err') => (text: string) => {
    said[stream] += text.replaceAll(/\s+/g, ' ');
  };
  const io = { out: into('out'), err: into('err'), stdin: Readable.from(['']), cwd: folder, isTerminal: false };
  const env = { TRIPLINE_GITHUB_API_URL: github.url, TRIPLINE_GITHUB_TOKEN: 'a-token-that-reads' };
  const status = await main(['access', 'lint', ...args], { ...io, env });
  return { status, ...said };
}

test('policies whose App has what they give, and whose environments somebody reviews, are in order', async () => {
  expect(await lint()).toEqual({ status: 0, out: '1 policy in order ', err: '' });
});

test('a policy that gives more than its App has, or where it is not installed, is not to be used', async () => {
  github.answers['/repos/acme/api/installation'] = { id: 5, permissions: { contents: 'read', deployments: 'read' } };
  expect(await lint()).toMatchObject({
    status: 1,
    out: expect.stringContaining('the App of production lacks on acme/api deployments: write (it has read)'),
  });
  delete github.answers['/repos/acme/api/installation'];
  expect(await lint()).toMatchObject({
    status: 1,
    out: expect.stringContaining('the App of production is not installed on acme/api'),
  });
});

test('an environment of production that nothing gates is not to be used; a gate or, in private repositories, the broker suffices', async () => {
  github.answers[where] = { id: 31, name: 'production', protection_rules: [{ type: 'wait_timer' }] };
  const open = 'environment production of acme/api has no gate and no reviewer';
  expect(await lint()).toMatchObject({
    status: 1,
    out: expect.stringMatching(new RegExp(`error deploy-app: ${open}`)),
  });
  github.answers['/repos/acme/api'] = { id: 74, visibility: 'private' };
  expect(await lint()).toMatchObject({
    status: 0,
    out: expect.stringMatching(new RegExp(`notice deploy-app: ${open}`)),
  });
  github.answers[`${where}/deployment_protection_rules`] = {
    custom_deployment_protection_rules: [{ enabled: true, app: { slug: 'tripline' } }],
  };
  expect(await lint()).toMatchObject({ status: 0, out: '1 policy in order ' });
});

test('an environment that is not there is told from a repository that may not be read', async () => {
  delete github.answers[where];
  expect(await lint()).toMatchObject({
    status: 1,
    out: expect.stringContaining('environment production is not there in acme/api'),
  });
  delete github.answers['/repos/acme/api'];
  expect(await lint()).toMatchObject({
    status: 0,
    err: expect.stringContaining('not looked at: whether environments are gated (acme/api production): github.app or'),
  });
});

test('without anything to ask by it says what was not looked at; offline it asks nothing', async () => {
  writeFileSync(join(folder, 'tripline.yaml'), '{}');
  expect(await lint()).toMatchObject({ status: 0, err: expect.stringContaining('what the App of production may: ') });
  github.requests.length = 0;
  expect(await lint('--offline')).toEqual({ status: 0, out: '1 policy in order ', err: '' });
  expect(github.requests).toEqual([]);
});
