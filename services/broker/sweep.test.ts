import { parseEvent, type TriplineEvent } from '@tripline/contracts/event';
import type { Db } from '@tripline/db/database';
import { endGrants } from '@tripline/db/end-grants';
import { inTransaction } from '@tripline/db/transaction';
import type { Minter, Revocable } from '@tripline/integrations/minter';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { addGrant, grantStates, minted, startMs } from '@tripline/testing/services/broker-grants';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createEndMeasures } from './end-measures.ts';
import { recordMinted } from './store/credentials.ts';
import { type SweepParts, sweep } from './sweep.ts';

const logger = createLogger({ service: 'test', level: 'silent' });
let fresh: Awaited<ReturnType<typeof freshDatabase>>;
let db: Db;
beforeAll(async () => {
  fresh = await freshDatabase();
  db = fresh.as('broker');
});
afterAll(() => fresh.close());
beforeEach(() => fresh.db.pool.query('TRUNCATE access_credentials, access_grants, access_ends, access_spent'));

const keys = (n: number) => ({ run: `run-${n}`, job: `run-${n}/job` });

/** A sweeper whose provider knows which jobs and runs have ended. */
function sweeper(recover?: Minter['recover']) {
  const asked: string[] = [];
  const told: TriplineEvent[] = [];
  const revoked: Revocable[] = [];
  const by = { nowMs: startMs, ended: new Set<string>(), isAway: false, logIsAway: false };
  const parts: SweepParts = {
    ...{ db, logger, clock: { ...systemClock, nowMs: () => by.nowMs } },
    measures: createEndMeasures(createMetrics({ service: 'test' }), async () => ({ leftAlive: 0, live: [] })),
    minterOf: () => ({
      revoke: async (one) => {
        revoked.push(one);
        return { result: 'dead', by: 'revoked' };
      },
      ...(recover ? { recover } : { mostLifeMs: 3_600_000 }),
    }),
    append: async (events) => {
      if (by.logIsAway) throw new Error('the log is away');
      told.push(...events.map((event) => parseEvent(event) as TriplineEvent));
    },
    whichEnded: async (all) => {
      for (const { of, look } of all) asked.push(`${of} of ${look.id}`);
      return by.isAway ? new Set() : by.ended;
    },
  };
  return {
    ...{ asked, told, revoked, by },
    async sweepAt(atS: number, as = '00000000-0000-4000-8000-000000000001') {
      by.nowMs = startMs + atS * 1000;
      await sweep(parts, as);
    },
  };
}

/** Whoever has something in hand has had it for long enough, by the database's clock. */
const claimsExpire = () =>
  db.pool.query('UPDATE access_credentials SET claimed_until = clock_timestamp() WHERE claimed_by IS NOT NULL');

test('an end that nobody told of is found: a job is asked for after two minutes, and each minute from then on', async () => {
  await addGrant(db, { id: 'g1', keys: keys(1) });
  const { sweepAt, asked, by } = sweeper();
  by.isAway = true;
  for (let s = 0; s <= 130; s += 10) await sweepAt(s);
  expect(asked).toEqual(['job of g1']);
  by.isAway = false;
  await sweepAt(180);
  expect(await grantStates(db)).toEqual({ g1: 'live' });
  by.ended.add('g1');
  await sweepAt(190);
  expect(await grantStates(db)).toEqual({ g1: 'live' });
  await sweepAt(240);
  expect(await grantStates(db)).toEqual({ g1: 'ending job-ended' });
  // And it counts as heard: a request that comes later gets nothing.
  await addGrant(db, { id: 'g2', keys: keys(1) });
  expect(await grantStates(db)).toMatchObject({ g2: 'ending job-ended' });
});

test('what is given until the end of the run asks for the run', async () => {
  await addGrant(db, { id: 'g1', keys: keys(1), until: 'run' });
  const { sweepAt, asked, by } = sweeper();
  by.ended.add('g1');
  await sweepAt(120);
  expect(asked).toEqual(['run of g1']);
  expect(await grantStates(db)).toEqual({ g1: 'ending run-ended' });
});

test('of many jobs those are asked for first that were not for longest, a few at once, by one replica each', async () => {
  for (let n = 0; n < 12; n += 1) await addGrant(db, { id: `g${n}`, keys: keys(n), askedAtMs: startMs + n });
  const [one, other] = [sweeper(), sweeper()];
  await Promise.all([one.sweepAt(121), other.sweepAt(121, '00000000-0000-4000-8000-000000000002')]);
  const asked = [...one.asked, ...other.asked];
  expect(new Set(asked).size).toBe(asked.length);
  expect(Math.max(one.asked.length, other.asked.length)).toBe(9);
  await one.sweepAt(131);
  expect(new Set([...one.asked, ...other.asked]).size).toBe(12);
});

