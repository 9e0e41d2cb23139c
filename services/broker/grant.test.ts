import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exampleLock } from '@tripline/access/access.example';
import { readLock } from '@tripline/access/lock';
import { readPolicies } from '@tripline/access/policy';
import type { Db } from '@tripline/db/database';
import { endGrants } from '@tripline/db/end-grants';
import { inTransaction } from '@tripline/db/transaction';
import { checkMints } from '@tripline/health/mints';
import type { GiveKind } from '@tripline/integrations/minter';
import { fakeStream } from '@tripline/testing/fakes/stream';
import { forEachTest } from '@tripline/testing/postgres/for-each-test';
import { fakeMinter, type Issuer, startBroker, startIssuer } from '@tripline/testing/services/broker';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { recordFindings, someFinding } from '../../test/faults/recorded-findings.ts';
import type { Gather } from './asking.ts';
import { createSeals } from './seal.ts';
import { lockEnds, noteEnds } from './store/ends.ts';

let issuer: Issuer;
beforeAll(async () => {
  issuer = await startIssuer();
});
afterAll(() => issuer.close());

let owner: Db;
let db: Db;
forEachTest((database) => {
  owner = database.db;
  db = database.as('broker');
});

const policies = `
audience: https://access.acme.example
tiers: { production: [production], dev: [preview] }
policies:
  deploy-api:
    tier: production
    who:
      github:
        repository: acme/api
        caller: .github/workflows/release.yml@refs/heads/main
        workflow: acme/deploy/.github/workflows/deploy.yml@refs/heads/main
        events: [push]
        ref: refs/heads/main
        environment: production
    needs: { reviewed: true }
    give:
      - { github: { repositories: [acme/api], permissions: { contents: read } } }
      - { vault: { role: deploy, for: 30m } }
    max: 45m
  minds-incidents:
    tier: production
    who: { github: { repository: acme/api, caller: .github/workflows/release.yml@refs/heads/main, workflow: acme/deploy/.github/workflows/deploy.yml@refs/heads/main, events: [push], ref: refs/heads/main, environment: production } }
    needs: { reviewed: true, noIncident: high }
    give: [{ github: { repositories: [acme/api], permissions: { contents: read } } }]
  asks-somebody:
    tier: production
    who: { github: { repository: acme/api, caller: .github/workflows/release.yml@refs/heads/main, workflow: acme/deploy/.github/workflows/deploy.yml@refs/heads/main, events: [push], ref: refs/heads/main } }
    needs: { mfa: { of: trigger, within: 15m } }
    give: [{ github: { repositories: [acme/api], permissions: { contents: write } } }]
`;

const known: Awaited<ReturnType<Gather>>['known'] = {
  ...{ job: 'running', fork: false, reviewed: { is: 'reviewed', why: 'approved by bea' }, deployedTo: [] },
  ...{ runner: { group: 'prod', isKnown: true }, incidents: [], address: '127.0.0.1', approval: undefined },
};
const role = 'arn:aws:iam::111122223333:role/deploy-api';
const repositoryKey = 'github:github.com:74';
const gather: Gather = async () => ({ known, things: [{ kind: 'repository', id: 'acme/api', key: repositoryKey }] });
const jobKey = 'acme/github/github.com/74/9/2/2832853555';

type Started = Awaited<ReturnType<typeof startBroker>>;
let stream: ReturnType<typeof fakeStream>;
let github: ReturnType<typeof fakeMinter>;
let vault: ReturnType<typeof fakeMinter>;
const running: Started[] = [];
beforeEach(() => {
  stream = fakeStream();
  [github, vault] = [fakeMinter('github'), fakeMinter('vault')];
});
afterEach(async () => {
  for (const one of running.splice(0)) await one.close();
});

async function start(options: Parameters<typeof startBroker>[1] = {}): Promise<Started> {
  const of = (kind: GiveKind) => ({ github, vault })[kind as 'github' | 'vault'] as never;
  const seams = { gather, minters: { of }, ...options.seams };
  const broker = await startBroker({ db, stream, issuer }, { gives: true, policies, ...options, seams });
  running.push(broker);
  return broker;
}

