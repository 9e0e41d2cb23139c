import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fakeVault } from '@tripline/testing/fakes/minters/vault';
import { checkMinter, type MinterContract, type ProviderRequest } from '@tripline/testing/minter.conformance';
import { describe, expect, test } from 'vitest';
import type { MintOrder } from '../minter.ts';
import { checkVault } from './doctor.ts';
import { createVaultMinter } from './mint.ts';
import { createVaultSession } from './session.ts';

const own = 's.canaryTokenOfTheBroker0123';
const pause = async () => {};
const order: MintOrder<'vault'> = {
  ...{ grantId: 'g-1', tier: 'production', run: 'acme/api#9', pins: {}, untilMs: Date.now() + 2_700_000 },
  give: { role: 'deploy-api', for: 900_000 },
};
const leased = { ...order, give: { role: 'database/creds/deploy-api', for: 900_000 } };
const answered = (status: number, error = 'no', headers: Record<string, string> = {}) => ({
  ...{ status, headers, body: JSON.stringify({ errors: [error] }) },
});
const auth = (body: object, change: object) => ({ ...body, auth: { ...(body as { auth: object }).auth, ...change } });

const common: Omit<MinterContract<'vault'>, 'name' | 'provider' | 'order' | 'mints' | 'wider'> = {
  secrets: { 'own token': own },
  open: async ({ url, timeoutMs, nowMs }) => {
    const clock = { nowMs, pause };
    return createVaultMinter(createVaultSession({ url, token: own }, { clock, timeoutMs }), { clock });
  },
  revokes: ({ path }) => path.endsWith('/revoke-accessor') || path === '/v1/sys/leases/revoke',
  checks: ({ path }) => path.endsWith('/lookup-accessor') || path === '/v1/sys/leases/lookup',
  ends: 'revoked',
  refusals: [
    { when: '400', answer: answered(400), reason: 'rejected', retry: false },
    { when: '403', answer: answered(403, 'permission denied'), reason: 'forbidden', retry: false },
    { when: 'an unknown role', answer: answered(400, 'unknown role x'), reason: 'not-found', retry: false },
    { when: '404', answer: answered(404), reason: 'not-found', retry: false },
    { when: '429', answer: answered(429), reason: 'rate-limited', retry: true, afterMs: 5000 },
    {
      ...{ when: '429 with Retry-After', answer: answered(429, 'no', { 'retry-after': '2' }) },
      ...{ reason: 'rate-limited', retry: true, afterMs: 2000 },
    },
    { when: 'sealed', answer: answered(503, 'Vault is sealed'), reason: 'sealed', retry: true, afterMs: 5000 },
    { when: '307', answer: answered(307, 'no', { location: '/elsewhere' }), reason: 'moved', retry: false },
  ],
  unasked: [{ when: 'no time is left', order: { untilMs: Date.now() - 1 }, reason: 'no-time-left' }],
};
const isToken = ({ path }: ProviderRequest) => path.startsWith('/v1/auth/token/create/');

for (const dialect of ['openbao', 'vault'] as const) {
  checkMinter<'vault'>({
    ...common,
    name: `a token role (${dialect})`,
    provider: async () => fakeVault({ token: own, dialect }),
    order,
    mints: isToken,
    wider: [
      { when: 'a root token', change: (body) => auth(body, { policies: ['deploy', 'root'] }) },
      { when: 'a longer life', change: (body) => auth(body, { lease_duration: 901 }) },
      { when: 'one that can be renewed', change: (body) => auth(body, { renewable: true }) },
      { when: 'one that ends with ours', change: (body) => auth(body, { orphan: false }) },
      { when: 'a batch token', change: (body) => auth(body, { token_type: 'batch' }) },
      { when: 'no word on its end', change: (body) => auth(body, { lease_duration: undefined }) },
      { when: 'no word on policies', change: (body) => auth(body, { policies: undefined }) },
    ],
  });
}

