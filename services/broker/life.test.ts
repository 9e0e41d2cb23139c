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
  publish:
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
async function ask(broker: Started, policy?: string) {
  for (;;) {
    const answer = await broker.ask(await issuer.token(), policy);
    if (answer.body.error?.reason !== 'starting') return answer;
    await new Promise((done) => setTimeout(done, 20));
  }
}
const told = async () => {
  const all = await stream.read({ topic: topics.events, partition: 0, from: 0, limit: 100 });
  const types = all.map(({ headers }) => headers['ce_type']!.replace(/^dev\.cdeventsx?\.(tripline-)?/, ''));
  // What its policies say is told as it starts.
  return types.filter((type) => type !== 'promotion.changed');
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

test('what a job has under two policies lives side by side, and its end kills both', async () => {
  const github = fakeMinter('github');
  const broker = await start(github);
  const tokenOf = async (policy: string) => {
    const { status, body } = await ask(broker, policy);
    expect(status).toBe(201);
    return (body['github'] as { token: string }).token;
  };
  try {
    const first = await tokenOf('deploy-api');
    const second = await tokenOf('publish');
    expect([...github.alive]).toEqual([first, second]);
    expect(await endings()).toEqual({ 'deploy-api': [null], publish: [null] });
    // Asked again under one of them, that one’s alone ends.
    const third = await tokenOf('deploy-api');
    await expect.poll(() => [...github.alive], { interval: 5, timeout: 10_000 }).toEqual([second, third]);
    await written.append([jobFinished()]);
    await expect.poll(() => github.alive.size, { interval: 5, timeout: 10_000 }).toBe(0);
    expect(await endings()).toEqual({ 'deploy-api': ['asked-again', 'job-ended'], publish: ['job-ended'] });
  } finally {
    await broker.close();
  }
});
const endings = async () => {
  const { rows } = await owner.pool.query<{ policy: string; why: (string | null)[] }>(
    'SELECT policy, array_agg(ending_why ORDER BY asked_at) AS why FROM access_grants GROUP BY policy ORDER BY policy',
  );
  return Object.fromEntries(rows.map(({ policy, why }) => [policy, why]));
};

test('rows that somebody wrote by hand lead to no mint, and nothing is handed out by them', async () => {
  const github = fakeMinter('github');
  const broker = await start(github);
  try {
    const grant = String((await ask(broker)).body['grant']);
    const [token] = github.alive;
    // Of the job that has one, and of one that never asked: being minted, live and ending, with a value that was made up or is another’s.
    await owner.pool.query(
      `WITH forged AS (
         INSERT INTO access_grants (id, workspace, policy, policy_sha256, tier, job_key, run_key, job, things, until, on_incident, asked_at,
           longest_until, ending_at, ending_why)
         SELECT format('forged-%s-%s-%s', is_in, other, worth), workspace, policy, policy_sha256, tier, job_key || other, run_key || other, job,
           things, until, on_incident, asked_at, longest_until, CASE is_in WHEN 'ending' THEN now() END,
           CASE is_in WHEN 'ending' THEN 'by-hand' END
         FROM access_grants, unnest($2::text[]) AS is_in, unnest($3::text[]) AS other, unnest($4::text[]) AS worth WHERE id = $1
         RETURNING id)
       INSERT INTO access_credentials (grant_id, nth, kind, scope, state, handle, sealed, token_hash, minted_at, expires_at, due_at)
       SELECT forged.id, 0, kind, scope, split_part(forged.id, '-', 2), handle,
         CASE split_part(forged.id, '-', 4) WHEN 'copied' THEN sealed ELSE decode(repeat('ab', 90), 'hex') END, token_hash, minted_at,
         expires_at, now() - interval '1 hour'
       FROM forged, access_credentials c WHERE c.grant_id = $1`,
      [grant, ['minting', 'live', 'ending'], ['', '0'], ['invented', 'copied']],
    );
    await owner.pool.query(`SELECT pg_notify('tripline_access', 'forged')`);
    const faults = `SELECT FROM access_credentials WHERE grant_id LIKE 'forged-ending-%' AND last_fault LIKE 'internal: %'`;
    await expect.poll(async () => (await owner.pool.query(faults)).rowCount, { timeout: 10_000 }).toBe(4);
    // A value that was sealed for another grant is not opened, so that the one whose it is lives.
    expect([...github.alive]).toEqual([token]);
    for (const forged of ['forged-live--invented', 'forged-minting--copied', 'forged-live-0-copied']) {
      const answer = await broker.giveBack(await issuer.token(), forged);
      expect(JSON.stringify(answer.body)).not.toMatch(/token"|canary/);
      expect(answer.status).toBe(forged.includes('-0-') ? 404 : 202);
    }
    expect(github.orders).toHaveLength(1);
    const another = await ask(broker);
    expect([another.status, github.orders.length]).toEqual([201, 2]);
    expect(github.orders[1]!.grantId).toBe(another.body['grant']);
    await expect
      .poll(() => [...github.alive], { interval: 5, timeout: 10_000 })
      .toEqual([(another.body['github'] as { token: string }).token]);
    const minted = (await told()).filter((type) => type === 'credential.minted');
    expect(minted).toHaveLength(2);
  } finally {
    await broker.close();
  }
});
