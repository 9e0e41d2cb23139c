import { constants, createCipheriv, createVerify, generateKeyPairSync, publicEncrypt, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type CreateAppJwt, openAppKey } from '../../packages/integrations/github/app-key.ts';
import { createVaultMinter } from '../../packages/integrations/vault/mint.ts';
import { createVaultSession } from '../../packages/integrations/vault/session.ts';
import { checkMinter, type MinterContract } from '../../packages/testing/minter.conformance.ts';
import { startOpenBao } from './openbao.ts';

/** The suite of minters against a real OpenBao, with the rights that the page of Vault names and no others. */
let bao: Awaited<ReturnType<typeof startOpenBao>>;
let own = '';
const until = Date.now() + 2_700_000;
const server = new URL(inject('postgresUrl'));

/** The policy that the page tells people to use, so that it is the one that is tried. */
const page = readFileSync(join(import.meta.dirname, '../../packages/integrations/vault/README.md'), 'utf8');
const policy = /```hcl\n([^`]+)```/.exec(page)![1]!;

beforeAll(async () => {
  bao = await startOpenBao();
  await bao.asRoot('PUT', 'sys/policies/acl/deploy-api', {
    policy: 'path "auth/token/lookup-self" { capabilities = ["read"] }',
  });
  await bao.asRoot('PUT', 'sys/policies/acl/tripline-broker', { policy });
  await bao.asRoot('POST', 'auth/token/roles/deploy-api', {
    ...{ allowed_policies: ['deploy-api'], orphan: true, renewable: false, token_explicit_max_ttl: '1h' },
    ...{ token_no_default_policy: true, token_type: 'service' },
  });
  await bao.asRoot('POST', 'sys/mounts/database', { type: 'database' });
  await bao.asRoot('POST', 'database/config/app', {
    ...{ plugin_name: 'postgresql-database-plugin', allowed_roles: ['deploy-api'], verify_connection: true },
    connection_url: `postgresql://{{username}}:{{password}}@/postgres${server.search}&sslmode=disable`,
    ...{ username: server.username, password: server.password || 'none', password_authentication: 'password' },
  });
  await bao.asRoot('POST', 'database/roles/deploy-api', {
    ...{ db_name: 'app', default_ttl: '10m', max_ttl: '10m' },
    creation_statements: [`CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`],
  });
  own = (await bao.asRoot('POST', 'auth/token/create-orphan', { policies: ['tripline-broker'], period: '24h' })).auth
    .client_token;
});
afterAll(() => bao?.close());

test('OpenBao signs as an App with a key that is imported as the page says, by a right to nothing else', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const der = privateKey.export({ type: 'pkcs8', format: 'der' });
  await bao.asRoot('POST', 'sys/mounts/transit', { type: 'transit' });
  const { data } = await bao.asRoot('GET', 'transit/wrapping_key');
  await bao.asRoot('POST', 'transit/keys/github-app/import', {
    ...{ type: 'rsa-2048', hash_function: 'SHA256', ciphertext: wrapped(der, data.public_key) },
  });
  const right = /bao policy write tripline-app - <<< '([^']+)'/.exec(page)![1]!;
  await bao.asRoot('PUT', 'sys/policies/acl/tripline-app', { policy: right });
  const made = await bao.asRoot('POST', 'auth/token/create-orphan', { policies: ['tripline-app'] });
  const transit = { url: bao.url, token: made.auth.client_token, mount: 'transit', key: 'github-app' };
  const clock = { nowMs: () => Date.now(), pause: async () => {} };
  const { key } = openAppKey({ transit }, { clock });
  const { jwt } = await (key as { createJwt: CreateAppJwt }).createJwt('1234');
  const [head, claims, signature] = jwt.split('.') as [string, string, string];
  const verify = createVerify('RSA-SHA256').update(`${head}.${claims}`);
  expect(verify.verify(publicKey, signature, 'base64url')).toBe(true);
  const other = openAppKey({ transit: { ...transit, key: 'another' } }, { clock }).key;
  await expect((other as { createJwt: CreateAppJwt }).createJwt('1234')).rejects.toThrow(/permission denied/);
});

