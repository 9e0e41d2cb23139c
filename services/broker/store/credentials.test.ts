import type { Db } from '@tripline/db/database';
import { type AccessEnd, endGrants, type WhichGrants } from '@tripline/db/end-grants';
import { inTransaction } from '@tripline/db/transaction';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import {
  addGrant,
  endJobs,
  grantStates,
  minted as mintedOf,
  raceEnds,
  startMs,
  type TestGrant,
} from '@tripline/testing/services/broker-grants';
import type { PoolClient } from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { JobKeys } from '../keys.ts';
import { recordMinted } from './credentials.ts';
import { endOf, lockEnds, noteEnds } from './ends.ts';

let fresh: Awaited<ReturnType<typeof freshDatabase>>;
let db: Db;
beforeAll(async () => {
  fresh = await freshDatabase();
  db = fresh.as('broker');
});
afterAll(() => fresh.close());
beforeEach(() => fresh.db.pool.query('TRUNCATE access_credentials, access_grants, access_ends'));

/** Keys of the job `n` of run `run`. */
const keys = (n: number, run = 9): JobKeys => ({
  run: `acme/github/github.com/74/${run}/1`,
  job: `acme/github/github.com/74/${run}/1/${n}`,
});

const ask = (id: string, by: JobKeys, more: Partial<TestGrant> = {}) =>
  addGrant(db, { id, keys: by, credential: 'minting', ...more });
const minted = (id: string) => mintedOf({ id });

const end = (ended: readonly string[], of: 'job' | 'run' = 'job') => endJobs(db, ended, of);

test('what is minted is live while neither its job nor its run has ended', async () => {
  await ask('g1', keys(1));
  await end([keys(2).job!]);
  await end([keys(1, 10).run], 'run');
  expect(await recordMinted(db, keys(1), minted('g1'))).toEqual({ state: 'live' });
  expect(await grantStates(db)).toEqual({ g1: 'live' });
});

test('an end after the mint ends it, and one that came first lets nothing live', async () => {
  await ask('after', keys(1));
  await recordMinted(db, keys(1), minted('after'));
  await ask('during', keys(2));
  await end([keys(1).job!, keys(2).job!, keys(3).job!]);
  expect(await grantStates(db)).toEqual({ after: 'ending job-ended', during: 'minting job-ended' });
  expect(await recordMinted(db, keys(2), minted('during'))).toEqual({ state: 'ending', why: 'job-ended' });
  await ask('before', keys(3));
  expect(await recordMinted(db, keys(3), minted('before'))).toEqual({ state: 'ending', why: 'job-ended' });
  expect(await grantStates(db)).toMatchObject({ during: 'ending job-ended', before: 'ending job-ended' });
});

test('the end of a run ends all of its jobs, and those of other attempts go on', async () => {
  for (const n of [1, 2]) {
    await ask(`g${n}`, keys(n));
    await recordMinted(db, keys(n), minted(`g${n}`));
  }
  await ask('other', keys(1, 10));
  await recordMinted(db, keys(1, 10), minted('other'));
  await end([keys(1).run], 'run');
  expect(await grantStates(db)).toEqual({ g1: 'ending run-ended', g2: 'ending run-ended', other: 'live' });
  await ask('late', keys(3));
  expect(await recordMinted(db, keys(3), minted('late'))).toEqual({ state: 'ending', why: 'run-ended' });
});

test('an end that is received twice is the first one', async () => {
  await end([keys(1).job!]);
  const again = [{ of: 'job' as const, key: keys(1).job!, endedAtMs: startMs + 5000 }];
  expect(await inTransaction(db, (client) => noteEnds(client, again, startMs))).toEqual([]);
  expect(await inTransaction(db, (client) => endOf(client, keys(1)))).toEqual({
    ...{ of: 'job', key: keys(1).job, endedAtMs: startMs },
  });
});

test('a credential that was given up is revoked once it is there after all; one that was recorded cannot be again', async () => {
  await ask('g1', keys(1));
  await db.pool.query(`UPDATE access_grants SET ending_at = now(), ending_why = 'lost'`);
  await db.pool.query(`UPDATE access_credentials SET state = 'lost'`);
  expect(await recordMinted(db, keys(1), minted('g1'))).toEqual({ state: 'ending', why: 'lost' });
  await expect(recordMinted(db, keys(1), minted('g1'))).rejects.toThrow(/recorded before/);
  await expect(recordMinted(db, keys(1), minted('nobody’s'))).rejects.toThrow(/not there/);
});

