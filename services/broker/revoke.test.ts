import type { TriplineEvent } from '@tripline/contracts/event';
import { parseEvent } from '@tripline/contracts/event';
import type { Db } from '@tripline/db/database';
import { endGrants } from '@tripline/db/end-grants';
import { inTransaction } from '@tripline/db/transaction';
import type { Minter, Revocable, Revoked } from '@tripline/integrations/minter';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { addGrant, grantStates, startMs, type TestGrant } from '@tripline/testing/services/broker-grants';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createEndMeasures } from './end-measures.ts';
import { claimMs, type RevokerParts, revokeDue, startRevoking } from './revoke.ts';
import { createSeals } from './seal.ts';
import { countAlive } from './store/revocations.ts';

const logger = createLogger({ service: 'test', level: 'silent' });
const seals = createSeals(['a-key-of-seals-for-tests-alone']);

let fresh: Awaited<ReturnType<typeof freshDatabase>>;
let db: Db;
beforeAll(async () => {
  fresh = await freshDatabase();
  db = fresh.as('broker');
});
afterAll(() => fresh.close());
beforeEach(() => fresh.db.pool.query('TRUNCATE access_credentials, access_grants, access_ends'));

const dead: Revoked = { result: 'dead', by: 'revoked' };
const away: Revoked = { result: 'not-yet', retry: true, reason: 'http-500', message: 'GitHub is away' };

/** A revoker whose provider answers as it is told, in order; the last answer stays. */
function revoker(...answers: (Revoked | Promise<Revoked>)[]) {
  const asked: Revocable[] = [];
  const told: TriplineEvent[] = [];
  const by = { nowMs: startMs, logIsAway: false, minter: true };
  const minter: Pick<Minter, 'revoke'> = {
    revoke: async (minted) => {
      asked.push(minted);
      return answers.length > 1 ? answers.shift()! : answers[0]!;
    },
  };
  const parts: RevokerParts = {
    ...{ db, logger, clock: { ...systemClock, nowMs: () => by.nowMs } },
    measures: createEndMeasures(createMetrics({ service: 'test' }), async () => ({ leftAlive: 0, live: [] })),
    minterOf: () => (by.minter ? minter : undefined),
    unseal: seals.open,
    append: async (events) => {
      if (by.logIsAway) throw new Error('the log is away');
      told.push(...events.map((event) => parseEvent(event) as TriplineEvent));
    },
  };
  const revoke = (as = '00000000-0000-4000-8000-000000000001') => revokeDue(parts, as);
  return { ...parts, asked, told, by, revoke };
}

async function ended(id: string, more: Partial<TestGrant> = {}): Promise<void> {
  const sealed = seals.seal(`value-of-${id}`, { grantId: id, nth: 0 });
  await addGrant(db, { id, keys: { run: 'run', job: `run/${id}` }, sealed, ...more });
  await inTransaction(db, (client) => endGrants(client, { grants: [id] }, { why: 'job-ended', atMs: startMs }));
}
/** A revoker that died or is frozen has had its credentials in hand for long enough, by the database's clock. */
const claimsExpire = () =>
  fresh.db.pool.query('UPDATE access_credentials SET claimed_until = clock_timestamp() WHERE claimed_by IS NOT NULL');
const rows = async () => (await db.pool.query('SELECT * FROM access_credentials ORDER BY grant_id')).rows;

test('what was set ending by a clock that is ahead is revoked at once by one that is right', async () => {
  await addGrant(db, {
    id: 'g1',
    keys: { run: 'run', job: 'run/g1' },
    sealed: seals.seal('v', { grantId: 'g1', nth: 0 }),
  });
  const atMs = startMs + 10 * 60_000;
  await inTransaction(db, (client) => endGrants(client, { grants: ['g1'] }, { why: 'job-ended', atMs }));
  const { revoke } = revoker(dead);
  expect(await revoke()).toBe(1);
  expect(await grantStates(db)).toEqual({ g1: 'dead job-ended' });
});

test('what is to be dead is revoked by its value, told to the log, and its value kept no longer', async () => {
  await ended('g1');
  await addGrant(db, { id: 'g2', keys: { run: 'run', job: 'run/g2' } });
  const { revoke, asked, told } = revoker(dead);
  expect(await revoke()).toBe(1);
  expect(asked).toEqual([{ handle: { name: 'g1' }, value: 'value-of-g1' }]);
  expect(await grantStates(db)).toEqual({ g1: 'dead job-ended', g2: 'live' });
  expect((await rows())[0]).toMatchObject({ sealed: null, claimed_by: null, dead_at: new Date(startMs) });
  expect(told).toMatchObject([
    {
      ...{ type: 'dev.cdeventsx.tripline-credential.revoked', id: 'access:g1:revoked:0', workspace: 'acme' },
      data: {
        ...{
          'tripline.access.grant': 'g1',
          'tripline.access.end': 'job-ended',
          'tripline.credential.dead_by': 'revoked',
        },
        ...{ 'tripline.credential.token_hash': 'hash-g1', 'vcs.repository.id': '74', 'cicd.pipeline.run.id': '9' },
      },
    },
  ]);
  expect(JSON.stringify(told)).not.toContain('value-of');
  expect(await revoke()).toBe(0);
});