/** As `bao transit import` wraps a key: AES-KWP by a key of its own, and that by RSA-OAEP. */
function wrapped(key: Buffer, wrappingKey: string): string {
  const ephemeral = randomBytes(32);
  const cipher = createCipheriv('id-aes256-wrap-pad', ephemeral, Buffer.from('a65959a6', 'hex'));
  const oaep = { key: wrappingKey, oaepHash: 'sha256', padding: constants.RSA_PKCS1_OAEP_PADDING };
  return Buffer.concat([publicEncrypt(oaep, ephemeral), cipher.update(key), cipher.final()]).toString('base64');
}

async function endAll() {
  await bao.asRoot('PUT', 'sys/leases/revoke-prefix/database/creds/deploy-api', { sync: true });
  for (const accessor of await deployTokens()) await bao.asRoot('POST', 'auth/token/revoke-accessor', { accessor });
}
async function deployTokens(): Promise<string[]> {
  const { data } = await bao.asRoot('LIST', 'auth/token/accessors');
  const looks = (data.keys as string[]).map((accessor) => bao.call('POST', 'auth/token/lookup-accessor', { accessor }));
  const known = (await Promise.all(looks)).filter(({ status }) => status === 200).map(({ data: one }) => one.data);
  return known.filter(({ role }) => role === 'deploy-api').map(({ accessor }) => accessor);
}
async function leases(): Promise<string[]> {
  const { status, data } = await bao.call('LIST', 'sys/leases/lookup/database/creds/deploy-api');
  return status === 404 ? [] : data.data.keys;
}

const answered = (status: number, error: string) => ({ status, body: JSON.stringify({ errors: [error] }) });
const common: Omit<MinterContract<'vault'>, 'name' | 'provider' | 'order' | 'mints'> = {
  secrets: {},
  open: async ({ url, timeoutMs, nowMs }) => {
    const clock = { nowMs, pause: async () => {} };
    return createVaultMinter(createVaultSession({ url, token: own }, { clock, timeoutMs }), { clock });
  },
  revokes: ({ path }) => path.endsWith('/revoke-accessor') || path === '/v1/sys/leases/revoke',
  checks: ({ path }) => path.endsWith('/lookup-accessor') || path === '/v1/sys/leases/lookup',
  ends: 'revoked',
  refusals: [{ when: 'sealed', answer: answered(503, 'Vault is sealed'), reason: 'sealed', retry: true }],
  wider: [],
  unasked: [],
};

checkMinter<'vault'>({
  ...common,
  name: 'OpenBao’s token role',
  provider: async () => {
    await endAll();
    return {
      answer: bao.answer,
      alive: async () => (await deployTokens()).length,
      admits: async ({ token }) => (await bao.call('GET', 'auth/token/lookup-self', undefined, token)).status === 200,
    };
  },
  order: {
    ...{ grantId: 'g-1', tier: 'production', run: 'acme/api#9', pins: {}, untilMs: until },
    give: { role: 'deploy-api', for: 900_000 },
  },
  mints: ({ path }) => path.startsWith('/v1/auth/token/create/'),
  wider: [
    {
      when: 'a longer life',
      change: (body) => ({
        ...(body as object),
        auth: { ...(body['auth'] as object | undefined), lease_duration: 901 },
      }),
    },
  ],
});

checkMinter<'vault'>({
  ...common,
  name: 'a login at Postgres by OpenBao',
  provider: async () => {
    await endAll();
    return {
      answer: bao.answer,
      alive: async () => (await leases()).length,
      admits: async ({ username, password }) => {
        const login = `${encodeURIComponent(username!)}:${encodeURIComponent(password!)}`;
        const client = new Client({ connectionString: `postgresql://${login}@localhost/postgres${server.search}` });
        try {
          await client.connect();
          return true;
        } catch {
          return false;
        } finally {
          await client.end().catch(() => {});
        }
      },
    };
  },
  order: {
    ...{ grantId: 'g-1', tier: 'production', run: 'acme/api#9', pins: {}, untilMs: until },
    give: { role: 'database/creds/deploy-api', for: 900_000 },
  },
  recoversNothing: true,
  mints: ({ path }) => path === '/v1/database/creds/deploy-api',
});
