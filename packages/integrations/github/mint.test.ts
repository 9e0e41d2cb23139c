import { createHash, generateKeyPairSync } from 'node:crypto';
import { fakeGitHub } from '@tripline/testing/fakes/minters/github';
import { checkMinter, type ProviderRequest } from '@tripline/testing/minter.conformance';
import { describe, expect, test } from 'vitest';
import type { MintOrder } from '../minter.ts';
import { createGitHubMinter } from './mint.ts';

const { privateKey } = generateKeyPairSync('rsa', {
  ...{ modulusLength: 2048, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const app = { id: '1234', privateKey, apiUrl: 'https://api.github.com' };
const acme = {
  ...{ id: 31, account: { id: 65, login: 'acme' }, repositories: { 74: 'acme/api', 75: 'acme/web' } },
  permissions: { contents: 'write', deployments: 'write', metadata: 'read' },
};
const namesake = { ...acme, id: 30, account: { id: 66, login: 'acme-former' }, repositories: { 74: 'acme/api' } };
const order: MintOrder<'github'> = {
  ...{ grantId: 'g-1', tier: 'production', run: 'acme/api#9', untilMs: Date.now() + 2_700_000 },
  give: { repositories: ['acme/api'], permissions: { contents: 'read', deployments: 'write' } },
  pins: { 'acme/api': { id: '74', owner: '65' }, 'acme/web': { id: '75', owner: '65' } },
};
const mints = ({ path }: ProviderRequest) => path.endsWith('/access_tokens');
const answered = (status: number, headers: Record<string, string> = {}) => ({
  ...{ status, headers, body: '{"message":"No"}' },
});

for (const format of ['short', 'stateless'] as const) {
  checkMinter<'github'>({
    name: `GitHub (${format} tokens)`,
    secrets: { 'private key': privateKey.split('\n').slice(1, -2).join('') },
    provider: async () => fakeGitHub([namesake, acme], { format }),
    open: async ({ url, timeoutMs, nowMs }) =>
      createGitHubMinter({ ...app, apiUrl: url, timeoutMs }, { clock: { nowMs, pause: async () => {} } }),
    order,
    mints,
    revokes: ({ method }) => method === 'DELETE',
    checks: ({ path }) => path.startsWith('/installation/repositories'),
    ends: 'revoked',
    refusals: [
      { when: '401', answer: answered(401), reason: 'unauthorised', retry: false },
      { when: '403', answer: answered(403), reason: 'forbidden', retry: false },
      { when: '404', answer: answered(404), reason: 'not-found', retry: false },
      { when: '422', answer: answered(422), reason: 'not-permitted', retry: false },
      {
        ...{ when: '403 at its limit', answer: answered(403, { 'retry-after': '12' }), reason: 'rate-limited' },
        ...{ retry: true, afterMs: 12_000 },
      },
      ...(
        [
          [{ 'retry-after': '0' }, 1000],
          [{ 'retry-after': '-5' }, 1000],
          [{ 'retry-after': '' }, 1000],
          [{ 'retry-after': '1.2' }, 1200],
          [{ 'retry-after': '99999999999' }, 3_600_000],
          [{ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '99999999999' }, 3_600_000],
          [{ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '0' }, 60_000],
        ] as const
      ).map(([headers, afterMs]) => ({
        ...{ when: `429 with ${JSON.stringify(headers)}`, answer: answered(429, headers), reason: 'rate-limited' },
        ...{ retry: true, afterMs },
      })),
      {
        ...{
          when: '403 that speaks of a limit, without a header',
          reason: 'rate-limited',
          retry: true,
          afterMs: 60_000,
        },
        answer: { status: 403, body: '{"message":"You have exceeded a secondary rate limit."}' },
      },
      { when: '429', answer: answered(429), reason: 'rate-limited', retry: true, afterMs: 60_000 },
      { when: '302', answer: answered(302, { location: '/elsewhere' }), reason: 'moved', retry: false },
    ],
    wider: [
      {
        when: 'another permission',
        change: (body) => ({ ...body, permissions: { contents: 'read', actions: 'read' } }),
      },
      { when: 'a higher level', change: (body) => ({ ...body, permissions: { contents: 'write' } }) },
      { when: 'a level of no known rank', change: (body) => ({ ...body, permissions: { contents: 'maintain' } }) },
      { when: 'another repository', change: (body) => ({ ...body, repositories: [{ id: 74 }, { id: 75 }] }) },
      { when: 'every repository', change: (body) => ({ ...body, repository_selection: 'all' }) },
      {
        when: 'every repository, and none by name',
        change: (body) => ({ ...body, repository_selection: 'all', repositories: [] }),
      },
      { when: 'none of the repositories', change: (body) => ({ ...body, repositories: [] }) },
      { when: 'no word on repositories', change: ({ repositories: _, ...body }) => body },
      { when: 'no word on permissions', change: ({ permissions: _, ...body }) => body },
      { when: 'no expiry', change: ({ expires_at: _, ...body }) => body },
    ],
    unasked: [
      { when: 'a name without a pin', order: { pins: {} }, reason: 'not-pinned' },
      {
        ...{ when: 'a pin that is no number', reason: 'not-pinned' },
        order: { pins: { 'acme/api': { id: 'acme', owner: '65' } } },
      },
      {
        ...{ when: 'repositories of two accounts', reason: 'several-owners' },
        order: {
          give: { repositories: ['acme/api', 'acme/web'], permissions: { contents: 'read' } },
          pins: { 'acme/api': { id: '74', owner: '65' }, 'acme/web': { id: '75', owner: '66' } },
        },
      },
      {
        ...{ when: 'an account without the App', reason: 'not-installed' },
        order: { pins: { 'acme/api': { id: '74', owner: '67' } } },
      },
      { when: 'no repository at all', order: { give: { ...order.give, repositories: [] } }, reason: 'not-pinned' },
    ],
  });
}

describe('at GitHub', () => {
  const served = (provider = fakeGitHub([acme]), type = 'application/json') => {
    const requests: { method: string; path: string; headers: Record<string, string>; body: string }[] = [];
    const fetch: typeof globalThis.fetch = async (input, init) => {
      const { pathname, search } = new URL(String(input));
      const headers = Object.fromEntries(new Headers(init?.headers));
      const request = {
        method: init?.method ?? 'GET',
        path: pathname + search,
        headers,
        body: String(init?.body ?? ''),
      };
      requests.push(request);
      const { status, body } = await provider.answer(request);
      return new Response(status === 204 ? null : body, { status, headers: { 'content-type': type } });
    };
    const clock = { nowMs: () => Date.now(), pause: async () => {} };
    return { minter: createGitHubMinter({ ...app, fetch }, { clock }), requests };
  };

  test('what is asked for is ids and permissions, and no name', async () => {
    const { minter, requests } = served();
    const answer = await minter.mint(order);
    expect(JSON.parse(requests.find(mints)!.body)).toEqual({
      repository_ids: [74],
      permissions: { contents: 'read', deployments: 'write' },
    });
    if (answer.result !== 'minted') throw new Error(answer.message);
    const { minted } = answer;
    expect(minted.scopes).toEqual(['contents:read', 'deployments:write', 'metadata:read', 'repository:74']);
    // As `hashed_token` in GitHub's audit log.
    const hash = createHash('sha256').update(minted.credential['token']!).digest('base64');
    expect(minted.tokenHash).toBe(hash);
  });

  test('the installation is looked up once, and again where the App was reinstalled', async () => {
    const installations = [{ ...acme }];
    const { minter, requests } = served(fakeGitHub(installations));
    const lookUps = () => requests.filter(({ path }) => path.startsWith('/app/installations?')).length;
    await minter.mint(order);
    await minter.mint(order);
    expect(lookUps()).toBe(1);
    installations[0]!.id = 32;
    expect(await minter.mint(order)).toMatchObject({ result: 'minted', minted: { handle: { installation: '32' } } });
    expect(lookUps()).toBe(2);
  });

  test.each(['Unauthorized', 'Requires authentication', 'bad credentials', ''])(
    'a 401 that says “%s” is something’s in between: what it says of a token is not known',
    async (message) => {
      const { minter } = served({
        ...fakeGitHub([acme]),
        answer: () => ({ status: 401, body: JSON.stringify({ message }) }),
      });
      const token = { handle: { installation: '31' }, value: 'ghs_16C7e42F292c6912E7710c838347Ae178B4a' };
      expect(await minter.revoke(token)).toMatchObject({ result: 'not-yet', retry: true, reason: 'unauthorised' });
      expect(await minter.check(token)).toMatchObject({ result: 'unknown' });
    },
  );

  test.each(['Application/JSON', 'application/vnd.GitHub+Json; charset=UTF-8'])(
    'what is sent as %s is read',
    async (type) => {
      const { minter } = served(fakeGitHub([acme]), type);
      expect(await minter.mint(order)).toMatchObject({ result: 'minted' });
    },
  );

  const hostile = `\0\u001b[2Jevil\n${'x'.repeat(1_000_000)}`;
  test.each(['a permission', 'a level', 'a refusal'])(
    'what is quoted of %s of a hostile answer is short and plain',
    async (what) => {
      const github = fakeGitHub([acme]);
      const { minter } = served({
        ...github,
        answer: async (request) => {
          if (!mints(request)) return github.answer(request);
          if (what === 'a refusal') return { status: 403, body: JSON.stringify({ message: hostile }) };
          const said = JSON.parse((await github.answer(request)).body!);
          const permissions = what === 'a level' ? { contents: hostile } : { [hostile]: 'read' };
          return { status: 201, body: JSON.stringify({ ...said, permissions }) };
        },
      });
      const answer = await minter.mint(order);
      const { message } = answer as { message: string };
      expect(message).toContain('evil x');
      expect(message).not.toMatch(/\p{Cc}/u);
      expect(message.length).toBeLessThan(500);
    },
  );

  test('a key that cannot sign is said to be one', async () => {
    const minter = createGitHubMinter(
      { ...app, privateKey: 'not a key, but sixteen' },
      { clock: { nowMs: Date.now, pause: async () => {} } },
    );
    expect(await minter.mint(order)).toMatchObject({ result: 'refused', reason: 'unusable-key', retry: false });
  });
});