test('a provider that hangs holds up no other’s, and what failed holds up nothing that is new', async () => {
  for (let n = 0; n < 40; n += 1) await ended(`hung-${n}`, { kind: 'gitlab', sealed: null });
  await ended('g1');
  const hanging = Promise.withResolvers<Revoked>();
  const asked: string[] = [];
  const { measures, told, append, unseal } = revoker(dead);
  const revoking = startRevoking({
    ...{ db, logger, clock: { ...systemClock, nowMs: () => startMs }, measures, append, unseal },
    minterOf: (kind) => ({
      revoke: ({ handle }) => {
        asked.push(handle['name']!);
        return kind === 'gitlab' ? hanging.promise : Promise.resolve(dead);
      },
    }),
  });
  await expect.poll(() => told.length, { interval: 5, timeout: 10_000 }).toBe(1);
  expect(asked).toContain('g1');
  hanging.resolve(away);
  await expect.poll(() => asked.length, { interval: 5, timeout: 10_000 }).toBe(41);
  await revoking.close();
});

test('a log that does not answer holds up no revocation', async () => {
  for (let n = 0; n < 40; n += 1) await ended(`g${n}`);
  const parts = revoker(dead);
  const hanging = Promise.withResolvers<void>();
  const append: RevokerParts['append'] = async (events) => {
    await hanging.promise;
    await parts.append(events);
  };
  const revoking = startRevoking({ ...parts, append });
  await expect.poll(() => parts.asked.length, { interval: 5, timeout: 10_000 }).toBe(40);
  expect(parts.told).toEqual([]);
  hanging.resolve();
  await revoking.close();
  expect(parts.told).toHaveLength(40);
});

test('what is revoked by its handle needs no value', async () => {
  await ended('g1', { kind: 'vault', sealed: null });
  const { revoke, asked } = revoker({ result: 'dead', by: 'dead-already' });
  await revoke();
  expect(asked).toEqual([{ handle: { name: 'g1' } }]);
  expect(await grantStates(db)).toEqual({ g1: 'dead job-ended' });
});

test('a provider that is away is asked again with growing pauses; after a minute the log is told, once', async () => {
  await ended('g1');
  const { revoke, told, by, asked } = revoker(away, away, { ...away, afterMs: 4000 }, away);
  const askedAtS: number[] = [];
  for (let s = 0; s <= 120; s += 0.25) {
    by.nowMs = startMs + s * 1000;
    if ((await revoke()) > 0) askedAtS.push(s);
  }
  expect(askedAtS).toEqual([0, 0.5, 1.5, 5.5, 9.5, 17.5, 33.5, 60, 90, 120]);
  expect(asked).toHaveLength(askedAtS.length);
  expect(told).toMatchObject([
    {
      type: 'dev.cdeventsx.tripline-credential.outlived',
      id: 'access:g1:outlived:0',
      time: new Date(startMs + 60_000).toISOString(),
    },
  ]);
  expect((await rows())[0]).toMatchObject({ state: 'stuck', last_fault: 'http-500: GitHub is away' });
  expect(await countAlive(db, startMs + 60_000)).toMatchObject({ leftAlive: 1 });
});

test('a provider that asks for no pause at all is asked no sooner than otherwise', async () => {
  await ended('g1');
  const { revoke, by } = revoker({ ...away, afterMs: 0 }, { ...away, afterMs: -5000 }, { ...away, afterMs: 1000 });
  const askedAtS: number[] = [];
  for (let s = 0; s <= 20; s += 0.25) {
    by.nowMs = startMs + s * 1000;
    if ((await revoke()) > 0) askedAtS.push(s);
  }
  expect(askedAtS).toEqual([0, 0.5, 1.5, 3.5, 7.5, 15.5]);
});

test('what a provider says is noted, whatever it holds', async () => {
  await ended('g1');
  const { revoke } = revoker({ ...away, message: `\0\u001b[2Jno ${'x'.repeat(1_000_000)}` });
  await revoke();
  const { last_fault: fault, claimed_by: by } = (await rows())[0];
  expect(fault).toMatch(/^http-500: .*no x/);
  expect(fault).toHaveLength(500);
  expect(by).toBeNull();
});

test('what was left alive is dead once its provider says so, or long after it expired by itself', async () => {
  await ended('answered');
  await ended('expired', { expiresAtMs: startMs + 600_000 });
  const { revoke, told, by } = revoker(away, away, dead, away);
  await revoke();
  by.nowMs = startMs + 61_000;
  await revoke();
  by.nowMs = startMs + 659_000;
  await revoke();
  expect(Object.values(await grantStates(db)).sort()).toEqual(['dead job-ended', 'stuck job-ended']);
  by.nowMs = startMs + 3_700_000;
  await revoke();
  expect(await grantStates(db)).toEqual({ answered: 'dead job-ended', expired: 'dead job-ended' });
  const how = told.map(({ data }) => (data as Record<string, unknown>)['tripline.credential.dead_by']);
  expect(how.filter(Boolean).sort()).toEqual(['expired', 'revoked']);
});

