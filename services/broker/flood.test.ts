import type { Db } from '@tripline/db/database';
import { inTransaction } from '@tripline/db/transaction';
import { fakeStream } from '@tripline/testing/fakes/stream';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { fakeMinter, type Issuer, startBroker, startIssuer } from '@tripline/testing/services/broker';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Gather } from './asking.ts';
import { endAll } from './store/ends.ts';

/** What somebody who may run code in one repository can take from the jobs of others by asking. */
let issuer: Issuer;
let database: Awaited<ReturnType<typeof freshDatabase>>;
let db: Db;
let broker: Awaited<ReturnType<typeof startBroker>>;
let stream: ReturnType<typeof fakeStream>;
beforeAll(async () => {
  issuer = await startIssuer();
  database = await freshDatabase();
  db = database.as('broker');
});
afterAll(async () => {
  await issuer.close();
  await database.close();
});
beforeEach(() => {
  stream = fakeStream();
});
afterEach(() => broker?.close());

const nothing: Awaited<ReturnType<Gather>> = {
  known: {
    ...{ job: 'unknown', fork: undefined, reviewed: { is: 'unknown', why: 'nothing was told' }, deployedTo: [] },
    ...{ runner: undefined, incidents: [], address: '127.0.0.1', approval: undefined },
  },
  things: [],
};
const all: typeof nothing = {
  ...nothing,
  known: {
    ...nothing.known,
    ...{ job: 'running', fork: false, reviewed: { is: 'reviewed', why: 'approved by bea' } },
  },
};
let jobs = 0;
const ofRepository = (id: string, more: Record<string, unknown> = {}) => {
  jobs += 1;
  const sub = 'repo:acme/api:environment:production';
  return issuer.token({ sub, repository_id: id, check_run_id: String(jobs), ...more });
};

test('jobs of one repository whose facts never come wait in its own room, and those of others are answered', async () => {
  const released = Promise.withResolvers<void>();
  let waiting = 0;
  const gather: Gather = async ({ repository }) => {
    if (repository.id === '74') {
      waiting += 1;
      await released.promise;
    }
    return nothing;
  };
  broker = await startBroker({ db, stream, issuer }, { seams: { gather, rooms: { ofJob: 2, ofRepository: 6 } } });
  // One job asks many times; others of the repository once each.
  const ofOneJob = await Promise.all(Array.from({ length: 4 }, () => ofRepository('74', { check_run_id: '900001' })));
  let refused = 0;
  const asking = async (token: string) => {
    const answer = await broker.ask(token);
    if (answer.status === 429) refused += 1;
    return answer;
  };
  const first = ofOneJob.map(asking);
  const own = await Promise.race(first.map(async (one) => ((await one).status === 429 ? one : new Promise(() => {}))));
  expect(own).toMatchObject({ headers: expect.anything(), body: { error: { reason: 'too-many-requests' } } });
  const others = await Promise.all(Array.from({ length: 10 }, () => ofRepository('74')));
  const more = others.map(asking);
  // Those who find no room are told so while the others wait.
  await expect.poll(() => [waiting, refused], { interval: 5, timeout: 10_000 }).toEqual([6, 8]);
  expect((await broker.ask(await ofRepository('75'))).status).toBe(200);
  released.resolve();
  const statuses = (await Promise.all([...first, ...more])).map(({ status }) => status).sort();
  expect(statuses).toEqual([...Array.from({ length: 6 }, () => 200), ...Array.from({ length: 8 }, () => 429)]);
  // There is room again, and nothing was given to anybody for asking often.
  expect((await broker.ask(await ofRepository('74'))).status).toBe(200);
});

test('while thousands of ends of one repository are noted, jobs of others are given what they ask for', async () => {
  const minter = fakeMinter('github');
  const granted: Gather = async () => ({
    known: { ...nothing.known, job: 'running', fork: false, reviewed: { is: 'reviewed', why: 'approved by bea' } },
    things: [],
  });
  broker = await startBroker(
    { db, stream, issuer },
    { gives: true, policies: givingPolicies, seams: { gather: granted, minters: { of: () => minter as never } } },
  );
  const noting = await db.pool.connect();
  try {
    await noting.query('BEGIN');
    for (let batch = 0; batch < 8; batch += 1) {
      const ends = Array.from({ length: 500 }, (_, nth) => ({
        of: 'job' as const,
        key: `acme/github/github.com/75/${batch}/1/${nth}`,
        endedAtMs: Date.now(),
      }));
      await endAll(noting, ends, Date.now());
    }
    // None of it is committed: whoever had to wait for it would wait for ever.
    expect((await broker.ask(await issuer.token({ check_run_id: '900004' }))).status).toBe(201);
  } finally {
    await noting.query('ROLLBACK');
    noting.release();
  }
});
const givingPolicies = `
audience: https://access.acme.example
tiers: { production: [production] }
policies:
  deploy-api:
    tier: production
    who: { github: { repository: acme/api, caller: .github/workflows/release.yml@refs/heads/main, workflow: acme/deploy/.github/workflows/deploy.yml@refs/heads/main, events: [push], ref: refs/heads/main } }
    needs: { reviewed: true }
    give: [{ github: { repositories: [acme/api], permissions: { contents: read } } }]
`;

