import { isFromWithin } from '@tripline/contracts/internal';
import type { Db } from '@tripline/db/database';
import { fakeStream } from '@tripline/testing/fakes/stream';
import { brokerKey } from '@tripline/testing/internal-key';
import { forEachTest } from '@tripline/testing/postgres/for-each-test';
import { type Issuer, startBroker, startIssuer } from '@tripline/testing/services/broker';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Gather } from './asking.ts';

let issuer: Issuer;
beforeAll(async () => {
  issuer = await startIssuer();
});
afterAll(() => issuer.close());

let db: Db;
forEachTest((database) => {
  db = database.as('broker');
});
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