test('while the log is away a dead credential keeps no value, and the log is told later', async () => {
  await ended('g1');
  const { revoke, told, by, asked } = revoker(dead);
  by.logIsAway = true;
  await revoke();
  expect((await rows())[0]).toMatchObject({ state: 'ending', sealed: null, dead_at: new Date(startMs) });
  expect(await countAlive(db, startMs + 1)).toMatchObject({ leftAlive: 0 });
  by.logIsAway = false;
  by.nowMs = startMs + 5000;
  await revoke();
  expect(asked).toHaveLength(1);
  expect(told).toMatchObject([{ id: 'access:g1:revoked:0', time: new Date(startMs).toISOString() }]);
  expect(await grantStates(db)).toEqual({ g1: 'dead job-ended' });
});

test('a revoker that freezes or is killed loses its claim, and what it does when it wakes harms nothing', async () => {
  await ended('g1');
  let wake: (answer: Revoked) => void = () => {};
  const frozen = revoker(new Promise<Revoked>((resolve) => (wake = resolve)));
  const asleep = frozen.revoke();
  await expect.poll(() => frozen.asked.length).toBe(1);
  const other = revoker(dead);
  // However far ahead the other's own clock is.
  other.by.nowMs = startMs + 10 * claimMs;
  expect(await other.revoke('00000000-0000-4000-8000-000000000002')).toBe(0);
  await claimsExpire();
  expect(await other.revoke('00000000-0000-4000-8000-000000000002')).toBe(1);
  expect(await grantStates(db)).toEqual({ g1: 'dead job-ended' });
  wake(away);
  await asleep;
  expect(await rows()).toMatchObject([{ state: 'dead', last_fault: null, claimed_by: null }]);
});

test('a claim that another took is not given back by the former', async () => {
  await ended('g1');
  let wake: (answer: Revoked) => void = () => {};
  const frozen = revoker(new Promise<Revoked>((resolve) => (wake = resolve)));
  const asleep = frozen.revoke();
  await expect.poll(() => frozen.asked.length).toBe(1);
  const other = revoker(new Promise<Revoked>(() => {}));
  await claimsExpire();
  void other.revoke('00000000-0000-4000-8000-000000000002');
  await expect.poll(() => other.asked.length).toBe(1);
  wake(away);
  await asleep;
  expect(await rows()).toMatchObject([{ claimed_by: '00000000-0000-4000-8000-000000000002', last_fault: null }]);
});

test('what nothing revokes any more and what no key opens wait, and say why', async () => {
  await ended('g1');
  const { revoke, by, told } = revoker(dead);
  by.minter = false;
  await revoke();
  expect((await rows())[0].last_fault).toMatch(
    /not-configured: nothing is configured any more that revokes github in production/,
  );
  await db.pool.query(`UPDATE access_credentials SET sealed = $1`, [
    createSeals(['another-key-of-seals']).seal('value', { grantId: 'g1', nth: 0 }),
  ]);
  by.minter = true;
  by.nowMs = startMs + 1000;
  await revoke();
  expect((await rows())[0].last_fault).toMatch(/broker.sealingKeys does not name/);
  expect(told).toEqual([]);
});

test('what is set ending while it runs is revoked at once, without being polled for', async () => {
  const parts = revoker(dead);
  const revoking = startRevoking({ ...parts, clock: systemClock });
  try {
    await expect.poll(async () => (await fresh.db.pool.query(listeners)).rowCount, { timeout: 10_000 }).toBe(1);
    for (const id of ['g1', 'g2', 'g3']) {
      await ended(id);
      const beganMs = performance.now();
      await expect
        .poll(async () => (await grantStates(db))[id], { interval: 5, timeout: 10_000 })
        .toBe('dead job-ended');
      expect(performance.now() - beganMs).toBeLessThan(5000);
    }
  } finally {
    await revoking.close();
  }
});
const listeners = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND query = 'LISTEN tripline_access'`;

test('while Postgres is away nothing is revoked, and all of it once that is back', async () => {
  const parts = revoker(dead);
  let isAway = true;
  const away: Db = {
    ...db,
    pool: new Proxy(db.pool, {
      get: (pool, name) => {
        if (name === 'query' && isAway) return () => Promise.reject(new Error('the database is away'));
        const value = Reflect.get(pool, name);
        return typeof value === 'function' ? value.bind(pool) : value;
      },
    }),
  };
  await ended('g1');
  const revoking = startRevoking({ ...parts, db: away, clock: systemClock });
  try {
    await expect(revokeDue({ ...parts, db: away }, 'nobody')).rejects.toThrow(/away/);
    expect(parts.asked).toEqual([]);
    isAway = false;
    await expect
      .poll(async () => (await grantStates(db))['g1'], { interval: 10, timeout: 10_000 })
      .toBe('dead job-ended');
    expect(parts.asked).toHaveLength(1);
  } finally {
    await revoking.close();
  }
});
