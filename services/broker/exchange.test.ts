import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isFromWithin } from '@tripline/contracts/internal';
import type { Db } from '@tripline/db/database';
import { systemClock } from '@tripline/runtime/clock';
import { fakeStream } from '@tripline/testing/fakes/stream';
import { brokerKey } from '@tripline/testing/internal-key';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { audience, type Issuer, startBroker, startIssuer } from '@tripline/testing/services/broker';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Gather } from './asking.ts';

let issuer: Issuer;
beforeAll(async () => {
  issuer = await startIssuer();
});
afterAll(() => issuer.close());

// One for all: each test shows tokens of its own.
let database: Awaited<ReturnType<typeof freshDatabase>>;
let db: Db;
beforeAll(async () => {
  database = await freshDatabase();
  db = database.as('broker');
});
afterAll(() => database.close());
let stream: ReturnType<typeof fakeStream>;
let broker: Awaited<ReturnType<typeof startBroker>>;
beforeEach(() => {
  stream = fakeStream();
});
afterEach(() => broker?.close());

/** All that the example’s policy asks for. */
const known: Awaited<ReturnType<Gather>>['known'] = {
  job: 'running',
  fork: false,
  reviewed: { is: 'reviewed', why: 'approved by bea' },
  deployedTo: ['staging'],
  runner: { group: 'prod-deployers', isKnown: true },
  incidents: [],
  address: '203.0.113.7',
  approval: { by: 'ada', ageMs: 60_000, isPhishingResistant: true },
};
const gather: Gather = async () => ({ known, things: [] });

describe('a dry run', () => {
  test('says what it would have decided, and tells the log under the broker’s key', async () => {
    broker = await startBroker({ db, stream, issuer }, { seams: { gather } });
    const { status, body } = await broker.ask(await issuer.token());
    expect({ status, body }).toEqual({
      status: 200,
      body: { dryRun: true, policy: 'deploy-api', decision: 'granted', reasons: [] },
    });
    expect(stream.appended).toHaveLength(1);
    const [record] = stream.appended;
    expect(isFromWithin(record!, [brokerKey])).toBe(true);
    expect(JSON.parse(record!.value.toString())).toMatchObject({
      'tripline.access.decision': 'granted',
      'tripline.access.dry_run': true,
      'tripline.access.policy': 'deploy-api',
      'cicd.pipeline.task.check_run.id': '2832853555',
    });
  });

  test('names every condition that speaks against it', async () => {
    broker = await startBroker({ db, stream, issuer });
    const { body } = await broker.ask(await issuer.token({ event_name: 'workflow_dispatch', ref: 'refs/heads/evil' }));
    expect(body['decision']).toBe('denied');
    expect(body.reasons!.map(({ condition }) => condition)).toEqual(
      expect.arrayContaining(['ref', 'job', 'reviewed', 'promoted', 'known-runner', 'mfa', 'fork']),
    );
  });

  test('denies what no policy says, and tells it', async () => {
    broker = await startBroker({ db, stream, issuer });
    expect(await broker.ask(await issuer.token(), 'no-such-policy')).toMatchObject({
      status: 403,
      body: { error: { reason: 'denied' }, reasons: [{ condition: 'policy' }] },
    });
    expect(await broker.ask(await issuer.token(), 'constructor')).toMatchObject({ status: 403 });
    expect(stream.appended).toHaveLength(2);
  });
});

test('one job that asks without end holds up nobody else: it is refused, its tokens unspent, and nothing is told of it', async () => {
  const nowMs = Date.now();
  broker = await startBroker(
    { db, stream, issuer },
    { seams: { gather }, clock: { ...systemClock, nowMs: () => nowMs } },
  );
  const statuses: number[] = [];
  for (let nth = 0; nth < 62; nth += 1) statuses.push((await broker.ask(await issuer.token())).status);
  expect(statuses).toEqual([...Array.from({ length: 60 }, () => 200), 429, 429]);
  expect(stream.appended).toHaveLength(60);
  expect(await broker.giveBack(await issuer.token(), 'g1')).toMatchObject({ status: 429 });
  expect(await broker.ask(await issuer.token({ check_run_id: '7' }))).toMatchObject({ status: 200 });
});

