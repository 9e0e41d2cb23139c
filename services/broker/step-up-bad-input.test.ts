import { createHmac } from 'node:crypto';
import { startHostileProvider } from '@tripline/testing/fakes/hostile-provider';
import { makeIssuerKey } from '@tripline/testing/id-tokens';
import { forEachTest } from '@tripline/testing/postgres/for-each-test';
import type { FreshDatabase } from '@tripline/testing/postgres/postgres';
import { client, example, startStepUps } from '@tripline/testing/services/step-ups';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

const { publicUrl } = example;
type Claims = Record<string, unknown>;
type Hostile = Awaited<ReturnType<typeof startHostileProvider>>;

let provider: Hostile;
beforeAll(async () => {
  provider = await startHostileProvider(client);
});
afterAll(() => provider.close());

describe('a sign-in at a provider that says', () => {
  let database: FreshDatabase;
  forEachTest((fresh) => {
    database = fresh;
  });
  let stage: Awaited<ReturnType<typeof startStepUps>>;
  beforeEach(async () => {
    provider.reset();
    stage = await startStepUps(database.as('broker'), provider);
  });
  afterEach(() => stage.close());

  /** Goes to the provider and comes back from it, in one browser; `at`: another provider than the one that was asked. */
  async function signedIn(of: { url: string }, at: Hostile = provider) {
    const by = stage.browser();
    const begun = await by.ask(`${of.url}/sign-in`);
    const to = begun.response.headers.get('location') ?? '';
    if (to === '') return { by, page: begun };
    const back = await at.signIn(to, Date.now() + stage.state.aheadMs);
    return { by, back, page: await by.open(back) };
  }

  it('what is so lets them in', async () => {
    expect((await signedIn(await stage.opened())).page.text).toContain('acme/api');
  });

  const nowS = () => Math.floor(Date.now() / 1000);
  it.each<[string, (of: Claims) => Claims, string]>([
    ['no acr', ({ acr: _, ...of }) => of, 'acr is absent'],
    ['a list as acr', (of) => ({ ...of, acr: ['phr'] }), 'acr is ['],
    ['a number as acr', (of) => ({ ...of, acr: 1 }), 'acr is 1'],
    ['an acr in other letters', (of) => ({ ...of, acr: 'PHR' }), 'PHR'],
    ['methods of which none counts', ({ acr: _, ...of }) => ({ ...of, amr: ['pwd', 'otp'] }), 'amr is ['],
    ['a text as methods', ({ acr: _, ...of }) => ({ ...of, amr: 'hwk' }), 'amr is'],
    ['methods within methods', ({ acr: _, ...of }) => ({ ...of, amr: [['hwk']] }), 'amr is ['],
    ['an old auth_time', (of) => ({ ...of, auth_time: nowS() - 120 }), 'Sign in anew'],
    ['an auth_time to come', (of) => ({ ...of, auth_time: nowS() + 120 }), 'ahead of ours'],
    ['no auth_time', ({ auth_time: _, ...of }) => of, '(auth_time)'],
    ['an auth_time that is a text', (of) => ({ ...of, auth_time: String(nowS()) }), 'OAUTH_'],
    ['another audience', (of) => ({ ...of, aud: 'another-client' }), 'OAUTH_'],
    ['another audience too', (of) => ({ ...of, aud: ['tripline', 'another-client'] }), 'OAUTH_'],
    ['no audience', ({ aud: _, ...of }) => of, 'OAUTH_'],
    ['another nonce', (of) => ({ ...of, nonce: 'another' }), 'OAUTH_'],
    ['no nonce', ({ nonce: _, ...of }) => of, 'OAUTH_'],
    ['another issuer', (of) => ({ ...of, iss: 'https://id.evil.example' }), 'OAUTH_'],
    ['its issuer with a slash', (of) => ({ ...of, iss: `${of['iss']}/` }), 'OAUTH_'],
    ['that it has expired', (of) => ({ ...of, exp: nowS() - 60 }), 'OAUTH_'],
    ['that it never expires', ({ exp: _, ...of }) => of, 'OAUTH_'],
    ['nobody', ({ sub: _, ...of }) => of, 'OAUTH_'],
  ])('%s counts for nothing', async (_, claims, words) => {
    provider.state.claims = claims;
    const link = await stage.opened();
    const { by, page } = await signedIn(link);
    expect([page.response.status, page.text]).toEqual([403, expect.stringContaining(words)]);
    expect((await by.open(link.url)).text).not.toContain('acme/api');
    expect(stage.appended).toEqual([]);
  });

  it.each<[string, (of: Claims) => string | Promise<string>]>([
    ['another key', async (of) => (await makeIssuerKey('key-1')).sign(of)],
    ['a key that it does not have', async (of) => (await makeIssuerKey('key-2')).sign(of)],
    ['nothing', (of) => `${part({ alg: 'none' })}.${part(of)}.`],
    [
      'our own secret',
      (of) => {
        const signed = `${part({ alg: 'HS256' })}.${part(of)}`;
        return `${signed}.${createHmac('sha256', client.secret).update(signed).digest('base64url')}`;
      },
    ],
  ])('who it is by a token signed by %s counts for nothing', async (_, sign) => {
    provider.state.sign = sign;
    const { page } = await signedIn(await stage.opened());
    expect([page.response.status, page.text]).toEqual([403, expect.stringContaining('OAUTH_')]);
  });
  const part = (of: object) => Buffer.from(JSON.stringify(of)).toString('base64url');

  it.each<[string, (of: URLSearchParams) => void]>([
    ['another provider', (of) => of.set('iss', 'https://id.evil.example')],
    ['no provider', (of) => of.delete('iss')],
    ['another state', (of) => of.set('state', 'another')],
    ['no state', (of) => of.delete('state')],
    ['two states', (of) => of.append('state', 'another')],
    ['no code', (of) => of.delete('code')],
  ])('somebody comes from %s counts for nothing', async (_, change) => {
    provider.state.back = (of) => {
      change(of);
      return of;
    };
    const asked = provider.requests.filter(({ path }) => path === '/token').length;
    const { page } = await signedIn(await stage.opened());
    expect(page.response.status).toBe(403);
    // The code goes to nobody.
    expect(provider.requests.filter(({ path }) => path === '/token')).toHaveLength(asked);
  });

  it('it is another one, to which somebody was led by its name, counts for nothing', async () => {
    const other = await startHostileProvider(client);
    try {
      const link = await stage.opened();
      const { page } = await signedIn(link, other);
      expect(page.response.status).toBe(403);
      // Nor where it says that it is the one that was asked: what it signed is not what that one sends.
      other.state.back = (of) => {
        of.set('iss', provider.issuer);
        return of;
      };
      provider.state.token = () => ({ status: 400, body: JSON.stringify({ error: 'invalid_grant' }) });
      expect((await signedIn(link, other)).page.response.status).toBe(403);
      expect(other.requests.filter(({ path }) => path === '/token')).toEqual([]);
    } finally {
      await other.close();
    }
  });

  it('the same a second time, with every cookie of the first, counts once', async () => {
    const link = await stage.opened();
    const by = stage.browser();
    const begun = await by.ask(`${link.url}/sign-in`);
    const cookies = new Map(by.jars.get(publicUrl));
    const back = await provider.signIn(begun.response.headers.get('location')!, Date.now());
    expect((await by.open(back)).response.status).toBe(200);
    // The browser that came back keeps nothing by which it could come back again.
    const again = await by.ask(back);
    expect(again.response.status).toBe(400);
    expect(cookies.size).toBe(1);
    // Another sign-in of the same browser has another state and nonce.
    const next = stage.browser();
    await next.ask(`${link.url}/sign-in`);
    expect((await next.ask(back)).response.status).toBe(403);
  });

  it.each<[string, Partial<Hostile['state']>]>([
    ['nothing', { token: () => ({ status: 500, body: '' }) }],
    ['half an answer', { token: (of) => ({ status: 200, body: JSON.stringify(of), manner: 'half' }) }],
    [
      'that it is another than it was asked for',
      { metadata: (of) => ({ status: 200, body: JSON.stringify({ ...of, issuer: 'https://id.evil.example' }) }) },
    ],
  ])('%s is not there: 503, and asked again later', async (_, change) => {
    const before = await startStepUps(database.as('broker'), provider);
    Object.assign(provider.state, change);
    const link = await stage.opened();
    expect((await signedIn(link)).page.response.status).toBe(503);
    provider.reset();
    expect((await signedIn(link)).page.response.status).toBe(200);
    await before.close();
  });
});