checkMinter<'vault'>({
  ...common,
  name: 'a dynamic secret',
  provider: async () => fakeVault({ token: own }),
  order: leased,
  recoversNothing: true,
  mints: ({ path }) => path === '/v1/database/creds/deploy-api',
  wider: [
    { when: 'a longer life', change: (body) => ({ ...(body as object), lease_duration: 901 }) },
    { when: 'no word on its end', change: (body) => ({ ...(body as object), lease_duration: undefined }) },
    { when: 'no secret in it', change: (body) => ({ ...(body as object), data: undefined }) },
  ],
});

describe('at Vault', () => {
  type Request = { method: string; path: string; headers: Record<string, string>; body: string };
  function served(answer: (request: Request) => { status: number; body?: unknown }) {
    const requests: Request[] = [];
    const fetch: typeof globalThis.fetch = async (input, init) => {
      const headers = Object.fromEntries(new Headers(init?.headers));
      const path = new URL(String(input)).pathname;
      const request = { method: init?.method ?? 'GET', path, headers, body: String(init?.body ?? '') };
      requests.push(request);
      const { status, body } = answer(request);
      return new Response(status === 204 ? null : JSON.stringify(body), { status });
    };
    return { fetch, requests };
  }
  const url = 'https://vault.acme.example';
  const ofToken = (token: string, ttlS: number) => ({
    auth: { client_token: token, lease_duration: ttlS, renewable: true },
  });
  let now = 1_000_000;
  const clock = { nowMs: () => now, pause };
  const appRole = { mount: 'approle', roleId: 'r-1', secretId: 'canary-secret-id-0123' };

  test('fixtures/minted.json: what is asked of OpenBao, what it answers, and what is made of that', async () => {
    const { request, answer, minted } = JSON.parse(
      readFileSync(join(import.meta.dirname, 'fixtures/minted.json'), 'utf8'),
    ) as { request: object; answer: object; minted: object };
    const { fetch, requests } = served(() => ({ status: 200, body: answer }));
    const minter = createVaultMinter(createVaultSession({ url, token: own }, { clock, fetch }), { clock });
    expect(await minter.mint({ ...order, untilMs: now + 3_600_000 })).toEqual({ result: 'minted', minted });
    expect(requests.map(({ method, path, body }) => ({ method, path, body: JSON.parse(body) }))).toEqual([request]);
  });

  test('a token is asked for with an end, the grant and the run, and never for longer than there is time', async () => {
    const { fetch, requests } = served(() => ({ status: 403 }));
    const session = createVaultSession({ url, token: own, namespace: 'team' }, { clock, fetch });
    await createVaultMinter(session, { clock }).mint({ ...order, untilMs: now + 60_500 });
    expect(requests[0]).toMatchObject({ method: 'POST', path: '/v1/auth/token/create/deploy-api' });
    expect(requests[0]!.headers).toMatchObject({ 'x-vault-token': own, 'x-vault-namespace': 'team' });
    expect(JSON.parse(requests[0]!.body)).toEqual({
      ...{ ttl: '60s', explicit_max_ttl: '60s', renewable: false, display_name: 'tripline' },
      meta: { tripline_grant: 'g-1', run: 'acme/api#9' },
    });
  });

  test('the broker logs in once, again when a third of that is left, and again where its token was revoked', async () => {
    let logins = 0;
    let valid = '';
    const { fetch } = served(({ path, headers, body }) => {
      if (path === '/v1/auth/approle/login') {
        expect(JSON.parse(body)).toEqual({ role_id: 'r-1', secret_id: appRole.secretId });
        logins += 1;
        valid = `t-${logins}`;
        return { status: 200, body: ofToken(valid, 900) };
      }
      return headers['x-vault-token'] === valid ? { status: 200, body: { data: {} } } : { status: 403, body: {} };
    });
    const { ask } = createVaultSession({ url, appRole }, { clock, fetch });
    const request = { method: 'GET', path: 'x' } as const;
    await Promise.all([ask(request), ask(request), ask(request)]);
    expect(logins).toBe(1);
    now += 599_000;
    expect(await ask(request)).toMatchObject({ status: 200 });
    expect(logins).toBe(1);
    now += 2000;
    expect(await ask(request)).toMatchObject({ status: 200 });
    expect(logins).toBe(2);
    now += 60_000;
    valid = 'revoked';
    expect(await ask(request)).toMatchObject({ status: 200 });
    expect(logins).toBe(3);
  });

  test('doctor: known, with a root token, without the right to end, with a token that ends, unknown', async () => {
    const may = (paths: string[]) => Object.fromEntries(paths.map((path) => [path, ['update']]));
    const all = may([
      'auth/token/revoke-accessor',
      'auth/token/lookup-accessor',
      'sys/leases/revoke',
      'sys/leases/lookup',
    ]);
    const look = (self: object | undefined, capabilities: object = all) => {
      const { fetch } = served(({ path }) => {
        if (path.endsWith('/capabilities-self')) return { status: 200, body: { data: capabilities } };
        return self === undefined
          ? { status: 403, body: { errors: ['permission denied'] } }
          : { status: 200, body: { data: self } };
      });
      const settings = { url, token: own, tiers: ['production'] };
      return checkVault({ ...settings, session: createVaultSession(settings, { clock, fetch }) }).look();
    };
    const periodic = { ttl: 86_400, renewable: true, policies: ['broker'] };
    expect(await look(periodic)).toEqual({ state: 'ok', detail: 'known there by policies broker' });
    expect(await look({ ...periodic, ttl: 0, policies: ['root'] })).toMatchObject({
      state: 'broken',
      detail: expect.stringMatching(/root/),
    });
    expect(await look(periodic, { ...all, 'sys/leases/revoke': ['deny'] })).toMatchObject({
      ...{ state: 'broken', detail: 'the broker may not update sys/leases/revoke: what it gives it could not end' },
    });
    expect(await look({ ...periodic, renewable: false })).toMatchObject({
      state: 'broken',
      detail: expect.stringMatching(/ends in 24 h/),
    });
    expect(await look(undefined)).toMatchObject({
      state: 'broken',
      detail: expect.stringMatching(/permission denied/),
    });
  });

  test('where it cannot log in nothing is minted, and nothing is said to be dead', async () => {
    const { fetch } = served(() => ({ status: 400, body: { errors: ['invalid role or secret ID'] } }));
    const minter = createVaultMinter(createVaultSession({ url, appRole }, { clock, fetch }), { clock });
    expect(await minter.mint({ ...order, untilMs: now + 900_000 })).toMatchObject({
      ...{ result: 'refused', reason: 'not-logged-in', retry: false },
      message: expect.stringContaining('invalid role or secret ID'),
    });
    expect(await minter.revoke({ handle: { accessor: 'a' } })).toMatchObject({ result: 'not-yet' });
    expect(await minter.check({ handle: { accessor: 'a' } })).toMatchObject({ result: 'unknown' });
  });

  test('its own token is renewed when half of its life is over, and a fault is told', async () => {
    const stop = new AbortController();
    const pauses: number[] = [];
    const told: string[] = [];
    let away = false;
    const { fetch, requests } = served(({ path }) => {
      if (away) return { status: 503, body: { errors: ['Vault is sealed'] } };
      if (path.endsWith('/lookup-self')) return { status: 200, body: { data: { ttl: 500, renewable: true } } };
      return { status: 200, body: ofToken(own, 1000) };
    });
    const ticking = {
      nowMs: () => now,
      pause: async (ms: number) => {
        pauses.push(ms);
        now += ms;
        away = pauses.length === 3;
        if (pauses.length === 5) stop.abort();
      },
    };
    const session = createVaultSession({ url, token: own }, { clock: ticking, fetch });
    await session.keepAlive(stop.signal, (message) => told.push(message));
    expect(pauses).toEqual([500_000, 500_000, 500_000, 30_000, 500_000]);
    expect(told).toEqual(['the broker’s Vault token cannot be renewed: it answered 503: Vault is sealed']);
    expect(requests.map(({ path }) => path.split('/').at(-1))).toEqual(['lookup-self', ...Array(5).fill('renew-self')]);
  });
});
