import { createSign, createVerify, generateKeyPairSync } from 'node:crypto';
import { brokerSettings } from '@tripline/access/settings';
import { expect, test } from 'vitest';
import { openAppKey } from './app-key.ts';
import { appClient, NoTokenError } from './app-token.ts';
import { createGitHubMinter } from './mint.ts';

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const canary = 'canaryTokenOfTheBroker0123';
const nowMs = Date.now();
const clock = { nowMs: () => nowMs, pause: async () => {} };
const transit = { url: 'https://vault.acme.example', token: canary, mount: 'keys', key: 'github-app' };

/** As much of the transit engine as signs, and of GitHub as tells with what it was asked. */
function standIns(answerOfVault?: () => Response) {
  const bearers: string[] = [];
  const fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const request = new Request(input, init);
    if (request.url === 'https://vault.acme.example/v1/keys/sign/github-app/sha2-256') {
      expect(request.headers.get('x-vault-token')).toBe(canary);
      if (answerOfVault !== undefined) return answerOfVault();
      const { input: text, ...how } = (await request.json()) as { input: string };
      expect(how).toEqual({ signature_algorithm: 'pkcs1v15', marshaling_algorithm: 'jws' });
      const signature = createSign('RSA-SHA256').update(Buffer.from(text, 'base64')).sign(privateKey);
      return Response.json({ data: { signature: `vault:v3:${signature.toString('base64url')}` } });
    }
    expect(new URL(request.url).host).toBe('api.github.com');
    bearers.push(request.headers.get('authorization')!);
    return Response.json([]);
  };
  return { fetch: fetch as typeof globalThis.fetch, bearers };
}
const appBy = ({ fetch }: { fetch: typeof globalThis.fetch }) => ({
  ...{ apiUrl: 'https://api.github.com', id: '1234', fetch },
  ...openAppKey({ transit }, { clock, fetch }).key,
});

test('an App whose key Vault keeps signs by it: a JWT that GitHub takes, once for many requests', async () => {
  const github = standIns();
  const app = appBy(github);
  for (let nth = 0; nth < 2; nth += 1) await (await appClient(app)).send({ route: 'GET /app', parameters: {} });
  const [first, second] = github.bearers;
  expect(first).toBe(second);
  const [head, claims, signature] = first!.replace(/^bearer /, '').split('.') as [string, string, string];
  const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString());
  expect(read(head)).toEqual({ alg: 'RS256', typ: 'JWT' });
  const { iss, iat, exp } = read(claims);
  expect(iss).toBe('1234');
  // GitHub refuses what lives for longer than ten minutes, or begins in its future.
  expect(exp - iat).toBeLessThanOrEqual(600);
  expect(iat * 1000).toBeLessThan(nowMs);
  const verify = createVerify('RSA-SHA256').update(`${head}.${claims}`);
  expect(verify.verify(publicKey, signature, 'base64url')).toBe(true);
});

test.each([
  ['is sealed', () => Response.json({ errors: ['Vault is sealed'] }, { status: 503 }), /Vault is sealed|503/],
  ['denies it', () => Response.json({ errors: [`permission denied ${canary}`] }, { status: 403 }), /permission denied/],
  ['signs as nobody asked', () => Response.json({ data: { signature: 'vault:v1:a b' } }), /answered 200/],
])('where Vault %s nothing is minted, asking again may help, and no secret is told', async (_, answer, why) => {
  const github = standIns(answer);
  const minter = createGitHubMinter(appBy(github), { clock });
  const minted = await minter.mint({
    ...{ grantId: 'g-1', tier: 'production', run: 'acme/api#9', untilMs: nowMs + 1000 },
    ...{ give: { repositories: ['acme/api'], permissions: {} }, pins: { 'acme/api': { id: '74', owner: '65' } } },
  });
  expect(minted).toMatchObject({ result: 'refused', retry: true, reason: 'not-signed' });
  expect(JSON.stringify(minted)).toMatch(why);
  expect(JSON.stringify(minted)).toContain('keys/sign/github-app');
  expect(JSON.stringify(minted)).not.toContain(canary);
  expect(github.bearers).toEqual([]);
});

test('a key that cannot sign says so without saying any of it', async () => {
  const broken = pem.replace(/\n/, `\n${canary}`);
  const asking = appClient({ apiUrl: 'https://api.github.com', id: '1234', privateKey: broken });
  const error = await asking.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(NoTokenError);
  expect((error as NoTokenError).outcome).toMatchObject({ kind: 'give-up', reason: 'unusable-key' });
  expect(String((error as Error).message)).not.toContain(canary);
});

test('an App says by one of the two what signs for it', () => {
  const apps = (app: object) => brokerSettings.safeParse({ apps: [{ id: '1', ...app }] });
  expect(apps({ privateKey: pem }).success).toBe(true);
  expect(apps({ transit: { url: 'https://vault.acme.example', token: canary, key: 'github-app' } }).success).toBe(true);
  expect(apps({}).success).toBe(false);
  expect(apps({ privateKey: pem, transit }).success).toBe(false);
  expect(apps({ transit: { url: 'https://vault.acme.example', key: 'github-app' } }).success).toBe(false);
});