describe('an id token that proves nobody', () => {
  const nowS = () => Math.floor(Date.now() / 1000);
  type Claims = Record<string, unknown>;
  const refused: [name: string, status: number, reason: string, token: () => Promise<string>][] = [
    ['for another audience', 401, 'audience-other', () => issuer.token({ aud: 'https://other.example' })],
    ['for a list of audiences', 401, 'audience-is-list', () => issuer.token({ aud: ['https://access.acme.example'] })],
    ['expired', 401, 'expired', () => issuer.token({ exp: nowS() - 60 })],
    ['without exp', 401, 'claim-missing', () => issuer.token({ exp: undefined })],
    ['of the future', 401, 'not-yet-valid', () => issuer.token({ nbf: nowS() + 60 })],
    ['too old', 401, 'too-old', () => issuer.token({ iat: nowS() - 660 })],
    ['of another issuer', 401, 'issuer-unknown', () => issuer.token({ iss: 'https://evil.example' })],
    ['of an issuer with a slash at its end', 401, 'issuer-unknown', () => issuer.token({ iss: `${iss}/` })],
    ['without an algorithm', 401, 'algorithm-not-allowed', async () => changed(await issuer.token(), { alg: 'none' })],
    ['by HS256', 401, 'algorithm-not-allowed', async () => changed(await issuer.token(), { alg: 'HS256' })],
    ['by another key of the same id', 401, 'bad-signature', () => stranger.token()],
    ['changed', 401, 'bad-signature', async () => changed(await issuer.token(), {}, { ref: 'refs/heads/other' })],
    ['without jti', 401, 'claim-missing', () => issuer.token({ jti: undefined })],
    ['whose jti is a number', 401, 'claim-malformed', () => issuer.token({ jti: 7 })],
    ['whose run is a number', 401, 'claim-malformed', () => issuer.token({ run_id: 9 })],
    [
      'of an organisation that is not configured',
      401,
      'owner-unknown',
      () => issuer.token({ repository_owner_id: '66', sub: 'x' }),
    ],
    [
      'whose subject is another’s',
      401,
      'claims-disagree',
      () => issuer.token({ sub: 'repo:acme@65/api@75:ref:refs/heads/main' }),
    ],
    ['that names no job', 401, 'claim-missing', () => issuer.token({ check_run_id: undefined })],
    ['of 9 kB', 413, 'token-too-large', async () => `${await issuer.token()}${'x'.repeat(9000)}`],
    ['that is encrypted', 401, 'token-encrypted', async () => 'a.b.c.d.e'],
    ['that is none', 401, 'token-malformed', async () => 'x'],
  ];
  test.each(refused)('%s: %i %s', async (_name, status, reason, token) => {
    broker = await startBroker({ db, stream, issuer });
    const answer = await broker.ask(await token());
    expect(answer).toMatchObject({ status, body: { error: { reason, message: expect.stringMatching(/\S/) } } });
    expect(stream.appended).toEqual([]);
    expect(await broker.metrics()).toContain(
      `tripline_broker_requests_total{status="${status}",reason="${reason}",service="broker"} 1`,
    );
  });

  const iss = 'https://token.actions.githubusercontent.com';
  let stranger: Issuer;
  beforeAll(async () => {
    stranger = await startIssuer();
  });
  afterAll(() => stranger.close());

  /** A token with another header or other claims, and its old signature. */
  function changed(token: string, header: Claims, claims: Claims = {}): string {
    const [head, body, signature] = token.split('.') as [string, string, string];
    const edit = (part: string, more: Claims) =>
      Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(part, 'base64url').toString()), ...more })).toString(
        'base64url',
      );
    return [edit(head, header), edit(body, claims), signature].join('.');
  }

  test('of an unknown issuer has nobody asked; of an unknown key the issuer once, and then 503', async () => {
    broker = await startBroker({ db, stream, issuer });
    issuer.requests.length = 0;
    const evil = await Promise.all(Array.from({ length: 20 }, () => issuer.token({ iss: 'https://evil.example' })));
    for (const token of evil) expect((await broker.ask(token)).status).toBe(401);
    expect(issuer.requests).toEqual([]);
    const kid = async () => issuer.token({}, { kid: 'unknown' });
    expect((await broker.ask(await kid())).body.error!.reason).toBe('key-unknown');
    const again = await broker.ask(await kid());
    expect(again).toMatchObject({ status: 503, body: { error: { reason: 'keys-unavailable' } } });
    expect(Number(again.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(issuer.requests).toHaveLength(1);
    expect(await broker.metrics()).toContain('tripline_broker_unknown_kid_total{service="broker"} 1');
  });
});

