import type { Db } from '@tripline/db/database';
import type { GiveKind } from '@tripline/integrations/minter';
import { fakeStream } from '@tripline/testing/fakes/stream';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { fakeMinter, type Issuer, startBroker, startIssuer } from '@tripline/testing/services/broker';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Gather } from './asking.ts';
import { stsAudienceOf } from './sts.ts';

let issuer: Issuer;
let database: Awaited<ReturnType<typeof freshDatabase>>;
let db: Db;
beforeAll(async () => {
  issuer = await startIssuer();
  database = await freshDatabase();
  db = database.as('broker');
});
afterAll(async () => {
  await database.close();
  await issuer.close();
});

const who =
  'github: { repository: acme/api, caller: .github/workflows/release.yml@refs/heads/main, workflow: acme/deploy/.github/workflows/deploy.yml@refs/heads/main, events: [push], ref: refs/heads/main, environment: production }';
const policies = `
audience: https://access.acme.example
tiers: { production: [production] }
policies:
  deploy-api:
    tier: production
    who: { ${who} }
    needs: { reviewed: true }
    give: [{ github: { repositories: [acme/api], permissions: { contents: read } } }]
    sts: [{ scope: acme/api, identity: deploy }]
  whole-house:
    tier: production
    who: { ${who} }
    needs: { reviewed: true }
    give: [{ github: { repositories: [acme/api, acme/web], permissions: { issues: read } } }]
    sts: [{ scope: acme, identity: deploy }]
  asks-somebody:
    tier: production
    who: { ${who} }
    needs: { reviewed: true, mfa: { of: trigger, within: 15m } }
    give: [{ github: { repositories: [acme/api], permissions: { contents: write } } }]
    sts: [{ scope: acme/api, identity: release }]
  of-another-scope:
    tier: production
    who: { ${who} }
    needs: { reviewed: true }
    give: [{ github: { repositories: [acme/web], permissions: { contents: read } } }]
    sts: [{ scope: acme/api, identity: web }]
  first-of-two:
    tier: production
    who: { ${who} }
    needs: { reviewed: true }
    give: [{ github: { repositories: [acme/api], permissions: { contents: read } } }]
    sts: [{ scope: acme/api, identity: twice }]
  second-of-two:
    tier: production
    who: { ${who} }
    needs: { reviewed: true }
    give: [{ github: { repositories: [acme/api], permissions: { contents: write } } }]
    sts: [{ scope: Acme/API, identity: twice }]
`;
const known: Awaited<ReturnType<Gather>>['known'] = {
  ...{ job: 'running', fork: false, reviewed: { is: 'reviewed', why: 'approved by bea' }, deployedTo: [] },
  ...{ runner: { group: 'prod', isKnown: true }, incidents: [], address: '127.0.0.1', approval: undefined },
};

let stream: ReturnType<typeof fakeStream>;
let github: ReturnType<typeof fakeMinter>;
let broker: Awaited<ReturnType<typeof startBroker>>;
beforeEach(() => {
  stream = fakeStream();
  github = fakeMinter('github');
});
afterEach(() => broker?.close());

async function start(options: Parameters<typeof startBroker>[1] = {}) {
  const of = (kind: GiveKind) => (kind === 'github' ? github : undefined) as never;
  const gather: Gather = async () => ({ known, things: [] });
  const seams = { gather, minters: { of }, ...options.seams };
  broker = await startBroker({ db, stream, issuer }, { gives: true, policies, ...options, seams });
}

/** As octo-sts's action: a token for the domain, and a GET whose slash is not encoded. */
const token = (claims: Record<string, unknown> = {}) => issuer.token({ aud: 'access.acme.example', ...claims });
async function ask(
  query: string,
  { claims = {}, shown, ...init }: RequestInit & { claims?: Record<string, unknown>; shown?: string } = {},
) {
  const headers = { authorization: `Bearer ${shown ?? (await token(claims))}`, ...init.headers };
  return broker.send(init.method ?? 'GET', `/sts/exchange${query}`, { ...init, headers });
}
const decisions = () =>
  stream.appended.map(({ value }) => JSON.parse(value.toString())).map((one) => one['tripline.access.decision']);