test.each([
  ['of a megabyte', JSON.stringify({ policy: 'a'.repeat(1024 * 1024) }), 413],
  ['of 64 characters', JSON.stringify({ policy: 'a'.repeat(64) }), 400],
  ['with another case', JSON.stringify({ policy: 'Deploy-API' }), 400],
  ['that is a list', JSON.stringify({ policy: ['deploy-api', 'publish'] }), 400],
  ['said twice', '{"policy":"deploy-api","policy":"publish"}', 403],
  ['beside another field', JSON.stringify({ policy: 'deploy-api', policies: ['publish'] }), 400],
  ['of a prototype', '{"__proto__":{"policy":"deploy-api"}}', 400],
])('a name of a policy %s is answered and spends little', async (_, body, status) => {
  broker = await startBroker({ db, stream, issuer }, { seams: { gather: async () => nothing } });
  const headers = { authorization: `Bearer ${await ofRepository('74')}`, 'content-type': 'application/json' };
  expect((await broker.send('POST', '/v1/access', { headers, body })).status).toBe(status);
});

test('a thousand names that no policy has make neither metrics nor events without end', async () => {
  broker = await startBroker({ db, stream, issuer }, { seams: { gather: async () => nothing } });
  const job = { check_run_id: '900002' };
  const statuses = new Map<number, number>();
  const began = performance.now();
  // No more at once than one job may have in hand.
  for (let first = 0; first < 1000; first += 5) {
    const asking = Array.from({ length: 5 }, async (_, nth) => {
      const { status } = await broker!.ask(await ofRepository('74', job), `guessed-${first + nth}`);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    });
    await Promise.all(asking);
  }
  expect([...statuses.keys()].sort()).toEqual([403, 429]);
  // As many as a job may ask at once, and one more a second.
  const seconds = Math.ceil((performance.now() - began) / 1000);
  expect(stream.appended.length).toBe(statuses.get(403));
  expect(stream.appended.length).toBeLessThanOrEqual(60 + seconds);
  expect(await broker.metrics()).not.toContain('guessed-');
}, 180_000);

test('a token of another job of the run gets what is that job’s, and its end takes it', async () => {
  const minter = fakeMinter('github');
  const give = `  who: { github: { repository: acme/api, caller: .github/workflows/release.yml@refs/heads/main, workflow: acme/deploy/.github/workflows/deploy.yml@refs/heads/main, events: [push], ref: refs/heads/main } }
    give: [{ github: { repositories: [acme/api], permissions: { contents: read } } }]`;
  const policies = `audience: https://access.acme.example\ntiers: { production: [production] }\npolicies:\n  deploy-api:\n    tier: production\n  ${give}\n`;
  const seams = { gather: async () => all, minters: { of: () => minter as never } };
  broker = await startBroker({ db, stream, issuer }, { gives: true, policies, seams });
  // Whoever has it is taken for the job that it names: what it may have is that one's, and so is its end.
  const grants: unknown[] = [];
  for (const check_run_id of ['900003', '900004']) {
    const { status, body } = await broker.ask(await issuer.token({ check_run_id }));
    expect(status).toBe(201);
    grants.push(body['grant']);
  }
  const told = stream.appended.map(({ value }) => JSON.parse(value.toString())['cicd.pipeline.task.check_run.id']);
  expect(told).toEqual(['900003', '900003', '900004', '900004']);
  await inTransaction(database.db, (client) =>
    endAll(client, [{ of: 'job', key: 'acme/github/github.com/74/9/2/900003', endedAtMs: Date.now() }], Date.now()),
  );
  const { rows } = await database.db.pool.query(
    'SELECT id, ending_why FROM access_grants WHERE id = ANY ($1) ORDER BY ending_why',
    [grants],
  );
  expect(rows).toEqual([
    { id: grants[0], ending_why: 'job-ended' },
    { id: grants[1], ending_why: null },
  ]);
  expect((await broker.ask(await issuer.token({ check_run_id: '900003' }))).status).toBe(410);
  expect((await broker.ask(await issuer.token({ check_run_id: '900004' }))).status).toBe(201);
});
