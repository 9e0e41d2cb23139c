import type { Db } from '@tripline/db/database';
import { type AccessEnd, endGrants, type WhichGrants } from '@tripline/db/end-grants';
import { inTransaction } from '@tripline/db/transaction';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import type { PoolClient } from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { JobKeys } from '../keys.ts';
import { recordMinted } from './credentials.ts';
import { endOf, jobKeyOf, lockEnds, lockJob, noteEnds } from './ends.ts';

const startMs = Date.parse('2026-03-02T12:00:00Z');

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
  run: `github/github.com/74/${run}/1`,
  job: `github/github.com/74/${run}/1/${n}`,
});

async function ask(
  id: string,
  by: JobKeys,
  { policy = 'deploy-api', things = ['repository:74'], of = db } = {},
): Promise<void> {
  await inTransaction(of, async (client) => {
    await lockJob(client, by);
    await client.query(
      `INSERT INTO access_grants (id, workspace, policy, policy_sha256, tier, job_key, run_key, job, things, until, on_incident, longest_until)
       VALUES ($1, 'acme', $2, $3, 'production', $4, $5, '{}', $6, 'job', 'atOnce', $7)`,
      [id, policy, 'a'.repeat(64), jobKeyOf(by), by.run, things, new Date(startMs + 3_600_000)],
    );
    await client.query(
      `INSERT INTO access_credentials (grant_id, nth, kind, scope, state) VALUES ($1, 0, 'github', '{}', 'minting')`,
      [id],
    );
  });
}

const minted = (grant: string) => ({
  ...{ grant, nth: 0, handle: { app: '1' }, sealed: Buffer.from('sealed'), tokenHash: `hash-${grant}` },
  ...{ mintedAtMs: startMs, expiresAtMs: startMs + 3_600_000 },
});

function end(ended: readonly string[], of: 'job' | 'run' = 'job', by = db): Promise<void> {
  return inTransaction(by, async (client) => {
    await lockEnds(client, ended);
    await noteEnds(
      client,
      ended.map((key) => ({ of, key, endedAtMs: startMs })),
      startMs,
    );
    await endGrants(client, of === 'job' ? { jobs: ended } : { runs: ended }, { why: `${of}-ended`, atMs: startMs });
  });
}

async function states(): Promise<Record<string, string>> {
  const { rows } = await db.pool.query(
    `SELECT id, state || coalesce(' ' || ending_why, '') AS is FROM access_grants JOIN access_credentials ON grant_id = id`,
  );
  return Object.fromEntries(rows.map(({ id, is }) => [id, is]));
}

test('what is minted is live while neither its job nor its run has ended', async () => {
  await ask('g1', keys(1));
  await end([keys(2).job!]);
  await end([keys(1, 10).run], 'run');
  expect(await recordMinted(db, keys(1), minted('g1'))).toEqual({ state: 'live' });
  expect(await states()).toEqual({ g1: 'live' });
});

test('an end after the mint ends it, and one that came first lets nothing live', async () => {
  await ask('after', keys(1));
  await recordMinted(db, keys(1), minted('after'));
  await ask('during', keys(2));
  await end([keys(1).job!, keys(2).job!, keys(3).job!]);
  expect(await states()).toEqual({ after: 'ending job-ended', during: 'minting job-ended' });
  expect(await recordMinted(db, keys(2), minted('during'))).toEqual({ state: 'ending', why: 'job-ended' });
  await ask('before', keys(3));
  expect(await recordMinted(db, keys(3), minted('before'))).toEqual({ state: 'ending', why: 'job-ended' });
  expect(await states()).toMatchObject({ during: 'ending job-ended', before: 'ending job-ended' });
});

test('the end of a run ends all of its jobs, and those of other attempts go on', async () => {
  for (const n of [1, 2]) {
    await ask(`g${n}`, keys(n));
    await recordMinted(db, keys(n), minted(`g${n}`));
  }
  await ask('other', keys(1, 10));
  await recordMinted(db, keys(1, 10), minted('other'));
  await end([keys(1).run], 'run');
  expect(await states()).toEqual({ g1: 'ending run-ended', g2: 'ending run-ended', other: 'live' });
  await ask('late', keys(3));
  expect(await recordMinted(db, keys(3), minted('late'))).toEqual({ state: 'ending', why: 'run-ended' });
});

test('an end that is heard twice is the first one', async () => {
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

/** A database to whose users no lock of a job is given. */
const unlocked = (of: Db): Db => ({
  ...of,
  pool: new Proxy(of.pool, {
    get: (pool, name) =>
      name === 'connect' ? async () => withoutLocks(await pool.connect()) : Reflect.get(pool, name),
  }),
});
const withoutLocks = (client: PoolClient) =>
  new Proxy(client, {
    get: (own, name) => {
      if (name !== 'query') {
        const value = Reflect.get(own, name);
        return typeof value === 'function' ? value.bind(own) : value;
      }
      return async (text: string, values: unknown[]) =>
        text.includes('pg_advisory_xact_lock') ? { rows: [] } : own.query(text, values);
    },
  });

/** Jobs that end while what they asked for is being recorded, four at once. @returns how many keep it. */
async function race(raced: Db, { from = 0, to }: { from?: number; to: number }): Promise<number> {
  let next = from;
  const runner = async () => {
    for (let n = next++; n < to; n = next++) {
      const given = ask(`g${n}`, keys(n), { of: raced }).then(() => recordMinted(raced, keys(n), minted(`g${n}`)));
      await Promise.all([given, end([keys(n).job!], 'job', raced)]);
    }
  };
  await Promise.all(Array.from({ length: 4 }, runner));
  return Object.values(await states()).filter((state) => state.startsWith('live')).length;
}

test('of 10,000 jobs that end while they are given something, none keeps it', { timeout: 120_000 }, async () => {
  expect(await race(db, { to: 10_000 })).toBe(0);
});

test('without the lock of a job some would', { timeout: 120_000 }, async () => {
  let live = 0;
  for (let from = 0; live === 0 && from < 10_000; from += 250)
    live = await race(unlocked(db), { from, to: from + 250 });
  expect(live).toBeGreaterThan(0);
});
