import { loadConfig } from '@tripline/config/config';
import { toEventRecord } from '@tripline/contracts/event-record';
import type { Db } from '@tripline/db/database';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { openStream } from '@tripline/stream/open';
import { type Stream, topics } from '@tripline/stream/stream';
import { forEachTest } from '@tripline/testing/postgres/for-each-test';
import { fakeMinter, type Issuer, startBroker, startIssuer } from '@tripline/testing/services/broker';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Gather } from './asking.ts';

const config = loadConfig({ TRIPLINE_KAFKA_PARTITIONS: '1' }, '/nonexistent');
const logger = createLogger({ service: 'test', level: 'silent' });

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
beforeEach(async () => {
  written = await openStream({ config, db: owner, logger, clock: systemClock });
  stream = await openStream({ config, db, logger, clock: systemClock });
});
afterEach(async () => {
  await stream.close();
  await written.close();
});

const known: Awaited<ReturnType<Gather>>['known'] = {
  ...{ job: 'running', fork: false, reviewed: { is: 'reviewed', why: 'approved by bea' }, deployedTo: [] },
  ...{ runner: { group: 'prod', isKnown: true }, incidents: [], address: '127.0.0.1', approval: undefined },
};
const policies = `
audience: https://access.acme.example
tiers: { production: [production] }
policies:
  deploy-api:
    tier: production
    who: { github: { repository: acme/api, caller: .github/workflows/release.yml@refs/heads/main, workflow: acme/deploy/.github/workflows/deploy.yml@refs/heads/main, events: [push], ref: refs/heads/main } }
    give: [{ github: { repositories: [acme/api], permissions: { contents: read } } }]
`;

/** The end of the job whose tokens the issuer signs. */
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

async function start(
  minter: ReturnType<typeof fakeMinter>,
  options: Parameters<typeof startBroker>[1] = { gives: true },
) {
  const seams = {
    gather: (async () => ({ known, things: [] })) as Gather,
    minters: { of: () => minter as never },
    isCaughtUp: undefined as never,
  };
  return startBroker({ db, stream, issuer }, { policies, seams, ...options });
}
type Started = Awaited<ReturnType<typeof start>>;

/** Asks until the broker has heard which jobs have ended. */
async function ask(broker: Started) {
  for (;;) {
    const answer = await broker.ask(await issuer.token());
    if (answer.body.error?.reason !== 'starting') return answer;
    await new Promise((done) => setTimeout(done, 20));
  }
}
const told = async () => {
  const all = await stream.read({ topic: topics.events, partition: 0, from: 0, limit: 100 });
  return all.map(({ headers }) => headers['ce_type']!.replace(/^dev\.cdeventsx?\.(tripline-)?/, ''));
};

test('what a job was given is dead within a second of its end, and it is given nothing after', async () => {
  const github = fakeMinter('github');
  const broker = await start(github);
  try {
    expect((await ask(broker)).status).toBe(201);
    expect(github.alive.size).toBe(1);
    const endedMs = performance.now();
    await written.append([jobFinished()]);
    await expect.poll(() => github.alive.size, { interval: 2, timeout: 10_000 }).toBe(0);
    const tookMs = performance.now() - endedMs;
    await expect.poll(told, { timeout: 10_000 }).toContain('credential.revoked');
    expect(await told()).toEqual(['access.decided', 'credential.minted', 'taskrun.finished', 'credential.revoked']);
    expect(await broker.ask(await issuer.token())).toMatchObject({ status: 410 });
    const metrics = await broker.metrics();
    expect(metrics).toMatch(/tripline_broker_revocations_total\{why="job-ended",outcome="revoked".*\} 1/);
    expect(metrics).toMatch(/tripline_broker_left_alive\{.*\} 0/);
    // The goal is a second; a machine that is shared with other tests may take longer.
    expect(tookMs).toBeLessThan(5000);
  } finally {
    await broker.close();
  }
});

test('an end that was heard of while the broker was down counts before anything is given', async () => {
  const github = fakeMinter('github');
  const first = await start(github);
  expect((await ask(first)).status).toBe(201);
  await first.close();
  await written.append([jobFinished()]);
  const second = await start(github);
  try {
    expect((await ask(second)).status).toBe(410);
    await expect.poll(() => github.alive.size, { interval: 5, timeout: 10_000 }).toBe(0);
    expect(github.orders).toHaveLength(1);
  } finally {
    await second.close();
  }
});

test('a broker that is a dry run by now gives nothing, and ends what was given', async () => {
  const github = fakeMinter('github');
  const former = await start(github);
  expect((await ask(former)).status).toBe(201);
  await former.close();
  const apps = [{ id: '1', privateKey: 'an App’s key for tests alone' }];
  const sealingKeys = ['a-key-of-seals-for-tests-alone'];
  const settings = { broker: { policy: { file: 'access.yaml' }, apps, sealingKeys } };
  const broker = await start(github, { settings });
  try {
    expect(await ask(broker)).toMatchObject({ status: 200, body: { dryRun: true } });
    expect(github.alive.size).toBe(1);
    await written.append([jobFinished()]);
    await expect.poll(() => github.alive.size, { interval: 20, timeout: 10_000 }).toBe(0);
  } finally {
    await broker.close();
  }
});
