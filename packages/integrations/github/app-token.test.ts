import { generateKeyPairSync } from 'node:crypto';
import { startFakeService } from '@tripline/testing/integration.conformance';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { appClient, withAppToken } from './app-token.ts';

const pem = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' });
let github: Awaited<ReturnType<typeof startFakeService>>;
beforeAll(async () => {
  github = await startFakeService(() => ({ status: 200, body: '{}' }));
});
afterAll(() => github.close());

test('an App signs one JWT for many requests, and another App one of its own', async () => {
  const app = { apiUrl: github.url, id: '1', privateKey: String(pem), fetch: globalThis.fetch };
  for (const one of [app, app, { ...app, id: '2' }])
    await (await appClient(one)).send({ route: 'GET /app', parameters: {} });
  const [first, second, other] = github.requests.map(({ headers }) => headers.authorization!);
  expect(second).toBe(first);
  expect(other).not.toBe(first);
  const claims = JSON.parse(Buffer.from(first!.split('.')[1]!, 'base64url').toString()) as { exp: number; iss: string };
  expect(String(claims.iss)).toBe('1');
  expect(claims.exp * 1000 - Date.now()).toBeGreaterThan(5 * 60_000);
});

test('a token that comes with another success than 201 is used and revoked like any', async () => {
  const ended: string[] = [];
  const answers: Record<string, { status: number; body: object }> = {
    '/orgs/acme/installation': { status: 200, body: { id: 1 } },
    '/app/installations/1/access_tokens': { status: 200, body: { token: 'ghs_of-another-success' } },
  };
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const { pathname } = new URL(String(input));
    if (init?.method === 'DELETE') ended.push(new Headers(init.headers).get('authorization')!);
    const { status, body } = answers[pathname] ?? { status: 204, body: {} };
    return status === 204 ? new Response(null, { status }) : Response.json(body, { status });
  };
  const app = { apiUrl: github.url, id: '3', privateKey: String(pem), fetch };
  const scope = { owner: 'acme', permissions: { members: 'read' } } as const;
  const options = { manner: 'once', nowMs: Date.now, onLeftAlive: () => {} } as const;
  expect(await withAppToken(app, scope, async () => 'used', options)).toBe('used');
  expect(ended).toEqual(['token ghs_of-another-success']);
});