describe('octo-sts’s clients', () => {
  test('get a token of the policy that says their scope and identity, and it is a grant as any other', async () => {
    await start();
    const { status, body, headers } = await ask('?scope=acme/api&scopes=acme/api&identity=deploy');
    expect({ status, body }).toEqual({ status: 200, body: { token: [...github.alive][0] } });
    expect(headers.get('cache-control')).toBe('no-store');
    expect(github.orders).toMatchObject([{ give: { repositories: ['acme/api'], permissions: { contents: 'read' } } }]);
    expect(stream.appended.map(({ value }) => JSON.parse(value.toString())['tripline.access.policy'])).toEqual([
      'deploy-api',
      'deploy-api',
    ]);
    expect(stream.appended.map(({ value }) => value.toString()).join()).not.toContain(body['token']);
    const { rows } = await db.pool.query(
      'SELECT policy, state FROM access_grants JOIN access_credentials ON grant_id = id',
    );
    expect(rows).toEqual([{ policy: 'deploy-api', state: 'live' }]);
  });

  test('may ask by POST: in the query, a form or JSON; of an owner; in other capitals', async () => {
    await start();
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const json = { 'content-type': 'application/json' };
    const whole = JSON.stringify({ scope: 'acme/api', identity: 'deploy', aud: ['more'], identity_provider: '' });
    const asked: [string, RequestInit?][] = [
      ['?scope=acme%2Fapi&identity=deploy', { method: 'POST' }],
      ['', { method: 'POST', headers: form, body: 'scope=acme%2Fapi&identity=deploy' }],
      ['', { method: 'POST', headers: json, body: whole }],
      ['?identity=deploy', { method: 'POST', headers: json, body: '{"scopes":["acme/api"]}' }],
      ['/?scope=Acme/API&identity=deploy'],
      ['?scope=acme&identity=deploy'],
    ];
    for (const [query, init] of asked)
      expect(await ask(query, init), query).toMatchObject({ status: 200, body: { token: expect.any(String) } });
    expect(github.orders.map(({ give }) => (give as { repositories: string[] }).repositories.length)).toEqual([
      ...[1, 1, 1, 1, 1, 2],
    ]);
  });

  test('that do not say one scope and one identity are told so, and nothing is spent', async () => {
    await start();
    const shown = await token();
    const post = { method: 'POST', headers: { 'content-type': 'application/json' } };
    const asked: [string, RequestInit?][] = [
      ['?identity=deploy'],
      ['?scope=acme/api'],
      ['?scope=acme/api&scope=acme/web&identity=deploy'],
      ['?scope=acme/api&scopes=acme/api,acme/web&identity=deploy'],
      ['?scope=acme/api&identity=deploy&identity=release'],
      ['?scope=acme/api&identity=../deploy%20x'],
      ['?scope=acme/api/more&identity=deploy'],
      ['?scope=acme/api&identity=deploy', { ...post, body: '{"identity":"release"}' }],
      ['', { ...post, body: '{"scope":7,"identity":"deploy"}' }],
      ['?scope=acme/api&identity=deploy', { ...post, body: '{' }],
    ];
    for (const [query, init] of asked)
      expect(await ask(query, { ...init, shown }), query).toMatchObject({
        status: 400,
        body: { code: 3, message: expect.stringContaining('one scope'), details: [] },
      });
    const large = await ask('', { ...post, shown, body: 'x'.repeat(17 * 1024) });
    expect(large).toMatchObject({ status: 413, body: { code: 3 } });
    // None of them spent it.
    expect((await ask('?scope=acme/api&identity=deploy', { shown })).status).toBe(200);
    expect(github.orders).toHaveLength(1);
  });

  test.each([
    ['that no policy says', '?scope=acme/api&identity=nobody'],
    ['of another scope', '?scope=acme/web&identity=deploy'],
    ['in other capitals of the identity', '?scope=acme/api&identity=Deploy'],
    ['whose policy gives another repository', '?scope=acme/api&identity=web'],
    ['that two policies say', '?scope=acme/api&identity=twice'],
    ['of a policy by its own name', '?scope=acme/api&identity=deploy-api'],
  ])('are given nothing by a name %s, and the log is told', async (_name, query) => {
    await start();
    const { status, body } = await ask(query);
    expect({ status, body }).toMatchObject({ status: 403, body: { code: 7, error: { reason: 'denied' } } });
    expect(body['message']).toContain('There is no policy sts acme/');
    expect(github.orders).toEqual([]);
    expect(decisions()).toEqual(['denied']);
  });

  test('are told every condition that does not hold in the message, which they print', async () => {
    await start({ seams: { gather: async () => ({ known: { ...known, job: 'ended' }, things: [] }) } });
    const { status, body } = await ask('?scope=acme/api&identity=deploy', { claims: { ref: 'refs/heads/evil' } });
    expect({ status, body }).toMatchObject({ status: 403, body: { code: 7, details: [] } });
    expect(body['message']).toMatch(/^Policy deploy-api gives this job nothing – ref: wanted is .* – job: /);
    expect(github.orders).toEqual([]);
  });

  test('that show a token again are told that the first answer says why', async () => {
    await start();
    const shown = await token({ ref: 'refs/heads/evil' });
    expect((await ask('?scope=acme/api&identity=deploy', { shown })).status).toBe(403);
    const again = await ask('?scope=acme/api&identity=deploy', { shown });
    expect(again).toMatchObject({ status: 409, body: { code: 10, message: expect.stringContaining('first answer') } });
  });

  test('never take for a token what is none: somebody must stand for it, or it is a dry run', async () => {
    await start();
    const waits = await ask('?scope=acme/api&identity=release');
    expect(waits).toMatchObject({ status: 403, body: { code: 7, error: { reason: 'denied' } } });
    await broker.close();
    const url = 'https://access.acme.example/step-up/x';
    await start({ seams: { openStepUp: async () => ({ state: 'open', url, number: '1234' }) } });
    const open = await ask('?scope=acme/api&identity=release');
    expect(open).toMatchObject({ status: 403, body: { error: { reason: 'step-up-wanted' } } });
    expect(open.body['message']).toContain(`${url} (number 1234)`);
    await broker.close();
    await start({ gives: false });
    const dry = await ask('?scope=acme/api&identity=deploy');
    expect(dry).toMatchObject({ status: 403, body: { code: 7, error: { reason: 'dry-run' } } });
    expect(dry.body['message']).toContain('it would have been granted');
    expect(github.orders).toEqual([]);
  });

  test('ask for the domain, which opens nothing else, or for the address', async () => {
    await start();
    const shown = await token();
    expect(await broker.ask(shown)).toMatchObject({ status: 401, body: { error: { reason: 'audience-other' } } });
    expect((await ask('?scope=acme/api&identity=deploy', { shown })).status).toBe(200);
    const query = '?scope=acme/api&identity=deploy';
    expect((await ask(query, { shown: await issuer.token() })).status).toBe(200);
    for (const aud of ['octo-sts.dev', 'access.acme.example/', 'http://access.acme.example'])
      expect(await ask(query, { claims: { aud } })).toMatchObject({ status: 401, body: { code: 16 } });
    expect(await ask(query, { claims: { aud: ['access.acme.example'] } })).toMatchObject({ status: 401 });
    expect(stsAudienceOf('https://access.acme.example/')).toBe('access.acme.example');
    expect(stsAudienceOf('https://acme.example/tripline')).toBe('acme.example/tripline');
  });

  test('are bounded as others, and a HEAD spends nothing', async () => {
    await start({ settings: { broker: { rate: { perSecond: 0.001, burst: 2 } } } });
    const shown = await token();
    const query = '?scope=acme/api&identity=deploy';
    const head = await fetch(`${broker.base}/sts/exchange${query}`, {
      ...{ method: 'HEAD', headers: { authorization: `Bearer ${shown}` } },
    });
    expect(head.status).toBe(404);
    expect(await broker.send('GET', `/sts/exchange${query}`, {})).toMatchObject({ status: 401, body: { code: 16 } });
    expect((await ask(query, { shown })).status).toBe(200);
    const many = await ask(query);
    expect(many).toMatchObject({ status: 429, body: { code: 8, error: { reason: 'too-many-requests' } } });
    expect(Number(many.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  test('are answered 503 while the log is away, and what was minted is not handed out', async () => {
    await start();
    stream.away = true;
    const { status, body } = await ask('?scope=acme/api&identity=deploy');
    expect({ status, body }).toMatchObject({ status: 503, body: { code: 14, error: { reason: 'log-away' } } });
    expect(JSON.stringify(body)).not.toContain('canary');
  });
});