const grants = async () =>
  (
    await owner.pool.query(
      `SELECT g.id, nth, kind, state, ending_why, sealed IS NOT NULL AS sealed FROM access_grants g
       LEFT JOIN access_credentials ON grant_id = g.id ORDER BY asked_at, g.id, nth`,
    )
  ).rows;
const told = () =>
  stream.appended.map(({ headers, value }) => ({
    type: headers['ce_type']!.replace('dev.cdeventsx.tripline-', ''),
    id: headers['ce_id']!,
    data: JSON.parse(value.toString()) as Record<string, unknown>,
  }));
/** As the watch does. */
const endJob = () =>
  inTransaction(owner, async (client) => {
    await lockEnds(client, [jobKey]);
    await noteEnds(client, [{ of: 'job', key: jobKey, endedAtMs: Date.now() }], Date.now());
    await endGrants(client, { jobs: [jobKey] }, { why: 'job-ended', atMs: Date.now() });
  });

describe('a job that its policy grants', () => {
  test('is minted what the files narrow that its policy names', async () => {
    const text = policies.replace(
      'vault: { role: deploy, for: 30m }',
      `aws: { role: '${role}', for: 30m, policy: aws/deploy.json }`,
    );
    const inForce = { file: readPolicies(text), lock: readLock(exampleLock), sha256: 'a'.repeat(64), revision: null };
    const aws = fakeMinter('aws');
    const of = (kind: GiveKind) => ({ github, aws })[kind as 'github' | 'aws'] as never;
    const files = { 'aws/deploy.json': '{}' };
    const broker = await start({ seams: { policies: () => ({ ...inForce, files }), minters: { of } } });
    expect((await broker.ask(await issuer.token())).status).toBe(201);
    expect(aws.orders).toMatchObject([{ give: { policy: 'aws/deploy.json' }, files }]);
  });

  test('is given each credential, which lies sealed and stands in the log before it is handed out', async () => {
    const broker = await start();
    const gate = Promise.withResolvers<void>();
    stream.gate = gate.promise;
    let isAnswered = false;
    const asking = broker.ask(await issuer.token()).then((answer) => {
      isAnswered = true;
      return answer;
    });
    await expect.poll(() => stream.batches, { interval: 5 }).toEqual([3]);
    expect(isAnswered).toBe(false);
    gate.resolve();
    const { status, body } = await asking;
    const [token, secret] = [[...github.alive][0], [...vault.alive][0]];
    expect({ status, body }).toEqual({
      status: 201,
      body: { grant: expect.any(String), expiresAt: expect.any(String), github: { token }, vault: { token: secret } },
    });
    const id = body['grant'];
    expect(await grants()).toMatchObject([
      { id, nth: 0, kind: 'github', state: 'live', ending_why: null, sealed: true },
      { id, nth: 1, kind: 'vault', state: 'live', ending_why: null, sealed: true },
    ]);
    expect(told()).toMatchObject([
      { type: 'access.decided', id: `access:${id}:decided`, data: { 'tripline.access.decision': 'granted' } },
      { type: 'credential.minted', id: `access:${id}:minted:0`, data: { 'tripline.credential.kind': 'github' } },
      { type: 'credential.minted', id: `access:${id}:minted:1`, data: { 'tripline.credential.kind': 'vault' } },
    ]);
    expect(told()[0]!.data).not.toHaveProperty('tripline.access.dry_run');
    const { rows } = await owner.pool.query('SELECT * FROM access_grants');
    expect(rows).toMatchObject([{ job_key: jobKey, tier: 'production', until: 'job', things: [repositoryKey] }]);
    const kept = await owner.pool.query('SELECT sealed FROM access_credentials WHERE nth = 0');
    expect(
      createSeals(['a-key-of-seals-for-tests-alone']).open(kept.rows[0].sealed, { grantId: String(id), nth: 0 }),
    ).toBe(token);
    expect(github.orders[0]).toMatchObject({ grantId: id, tier: 'production', run: 'acme/api#9' });
    expect(github.orders[0]!.pins['acme/api']).toEqual({ id: '74', owner: '65' });
    expect(Date.parse(String(body['expiresAt'])) - Date.now()).toBeLessThanOrEqual(45 * 60_000);
  });

  test('gets one of 50 requests with one token, and again 409 after a restart and at another replica', async () => {
    const [one, other] = [await start(), await start()];
    const token = await issuer.token();
    const answers = await Promise.all(Array.from({ length: 50 }, (_, nth) => (nth % 2 === 0 ? one : other).ask(token)));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(1);
    expect(statuses.filter((status) => status === 409)).toHaveLength(49);
    expect((await (await start()).ask(token)).body.error!.reason).toBe('token-spent');
    expect(github.orders).toHaveLength(1);
  });

  test('that asks again gets another, and the former is to be revoked', async () => {
    const broker = await start();
    const first = await broker.ask(await issuer.token());
    const second = await broker.ask(await issuer.token());
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(await grants()).toMatchObject([
      ...[0, 1].map((nth) => ({ id: first.body['grant'], nth, state: 'ending', ending_why: 'asked-again' })),
      ...[0, 1].map((nth) => ({ id: second.body['grant'], nth, state: 'live', ending_why: null })),
    ]);
  });

  test('is given nothing by an incident that opens after what is open was read', async () => {
    const entities = [{ kind: 'repository' as const, id: 'acme/api', key: repositoryKey }];
    const broker = await start({
      seams: {
        gather: async (...asked) => {
          const read = await gather(...asked);
          await recordFindings(owner, [{ ...someFinding('p', { person: 'p' }), severity: 'high', entities }]);
          return read;
        },
      },
    });
    expect(await broker.ask(await issuer.token(), 'minds-incidents')).toMatchObject({
      ...{ status: 403, body: { error: { reason: 'denied' }, reasons: [{ condition: 'incident' }] } },
    });
    expect(github.orders).toEqual([]);
    expect(await grants()).toMatchObject([{ state: 'dead', ending_why: 'not-recorded', sealed: false }]);
    expect(told()).toMatchObject([{ type: 'access.decided', data: { 'tripline.access.decision': 'denied' } }]);
  });

  test('is given nothing by policies that changed while it was decided', async () => {
    const broker = await start({
      seams: {
        gather: (...asked) => {
          writeFileSync(join(broker.folder, 'access.yaml'), policies.replace('max: 45m', 'max: 30m'));
          return gather(...asked);
        },
      },
    });
    expect(await broker.ask(await issuer.token())).toMatchObject({
      ...{ status: 409, body: { error: { reason: 'ended-meanwhile' } } },
    });
    expect(github.orders).toEqual([]);
    expect((await grants()).map(({ state }) => state)).toEqual(['dead', 'dead']);
  });

  test('that gives back what nobody can have been given is told of no such grant', async () => {
    const broker = await start();
    expect((await broker.giveBack(await issuer.token(), 'a%00b')).status).toBe(404);
  });

  test('gives it back by a fresh token of its own; another job is told of no such grant', async () => {
    const broker = await start();
    const grant = String((await broker.ask(await issuer.token())).body['grant']);
    expect(await broker.giveBack(await issuer.token({ check_run_id: '7' }), grant)).toMatchObject({
      status: 404,
      body: { error: { reason: 'grant-unknown' } },
    });
    const token = await issuer.token();
    expect(await broker.giveBack(token, grant)).toMatchObject({ status: 202, body: { grant, state: 'ending' } });
    expect(await broker.giveBack(token, grant)).toMatchObject({ status: 409 });
    expect(await broker.giveBack(await issuer.token(), grant)).toMatchObject({ status: 202 });
    expect((await grants()).map(({ state, ending_why }) => [state, ending_why])).toEqual([
      ['ending', 'given-back'],
      ['ending', 'given-back'],
    ]);
  });
});

