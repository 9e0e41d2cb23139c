import { examplePolicies } from '@tripline/access/access.example';
import type { Known } from '@tripline/access/known';
import type { Db } from '@tripline/db/database';
import { fakeStream } from '@tripline/testing/fakes/stream';
import { forEachTest } from '@tripline/testing/postgres/for-each-test';
import { type Issuer, startBroker, startIssuer } from '@tripline/testing/services/broker';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

let issuer: Issuer;
beforeAll(async () => {
  issuer = await startIssuer();
});
afterAll(() => issuer.close());

let db: Db;
forEachTest((database) => {
  db = database.as('broker');
});
let broker: Awaited<ReturnType<typeof startBroker>>;
afterEach(() => broker?.close());

/** All that the example’s policy asks for, but for the person. */
const known: Known = {
  ...{
    job: 'running',
    fork: false,
    log: { disagrees: [], behindMs: 0 },
    reviewed: { is: 'reviewed', why: 'approved by bea' },
    deployedTo: ['staging'],
  },
  ...{ runner: { group: 'prod-deployers', isKnown: true }, incidents: [], address: '203.0.113.7', approval: undefined },
};
const stepUp = {
  publicUrl: 'https://access.acme.example',
  people: [{ account: '1234', name: 'ada', subject: 'ada@acme' }],
  oidc: {
    ...{ issuer: 'http://127.0.0.1:9', clientId: 'tripline', clientSecret: 'a-secret-of-the-client' },
    acrValues: { phishingResistant: ['phr'] },
  },
};
const settings = { broker: { stepUp, sealingKeys: ['a-sealing-key-of-tests-alone'] } };
const seams = { gather: async () => ({ known, things: [] }) };

const pending = async () =>
  Object.fromEntries(
    [...(await broker.metrics()).matchAll(/^tripline_broker_pending\{of="(\w+)".*\} (\d+)$/gm)].map(([, of, count]) => [
      of,
      Number(count),
    ]),
  );

test('a job whose policy waits for a person is told where and with which number, the same each time', async () => {
  broker = await startBroker({ db, stream: fakeStream(), issuer }, { settings, seams });
  const { body } = await broker.ask(await issuer.token());
  expect(body).toMatchObject({
    ...{ decision: 'pending', reasons: [{ condition: 'mfa', state: 'waiting' }], retryAfterS: 5 },
    links: { stepUp: expect.stringMatching(/^https:\/\/access\.acme\.example\/step-up\/[\w-]{24}$/) },
    number: expect.stringMatching(/^\d{4}$/),
  });
  expect((await broker.ask(await issuer.token())).body).toEqual(body);
  expect(await pending()).toEqual({ run: 1, request: 0, job: 1 });
  const { rows } = await db.pool.query('SELECT shown FROM access_step_ups');
  expect(rows).toMatchObject([{ shown: { policy: 'deploy-api', asked: { of: 'trigger' }, phishingResistant: true } }]);
});

test('who stood for the run is asked of the store, and a refusal denies', async () => {
  broker = await startBroker({ db, stream: fakeStream(), issuer }, { settings, seams });
  await broker.ask(await issuer.token());
  const answer = (state: string) =>
    db.pool.query(
      `UPDATE access_step_ups SET state = $1, answered_by = '{"id": "1", "name": "ada"}', answered_at = now(), proved_at = now(),
         method = 'oidc', phishing_resistant = true`,
      [state],
    );
  await answer('approved');
  expect(await pending()).toEqual({ run: 0, request: 0, job: 1 });
  expect((await broker.ask(await issuer.token())).body).toMatchObject({ decision: 'granted', reasons: [] });
  expect(await pending()).toMatchObject({ job: 0 });
  expect((await broker.ask(await issuer.token({ sha: 'f'.repeat(40) }))).body).toMatchObject({ decision: 'pending' });
  await db.pool.query(`UPDATE access_step_ups SET state = 'closed' WHERE state = 'open'`);
  await answer('refused');
  expect((await broker.ask(await issuer.token())).body).toMatchObject({
    decision: 'denied',
    reasons: [{ condition: 'mfa' }],
  });
});

test('nobody is asked of what is denied anyway, where nothing is to be proved, or where nobody could', async () => {
  const policies = examplePolicies.replace(/ +mfa: .*\n/, '').replace(/ +- \{ known: \{ mfa.*\n/, '');
  const denied = { gather: async () => ({ known: { ...known, deployedTo: [] }, things: [] }) };
  for (const options of [{ settings, seams: denied }, { settings, seams, policies }, { seams }]) {
    broker = await startBroker({ db, stream: fakeStream(), issuer }, options);
    expect((await broker.ask(await issuer.token())).body).not.toHaveProperty('links');
    await broker.close();
  }
  const { rowCount } = await db.pool.query('SELECT FROM access_step_ups');
  expect(rowCount).toBe(0);
});

test('sessions need a key to be sealed under', async () => {
  const lacking = startBroker({ db, stream: fakeStream(), issuer }, { settings: { broker: { stepUp } }, seams });
  await expect(lacking).rejects.toThrow('broker.sealingKeys');
});

test('where people would sign in at one GitHub and another be asked who they are, the broker does not start', async () => {
  const github = { clientId: 'Iv1.tripline', clientSecret: 'a-secret-of-the-client' };
  const of = (instance: string) => ({
    settings: { ...settings, broker: { ...settings.broker, stepUp: { ...stepUp, instance, github } } },
    seams,
  });
  await expect(startBroker({ db, stream: fakeStream(), issuer }, of('git.acme.example'))).rejects.toThrow(
    'set github.apiUrl to the API of git.acme.example',
  );
  broker = await startBroker({ db, stream: fakeStream(), issuer }, of('github.com'));
});
