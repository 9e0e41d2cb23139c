import { generateKeyPairSync } from 'node:crypto';
import { loadConfig } from '@tripline/config/config';
import { toEventRecord } from '@tripline/contracts/event-record';
import type { Db } from '@tripline/db/database';
import { createGitHubMinter } from '@tripline/integrations/github/mint';
import { createVaultMinter } from '@tripline/integrations/vault/mint';
import { createVaultSession } from '@tripline/integrations/vault/session';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { credentialHash } from '@tripline/runtime/redact';
import { openStream } from '@tripline/stream/open';
import { type Stream, topics } from '@tripline/stream/stream';
import { formsOf } from '@tripline/testing/canary';
import { fakeGitHub } from '@tripline/testing/fakes/minters/github';
import { fakeVault } from '@tripline/testing/fakes/minters/vault';
import { type FakeAnswer, type FakeRequest, startFakeService } from '@tripline/testing/integration.conformance';
import { findCanaries, readEveryTable } from '@tripline/testing/postgres/every-table';
import { forEachTest } from '@tripline/testing/postgres/for-each-test';
import { type BrokerAnswer, type Issuer, startBroker, startIssuer } from '@tripline/testing/services/broker';
import { gather, policies } from '@tripline/testing/services/granting';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

/**
 * Each value that a provider gives is a canary: real minters call a provider that also repeats it in its errors, and all that the broker
 * keeps, tells and says is searched at each step of a grant's life. The log is Postgres's, so that its topics are tables too.
 */
