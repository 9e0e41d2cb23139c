import { generateKeyPairSync } from 'node:crypto';
import { startFakeService } from '@tripline/testing/integration.conformance';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { appClient } from './app-token.ts';

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