describe('a request', () => {
  const headers = async () => ({ authorization: `Bearer ${await issuer.token()}` });
  test('without a token, or with a body that is none, or too large', async () => {
    broker = await startBroker({ db, stream, issuer });
    const send = (init: RequestInit) => broker.send('POST', '/v1/access', init);
    const body = JSON.stringify({ policy: 'deploy-api' });
    expect(await send({ body })).toMatchObject({ status: 401, body: { error: { reason: 'token-missing' } } });
    expect(await send({ body, headers: { authorization: 'Basic YTpi' } })).toMatchObject({ status: 401 });
    const one = await headers();
    for (const wrong of ['', '{', '[]', '{"policy":7}', '{"policy":"../x"}', '{"policy":"a","more":1}'])
      expect(await send({ body: wrong, headers: one })).toMatchObject({
        status: 400,
        body: { error: { reason: 'body-malformed' } },
      });
    for (const large of ['x'.repeat(17 * 1024), 'x'.repeat(1024 * 1024)])
      expect(await send({ body: large, headers: one })).toMatchObject({
        status: 413,
        body: { error: { reason: 'body-too-large' } },
      });
    // None of them spent it.
    expect((await send({ body, headers: one })).status).toBe(200);
  });

  test('of an address that asks too often is 429, and others are none the worse', async () => {
    const settings = { broker: { rate: { perSecond: 0.001, burst: 3 }, proxies: ['127.0.0.0/8'] } };
    broker = await startBroker({ db, stream, issuer }, { settings });
    const from = async (address: string) =>
      broker.send('POST', '/v1/access', {
        headers: { ...(await headers()), 'x-forwarded-for': address },
        body: '{"policy":"deploy-api"}',
      });
    for (const status of [200, 200, 200, 429]) expect((await from('198.51.100.7')).status).toBe(status);
    // What a client writes before its own address is not believed.
    const spoofed = await from('203.0.113.1, 198.51.100.7');
    expect(spoofed).toMatchObject({ status: 429, body: { error: { reason: 'too-many-requests' } } });
    expect(Number(spoofed.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await from('203.0.113.1')).status).toBe(200);
    // Whoever has one IPv6 address has 2^64.
    for (const end of [1, 2, 3]) expect((await from(`2001:db8:1:2::${end}`)).status).toBe(200);
    expect((await from('2001:db8:1:2:ffff::9')).status).toBe(429);
    expect((await from('2001:db8:1:3::1')).status).toBe(200);
  });

  test('says from where it came by the proxies that are configured alone', async () => {
    const seen: unknown[] = [];
    const seams = {
      gather: (async (_job, _policy, { address }) => {
        seen.push(address);
        return { known, things: [] };
      }) as Gather,
    };
    const ask = async (settings: object) => {
      broker = await startBroker({ db, stream, issuer }, { settings, seams });
      await broker.send('POST', '/v1/access', {
        headers: { ...(await headers()), 'x-forwarded-for': '203.0.113.7' },
        body: '{"policy":"deploy-api"}',
      });
      await broker.close();
    };
    await ask({});
    await ask({ broker: { proxies: ['127.0.0.1/32'] } });
    expect(seen).toEqual(['127.0.0.1', '203.0.113.7']);
    broker = await startBroker({ db, stream, issuer });
  });
});