const config = loadConfig({ TRIPLINE_KAFKA_PARTITIONS: '1' }, '/nonexistent');
const logger = createLogger({ service: 'test', level: 'silent' });
const { privateKey } = generateKeyPairSync('rsa', {
  ...{ modulusLength: 2048, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const vaultToken = 's.canaryTokenOfTheBroker0123';
const until = { interval: 10, timeout: 20_000 };

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
let written: Stream;
let stream: Stream;
let provider: Awaited<ReturnType<typeof startProvider>>;
beforeEach(async () => {
  written = await openStream({ config, db: owner, logger, clock: systemClock });
  stream = await openStream({ config, db, logger, clock: systemClock });
  provider = await startProvider();
});
afterEach(async () => {
  await provider.close();
  await stream.close();
  await written.close();
});

/** GitHub and Vault in one; what they give is kept in `values`. `meddle` changes an honest answer. */
async function startProvider() {
  const github = fakeGitHub([
    {
      id: 31,
      account: { id: 65, login: 'acme' },
      repositories: { 74: 'acme/api' },
      permissions: { contents: 'write' },
    },
  ]);
  const vault = fakeVault({ token: vaultToken, roles: ['deploy'] });
  const state = {
    values: [] as string[],
    meddle: (_: FakeRequest, honest: FakeAnswer): FakeAnswer => honest,
    alive: async () => (await github.alive()) + (await vault.alive()),
  };
  const service = await startFakeService((request) => {
    const honest = (request.path.startsWith('/v1/') ? vault : github).answer(request) as FakeAnswer;
    const value = /"(?:token|client_token)":"([^"]+)"/.exec(honest.body ?? '')?.[1];
    if (value !== undefined) state.values.push(value);
    return state.meddle(request, honest);
  });
  return Object.assign(state, { url: service.url, close: service.close });
}
const mints = ({ method, path }: FakeRequest) =>
  method === 'POST' && /\/access_tokens$|\/auth\/token\/create\//.test(path);
const revokes = ({ method, path }: FakeRequest) => method === 'DELETE' || path.endsWith('/revoke-accessor');

/** An answer with every value that whoever is asked gave so far, in the words of both. */
function echo({ path }: FakeRequest, status: number): FakeAnswer {
  const ofGitHub = (value: string) => value.startsWith('ghs_');
  const said = `no: ${provider.values.filter((value) => ofGitHub(value) !== path.startsWith('/v1/')).join(' ')}`;
  return { status, headers: { 'x-echo': said }, body: JSON.stringify({ message: said, error: said, errors: [said] }) };
}

async function start() {
  const github = createGitHubMinter({ id: '1', privateKey, apiUrl: provider.url }, { clock: systemClock });
  const session = createVaultSession({ url: provider.url, token: vaultToken }, { clock: systemClock, timeoutMs: 5000 });
  const vault = createVaultMinter(session, { clock: systemClock });
  const seams = {
    ...{ gather, isCaughtUp: undefined as never },
    minters: { of: (kind: string) => ({ github, vault })[kind as 'github' | 'vault'] as never },
  };
  const broker = await startBroker({ db, stream, issuer }, { gives: true, policies, seams });
  /** What jobs are answered; not what a grant hands to the job that it is for. */
  const answers: string[] = [];
  return {
    answers,
    ...{ metrics: broker.metrics, logged: broker.logged, close: broker.close },
    async ask(): Promise<BrokerAnswer> {
      for (;;) {
        const answer = await broker.ask(await issuer.token());
        if (answer.body.error?.reason === 'starting') continue;
        if (answer.status !== 201) answers.push(JSON.stringify([answer.body, ...answer.headers]));
        return answer;
      }
    },
  };
}

/** Which canaries are anywhere but in the hands of the job, and where. */
async function found(broker: Awaited<ReturnType<typeof start>>): Promise<string[]> {
  const canaries = {
    ...Object.fromEntries(provider.values.map((value, nth) => [`value ${nth}`, value])),
    ...{ 'token of the broker': vaultToken, 'key of the App': privateKey.split('\n')[10]! },
  };
  return findCanaries(owner, canaries, {
    metrics: await broker.metrics(),
    'log lines': broker.logged(),
    answers: broker.answers.join('\n'),
  });
}
const states = async () =>
  (await owner.pool.query('SELECT DISTINCT state FROM access_credentials ORDER BY state')).rows.map(
    ({ state }) => state,
  );
const jobFinished = () => ({
  topic: topics.events,
  ...toEventRecord({
    ...{ id: 'finished', source: '//github.com/acme', type: 'dev.cdevents.taskrun.finished', workspace: 'acme' },
    ...{ time: new Date().toISOString(), trust: 'high' },
    data: {
      ...{ 'vcs.repository.id': '74', 'vcs.repository.name': 'acme/api', 'cicd.pipeline.run.id': '9' },
      ...{ 'tripline.pipeline.run.attempt': 2, 'cicd.pipeline.task.run.id': '2832853555' },
    },
  } as never),
});

test('no value is in any table, topic, metric, line or error: minted, handed out, ended, revoked, and repeated by its provider', async () => {
  const broker = await start();
  try {
    const { status, body } = await broker.ask();
    expect([status, [body['github'], body['vault']]]).toEqual([
      201,
      provider.values.map((token) => expect.objectContaining({ token })),
    ]);
    expect(await states()).toEqual(['live']);
    // What is searched holds what was told of them, in the log’s own table among others.
    const told = [...(await readEveryTable(owner))].filter(([, text]) =>
      text.includes(credentialHash(provider.values[0]!)),
    );
    expect(told.map(([table]) => table)).toEqual(
      expect.arrayContaining([expect.stringMatching(/access_credentials$/)]),
    );
    expect(told.length).toBeGreaterThan(1);
    expect(await found(broker)).toEqual([]);

    // Ended, and their providers say no to it, with every value in their answer.
    provider.meddle = (request, honest) => (revokes(request) ? echo(request, 500) : honest);
    await written.append([jobFinished()]);
    const faults = () => owner.pool.query('SELECT FROM access_credentials WHERE last_fault IS NOT NULL');
    await expect.poll(async () => (await faults()).rowCount, until).toBe(2);
    expect(await states()).toEqual(['ending']);
    expect(await found(broker)).toEqual([]);

    provider.meddle = (_, honest) => honest;
    await expect.poll(states, until).toEqual(['dead']);
    expect(await provider.alive()).toBe(0);
    expect(await found(broker)).toEqual([]);
  } finally {
    await broker.close();
  }
});

test.each([400, 401, 403, 404, 422, 429, 500])(
  'no value that a provider repeats with status %i while it mints is anywhere',
  async (status) => {
    const broker = await start();
    try {
      // Of GitHub the first, of Vault the second of a grant: the former is taken back then.
      for (const of of ['/access_tokens', '/auth/token/create/']) {
        provider.meddle = (request, honest) =>
          mints(request) && request.path.includes(of) ? echo(request, status) : honest;
        expect((await broker.ask()).status).toBeGreaterThanOrEqual(400);
      }
      expect(provider.values).toHaveLength(3);
      await expect.poll(states, until).not.toContain('ending');
      expect(broker.logged()).toContain('minting a credential failed');
      expect(await found(broker)).toEqual([]);
    } finally {
      await broker.close();
    }
  },
);

test('this suite can fail: a value is found in whatever table, column and form it is written', async () => {
  const value = 'ghs_canaryCanaryCanaryCanaryCanary0123';
  for (const [nth, form] of [...formsOf(value), value].entries())
    await owner.pool.query(`INSERT INTO access_ends (key, ended_at, heard_at) VALUES ($1, now(), now())`, [
      `${nth} ${form.replaceAll('\0', '')}`,
    ]);
  await owner.pool.query('CREATE TABLE of_tomorrow (bytes bytea)');
  await owner.pool.query('INSERT INTO of_tomorrow VALUES ($1)', [Buffer.from(`a${value}`)]);
  expect((await findCanaries(owner, { value }, { lines: 'nothing' })).sort()).toEqual([
    'value in public.access_ends',
    'value in public.of_tomorrow',
  ]);
});