describe('nothing is handed out', () => {
  const isEmpty = (body: object) => expect(JSON.stringify(body)).not.toContain('canary-');

  test('to a job that has ended, nor where it ends while its credential is minted', async () => {
    const broker = await start();
    github.before = endJob;
    const during = await broker.ask(await issuer.token());
    expect(during).toMatchObject({ status: 410, body: { error: { reason: 'job-ended' } } });
    isEmpty(during.body);
    expect(await grants()).toMatchObject([
      { nth: 0, state: 'ending', ending_why: 'job-ended', sealed: true },
      { nth: 1, state: 'dead', sealed: false },
    ]);
    github.before = undefined;
    expect(await broker.ask(await issuer.token())).toMatchObject({ status: 410 });
    expect(github.orders).toHaveLength(1);
    expect(told().filter(({ type }) => type === 'credential.minted')).toEqual([]);
  });

  test('where the log is away: what was minted is to be revoked', async () => {
    const broker = await start();
    stream.away = true;
    const answer = await broker.ask(await issuer.token());
    expect(answer).toMatchObject({ status: 503, body: { error: { reason: 'log-away' } } });
    expect(answer.headers.get('retry-after')).toBe('2');
    isEmpty(answer.body);
    expect((await grants()).map(({ state, ending_why }) => [state, ending_why])).toEqual([
      ['ending', 'not-recorded'],
      ['ending', 'not-recorded'],
    ]);
    stream.away = false;
    expect((await broker.ask(await issuer.token())).status).toBe(201);
  });

  test('of two credentials where one fails', async () => {
    const broker = await start();
    vault.fails = { result: 'refused', retry: false, reason: 'no-such-role', message: 'there is no role deploy' };
    const refused = await broker.ask(await issuer.token());
    expect(refused).toMatchObject({ status: 403, body: { error: { reason: 'mint-refused' } } });
    isEmpty(refused.body);
    const [one, two] = await grants();
    expect([one, two]).toMatchObject([{ state: 'ending', ending_why: 'not-recorded' }, { state: 'dead' }]);
    vault.fails = { result: 'unknown', reason: 'no-answer', message: 'no answer came' };
    const unclear = await broker.ask(await issuer.token());
    expect(unclear).toMatchObject({ status: 503, body: { error: { reason: 'mint-failed' } } });
    // It may be alive: the sweep asks for it.
    expect((await grants()).filter(({ id }) => id !== one.id)).toMatchObject([
      { state: 'ending' },
      { state: 'minting', ending_why: 'not-recorded' },
    ]);
    expect(stream.appended).toEqual([]);
  });

  test('where a provider makes none, which the doctor is told until one is made', async () => {
    const broker = await start();
    vault.fails = { result: 'refused', retry: false, reason: 'not-permitted', message: 'role deploy is not ours' };
    expect((await broker.ask(await issuer.token())).body.error!.reason).toBe('mint-refused');
    expect(await checkMints(owner)).toMatchObject([
      {
        state: 'broken',
        detail: expect.stringMatching(/no vault credential .*not-permitted: role deploy is not ours/),
      },
    ]);
    vault.fails = undefined;
    expect((await broker.ask(await issuer.token())).status).toBe(201);
    expect(await checkMints(owner)).toEqual([]);
  });

  test('once the kill switch is on, between two mints too', async () => {
    const broker = await start();
    github.before = async () => {
      await owner.pool.query(`INSERT INTO switches (name, stopped, by) VALUES ('remediation', true, '{"name":"ada"}')`);
    };
    const answer = await broker.ask(await issuer.token());
    expect(answer).toMatchObject({ status: 503, body: { error: { reason: 'kill-switch' } } });
    expect(vault.orders).toEqual([]);
    expect((await grants()).map(({ state }) => state)).toEqual(['ending', 'dead']);
    expect((await broker.ask(await issuer.token())).body.error!.reason).toBe('kill-switch');
    expect(github.orders).toHaveLength(1);
  });

  test('where the kill switch cannot be read, between two mints too: and nobody is told that it is on', async () => {
    const broker = await start();
    github.before = async () => {
      await owner.pool.query('ALTER TABLE switches RENAME TO away');
    };
    const answer = await broker.ask(await issuer.token());
    expect(answer).toMatchObject({ status: 503, body: { error: { reason: 'unavailable' } } });
    expect(answer.headers.get('retry-after')).toBe('2');
    expect(vault.orders).toEqual([]);
    expect((await grants()).map(({ state }) => state)).toEqual(['ending', 'dead']);
    expect(broker.logged()).toContain('the kill switch could not be read; nothing is given');
  });

  test('where it cannot be recorded: it is revoked at once, by what is held in memory', async () => {
    const broker = await start();
    vault.before = async () => {
      await owner.pool.query('ALTER TABLE access_credentials ADD CONSTRAINT none CHECK (state <> $$live$$) NOT VALID');
    };
    const answer = await broker.ask(await issuer.token());
    expect(answer).toMatchObject({ status: 503, body: { error: { reason: 'unavailable' } } });
    isEmpty(answer.body);
    expect(vault.alive.size).toBe(0);
    expect(await grants()).toMatchObject([{ state: 'ending' }, { state: 'minting' }]);
    expect(broker.logged()).not.toContain('canary-');
  });

  test('beyond the cap of a policy within an hour, which is told', async () => {
    const broker = await start({ settings: { broker: { grantsPerHour: 2 } } });
    for (const status of [201, 201, 429]) expect((await broker.ask(await issuer.token())).status).toBe(status);
    expect(told().at(-1)).toMatchObject({
      type: 'access.decided',
      data: { 'tripline.access.decision': 'denied', 'tripline.access.reasons': [{ condition: 'cap' }] },
    });
  });

  test('beyond what one job may ask of a policy within an hour: others are given it all the same', async () => {
    const broker = await start({ settings: { broker: { grantsPerHour: 30 } } });
    const statuses: number[] = [];
    for (let nth = 0; nth < 21; nth += 1) statuses.push((await broker.ask(await issuer.token())).status);
    expect(statuses).toEqual([...Array.from({ length: 20 }, () => 201), 429]);
    expect((await broker.ask(await issuer.token({ check_run_id: '7' }))).status).toBe(201);
  });

  test('before it is known which jobs have ended', async () => {
    let caughtUp = false;
    const broker = await start({ seams: { isCaughtUp: () => caughtUp } });
    const token = await issuer.token();
    expect(await broker.ask(token)).toMatchObject({ status: 503, body: { error: { reason: 'starting' } } });
    caughtUp = true;
    expect((await broker.ask(token)).status).toBe(201);
  });

  test('to a job that a person has yet to stand for: it is told where, and asks again', async () => {
    const link = { state: 'open', url: 'https://access.acme.example/step-up/1', number: '42' } as const;
    const broker = await start({ seams: { openStepUp: async () => link } });
    expect(await broker.ask(await issuer.token(), 'asks-somebody')).toMatchObject({
      status: 202,
      body: { links: { stepUp: link.url }, number: '42', retryAfterS: 5 },
    });
    expect(told()).toMatchObject([{ data: { 'tripline.access.decision': 'pending' } }]);
    const without = await start();
    expect(await without.ask(await issuer.token(), 'asks-somebody')).toMatchObject({ status: 403 });
  });

  test('to what is not known, nor to what is denied; each says so', async () => {
    const unknown: Gather = async () => ({
      known: { ...known, reviewed: { is: 'unknown', why: 'not told' } },
      things: [],
    });
    const broker = await start({ seams: { gather: unknown } });
    expect(await broker.ask(await issuer.token())).toMatchObject({
      status: 403,
      body: { error: { reason: 'not-known-yet' }, reasons: [{ condition: 'reviewed', state: 'unknown' }] },
    });
    expect(await broker.ask(await issuer.token({ ref: 'refs/heads/main-evil' }))).toMatchObject({
      status: 403,
      body: { error: { reason: 'denied' }, reasons: [{ condition: 'ref' }, { condition: 'reviewed' }] },
    });
    expect(await grants()).toEqual([]);
  });
});

test('no value of a credential is in a table, the log, the metrics or what is logged, in any spelling', async () => {
  const broker = await start();
  await broker.ask(await issuer.token());
  vault.fails = { result: 'refused', retry: true, reason: 'busy', message: 'busy' };
  await broker.ask(await issuer.token());
  const { rows } = await owner.pool.query(
    `SELECT (SELECT string_agg(g::text, '') FROM access_grants g) || (SELECT string_agg(c::text, '') FROM access_credentials c)
       || (SELECT string_agg(s::text, '') FROM access_spent s) AS all`,
  );
  const seen = [rows[0].all, JSON.stringify(told()), await broker.metrics(), broker.logged()].join('\n');
  const values = [...github.alive, ...vault.alive];
  expect(values.length).toBe(3);
  for (const value of values)
    for (const spelling of ['utf8', 'base64', 'base64url', 'hex'] as const)
      expect(seen).not.toContain(Buffer.from(value).toString(spelling));
});