test('a sweep asks about three repositories, those first whose jobs were not asked for longest', async () => {
  for (let n = 0; n < 8; n += 1) {
    await addGrant(db, { id: `g${n}`, keys: keys(n), askedAtMs: startMs + n });
    const job = { id: String(n % 4), name: `acme/r${n % 4}` };
    await fresh.db.pool.query(`UPDATE access_grants SET job = jsonb_set(job, '{repository}', $2) WHERE id = $1`, [
      `g${n}`,
      JSON.stringify(job),
    ]);
  }
  const { sweepAt, asked } = sweeper();
  await sweepAt(121);
  expect(asked.sort()).toEqual(['g0', 'g1', 'g2', 'g4', 'g5', 'g6'].map((id) => `job of ${id}`));
  await sweepAt(131);
  expect(asked.slice(6).sort()).toEqual(['job of g3', 'job of g7']);
});

test('a job that never ends loses what it was given when its policy says so', async () => {
  await addGrant(db, { id: 'g1', keys: keys(1), longestUntilMs: startMs + 45 * 60_000 });
  const { sweepAt } = sweeper();
  await sweepAt(45 * 60 - 1);
  expect(await grantStates(db)).toEqual({ g1: 'live' });
  await sweepAt(45 * 60);
  expect(await grantStates(db)).toEqual({ g1: 'ending longest' });
});

test('what expired by itself is revoked all the same, while its grant goes on', async () => {
  await addGrant(db, { id: 'g1', keys: keys(1), expiresAtMs: startMs + 900_000 });
  const { sweepAt } = sweeper();
  await sweepAt(959);
  expect(await grantStates(db)).toEqual({ g1: 'live' });
  await sweepAt(961);
  expect(await grantStates(db)).toEqual({ g1: 'ending' });
});

test('what was never recorded is lost, which the log is told; recorded after all, it is revoked', async () => {
  await addGrant(db, { id: 'g1', keys: keys(1), credential: 'minting' });
  const { sweepAt, told, by } = sweeper();
  await sweepAt(120);
  expect(await grantStates(db)).toEqual({ g1: 'minting' });
  by.logIsAway = true;
  await sweepAt(121);
  expect(await grantStates(db)).toEqual({ g1: 'minting lost' });
  by.logIsAway = false;
  await claimsExpire();
  await sweepAt(182);
  await sweepAt(300);
  expect(await grantStates(db)).toEqual({ g1: 'lost lost' });
  expect(told).toMatchObject([
    {
      ...{ type: 'dev.cdeventsx.tripline-access.ended', id: 'access:g1:lost:0' },
      data: {
        'tripline.access.end': 'lost',
        // Two minutes in which it may have been made, and the hour that it lives.
        'tripline.credential.expires_at': new Date(startMs + 120_000 + 3_600_000).toISOString(),
      },
    },
  ]);
  expect(await recordMinted(db, keys(1), minted({ id: 'g1' }))).toEqual({ state: 'ending', why: 'lost' });
});

test('where the provider can be asked by the grant’s id, what it has is revoked first', async () => {
  await addGrant(db, { id: 'g1', keys: keys(1), credential: 'minting', kind: 'vault' });
  let isAway = true;
  const { sweepAt, told, revoked } = sweeper(async ({ grantId }) =>
    isAway ? { result: 'unknown', detail: 'away' } : { result: 'known', found: [{ handle: { accessor: grantId } }] },
  );
  await sweepAt(121);
  expect(told).toEqual([]);
  isAway = false;
  await claimsExpire();
  await sweepAt(182);
  expect(revoked).toEqual([{ handle: { accessor: 'g1' } }]);
  expect(await grantStates(db)).toEqual({ g1: 'lost lost' });
  expect(told).toMatchObject([{ data: { 'tripline.access.end': 'lost', 'tripline.credential.dead_by': 'revoked' } }]);
  expect(told[0]!.data).not.toHaveProperty(['tripline.credential.expires_at']);
});

test('what was being minted when its job ended, and was never recorded, keeps why it ended', async () => {
  await addGrant(db, { id: 'g1', keys: keys(1), credential: 'minting' });
  await inTransaction(db, (client) => endGrants(client, { all: true }, { why: 'job-ended', atMs: startMs }));
  await sweeper().sweepAt(121);
  expect(await grantStates(db)).toEqual({ g1: 'lost job-ended' });
});

test('a sweeper that was killed while it recovers loses its claim', async () => {
  await addGrant(db, { id: 'g1', keys: keys(1), credential: 'minting', kind: 'vault' });
  const frozen = sweeper(() => new Promise(() => {}));
  void frozen.sweepAt(121);
  await expect
    .poll(async () => (await db.pool.query('SELECT FROM access_credentials WHERE claimed_by IS NOT NULL')).rowCount)
    .toBe(1);
  const other = sweeper();
  await other.sweepAt(130, '00000000-0000-4000-8000-000000000002');
  expect(await grantStates(db)).toEqual({ g1: 'minting lost' });
  await other.sweepAt(182, '00000000-0000-4000-8000-000000000002');
  expect(await grantStates(db)).toEqual({ g1: 'minting lost' });
  await claimsExpire();
  await other.sweepAt(183, '00000000-0000-4000-8000-000000000002');
  expect(await grantStates(db)).toEqual({ g1: 'lost lost' });
});