describe('a genuine token', () => {
  const reasonsFor = async (claims: Record<string, unknown>, more: Partial<typeof known> = {}) => {
    const seams = { gather: (async () => ({ known: { ...known, ...more }, things: [] })) as Gather };
    broker = await startBroker({ db, stream, issuer }, { seams });
    const { body } = await broker.ask(await issuer.token(claims));
    return body.reasons!.map(({ condition }) => condition);
  };
  const main = 'refs/heads/main';
  test.each([
    ['of a namesake with another id', { repository_id: '75', sub: 'repo:acme/api:x' }, ['repository']],
    [
      'of a caller on another branch',
      { workflow_ref: `acme/api/.github/workflows/release.yml@${main}-evil` },
      ['caller'],
    ],
    [
      'of a called workflow of another repository',
      { job_workflow_ref: `evil/deploy/.github/workflows/deploy.yml@${main}` },
      ['workflow'],
    ],
    [
      'of another caller of the same workflow',
      { workflow_ref: `acme/other/.github/workflows/release.yml@${main}` },
      ['caller'],
    ],
    ['of a pull request', { event_name: 'pull_request' }, ['event']],
    ['of another ref', { ref: `${main}-evil` }, ['ref']],
    ['without an environment', { environment: undefined }, ['environment']],
    ['of an environment with a colon', { environment: 'production:evil' }, ['environment', 'tier']],
    ['of another tier', { environment: 'staging' }, ['environment', 'tier']],
    ['of a hosted runner', { runner_environment: 'github-hosted' }, ['runner']],
    ['with a customised subject', { sub: 'job_workflow_ref:whatever' }, []],
    ['with a subject of names', { sub: 'repo:acme/api:environment:production' }, []],
    [
      'in other capitals',
      {
        repository: 'Acme/API',
        environment: 'Production',
        workflow_ref: `Acme/API/.github/workflows/release.yml@${main}`,
      },
      [],
    ],
  ] as [string, object, string[]][])('%s', async (_name, claims, conditions) => {
    expect(await reasonsFor(claims as Record<string, unknown>)).toEqual(conditions);
  });

  test.each([
    ['whose job has ended', { job: 'ended' }, ['job']],
    ['whose job nobody told of', { job: 'unknown' }, ['job']],
    ['of a fork', { fork: true }, ['fork']],
    ['of a commit that nobody reviewed', { reviewed: { is: 'unreviewed', why: 'pushed past' } }, ['reviewed']],
    ['of a commit that was not promoted', { deployedTo: [] }, ['promoted']],
    ['of an unknown machine', { runner: { group: 'prod-deployers', isKnown: false } }, ['known-runner']],
    ['of another group of machines', { runner: { group: 'all', isKnown: true } }, ['runner']],
    ['from elsewhere', { address: '198.51.100.1' }, ['network']],
    ['while an incident is open', { incidents: [{ id: 'inc-1', severity: 'high' }] }, ['incident']],
    ['while a lesser one is', { incidents: [{ id: 'inc-1', severity: 'low' }] }, []],
    ['for which nobody stands', { approval: undefined }, ['mfa']],
  ] as [string, Partial<typeof known>, string[]][])('%s', async (_name, more, conditions) => {
    expect(await reasonsFor({}, more)).toEqual(conditions);
  });

  test('of a CI whose jobs are not received is told so, and nothing is spent or logged', async () => {
    const { claims } = JSON.parse(
      readFileSync(join(import.meta.dirname, '../../packages/identity/gitlab/fixtures/job.json'), 'utf8'),
    );
    const identity = { audience, gitlab: [{ namespaces: ['72'], jwksUri: issuer.jwksUri }] };
    broker = await startBroker({ db, stream, issuer }, { settings: { identity } });
    const nowS = Math.floor(Date.now() / 1000);
    const token = await issuer.key.sign({ ...claims, iat: nowS, nbf: nowS, exp: nowS + 3600 });
    expect(await broker.ask(token)).toMatchObject({ status: 403, body: { error: { reason: 'job-unknown' } } });
    expect(stream.appended).toEqual([]);
  });

  test('of a namesake of a workspace’s organisation is denied: its id decides', async () => {
    const workspaces = [{ id: 'acme', github: { organizations: [{ login: 'acme', id: '66' }] } }];
    broker = await startBroker({ db, stream, issuer }, { settings: { workspaces } });
    expect(await broker.ask(await issuer.token())).toMatchObject({
      ...{ status: 403, body: { reasons: [{ condition: 'workspace' }] } },
    });
  });

  test('of an organisation that no workspace has is denied', async () => {
    const workspaces = [{ id: 'other', github: { organizations: [{ login: 'other', id: '66' }] } }];
    broker = await startBroker({ db, stream, issuer }, { settings: { workspaces } });
    expect(await broker.ask(await issuer.token())).toMatchObject({
      status: 403,
      body: { reasons: [{ condition: 'workspace' }] },
    });
  });
});

test('settings that are half of something stop the start, and say what to do', async () => {
  const start = (settings: object) => startBroker({ db, stream, issuer }, { settings: settings as never });
  const apps = [{ id: '1', privateKey: 'an App’s key for tests alone' }];
  await expect(start({ identity: {} })).rejects.toThrow(/name who issues the id tokens.*under identity/);
  await expect(start({ broker: { policy: undefined, apps, sealingKeys: ['k'.repeat(16)] } })).rejects.toThrow(
    /broker\.policy/,
  );
  await expect(start({ broker: { apps } })).rejects.toThrow(/broker\.sealingKeys/);
  await expect(start({ broker: { eventKeys: undefined } })).rejects.toThrow(/broker\.eventKeys/);
  const github = [{ owners: ['65'], jwksUri: issuer.jwksUri }];
  await expect(start({ identity: { github } })).rejects.toThrow(/identity\.audience/);
  const other = { audience: 'https://other.example', github };
  await expect(start({ identity: other })).rejects.toThrow(/for the audience https:\/\/access\.acme\.example/);
  broker = await start({ broker: { apps, sealingKeys: ['k'.repeat(16)] } });
  expect(broker.logged()).toContain('a local file decides dry runs only');
});