test.each<[string, WhichGrants, string[]]>([
  ['by id', { grants: ['g1', 'g3'] }, ['g1', 'g3']],
  ['the former ones of a job and policy', { job: keys(1).job!, policy: 'deploy-api', butFor: 'g4' }, ['g1']],
  ['those that are of a thing', { workspace: 'acme', things: ['person:5', 'person:6'] }, ['g3']],
  ['none of another workspace', { workspace: 'other', things: ['person:5'] }, []],
  ['all', { all: true }, ['g1', 'g2', 'g3', 'g4']],
])('grants end %s, once', async (_, which, expected) => {
  await ask('g1', keys(1));
  await ask('g2', keys(1), { policy: 'publish' });
  await ask('g3', keys(3), { things: ['person:5'] });
  await ask('g4', keys(1));
  const told: string[] = [];
  const listener = await fresh.db.pool.connect();
  listener.on('notification', ({ payload }) => told.push(payload!));
  await listener.query('LISTEN tripline_access');
  const by: { why: AccessEnd; atMs: number } = { why: 'by-hand', atMs: startMs };
  const ended = await inTransaction(db, (client) => endGrants(client, which, by));
  expect(ended.map(({ id }) => id).sort()).toEqual(expected);
  expect(await inTransaction(db, (client) => endGrants(client, which, by))).toEqual([]);
  await listener.query('SELECT 1');
  listener.release(true);
  expect(told.sort()).toEqual(expected);
});

test('of 1,000 jobs that end while they are given something, none keeps it', { timeout: 60_000 }, async () => {
  expect(await raceEnds(db, { to: 1000 })).toBe(0);
});

/** A job is given something between what its end did and the end's commit. @returns the state of what it was given. */
async function duringEnd(by: Db): Promise<string | undefined> {
  const ending = await db.pool.connect();
  await ending.query('BEGIN');
  await lockEnds(ending, [keys(1).job!]);
  await noteEnds(ending, [{ of: 'job', key: keys(1).job!, endedAtMs: startMs }], startMs);
  await endGrants(ending, { jobs: [keys(1).job!] }, { why: 'job-ended', atMs: startMs });
  const given = addGrant(by, { id: 'g1', keys: keys(1) });
  const waits = async () => (await db.pool.query('SELECT FROM pg_locks WHERE NOT granted')).rowCount === 1;
  await Promise.race([given, expect.poll(waits, { interval: 5, timeout: 10_000 }).toBe(true)]);
  await ending.query('COMMIT');
  ending.release();
  await given;
  return (await grantStates(db))['g1'];
}

test('what is given while an end is being noted waits for it; without the lock of a job it would live on', async () => {
  expect(await duringEnd(db)).toBe('ending job-ended');
  await fresh.db.pool.query('TRUNCATE access_credentials, access_grants, access_ends');
  await withoutLocksIn('access_grant_under_lock');
  expect(await duringEnd(unlocked(db))).toBe('live');
});

/** Has a function of the database take no lock of a job any more. */
async function withoutLocksIn(name: string): Promise<void> {
  const { rows } = await fresh.db.pool.query('SELECT pg_get_functiondef($1::regproc) AS is', [name]);
  const without = rows[0].is.replaceAll(/PERFORM pg_advisory_xact_lock[^;]*;/g, 'NULL;');
  expect(without).not.toContain('pg_advisory');
  await fresh.db.pool.query(without);
}

/** A database to whose users no lock of a job is given. */
const unlocked = (of: Db): Db => ({
  ...of,
  pool: new Proxy(of.pool, {
    get: (pool, name) => (name === 'connect' ? async () => withoutLocks(await pool.connect()) : ownOf(pool, name)),
  }),
});
const withoutLocks = (client: PoolClient) =>
  new Proxy(client, {
    get: (own, name) => {
      if (name !== 'query') return ownOf(own, name);
      return async (text: string, values: unknown[]) =>
        text.includes('pg_advisory_xact_lock') ? { rows: [] } : own.query(text, values);
    },
  });
const ownOf = (of: object, name: string | symbol) => {
  const value = Reflect.get(of, name);
  return typeof value === 'function' ? value.bind(of) : value;
};
