import type { Db } from '@tripline/db/database';
import { endGrants } from '@tripline/db/end-grants';
import { inTransaction } from '@tripline/db/transaction';
import type { GiveKind } from '@tripline/integrations/minter';
import { type Stream, StreamUnavailableError } from '@tripline/stream/stream';
import { fakeStream } from '@tripline/testing/fakes/stream';
import { openAs } from '@tripline/testing/postgres/fresh-database';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { type Send, type Statement, throughQueries } from '@tripline/testing/postgres/queries';
import { fakeMinter, type Issuer, startBroker, startIssuer } from '@tripline/testing/services/broker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Gather } from './asking.ts';
import { createSeals } from './seal.ts';
import { lockEnds, noteEnds } from './store/ends.ts';

/**
 * What a job is given though the broker dies, or Postgres or the log fail, at any one of its calls: nothing that the log does not
 * name, and nothing is alive of which nobody knows.
 */
const policies = `
audience: https://access.acme.example
tiers: { production: [production] }
policies:
  deploy-api:
    tier: production
    who: { github: { repository: acme/api, caller: .github/workflows/release.yml@refs/heads/main, workflow: acme/deploy/.github/workflows/deploy.yml@refs/heads/main, events: [push], ref: refs/heads/main } }
    needs: { reviewed: true }
    give:
      - { github: { repositories: [acme/api], permissions: { contents: read } } }
      - { vault: { role: deploy, for: 30m } }
`;
const gather: Gather = async () => ({
  known: {
    ...{ job: 'running', fork: false, reviewed: { is: 'reviewed', why: 'approved by bea' }, deployedTo: [] },
    ...{ runner: undefined, incidents: [], address: '127.0.0.1', approval: undefined },
  },
  things: [],
});
/** All these jobs are of one policy, and ask from here. */
const limits = { grantsPerHour: 10_000, rate: { perSecond: 1000, burst: 1000 } };
const seals = createSeals(['a-key-of-seals-for-tests-alone']);

let issuer: Issuer;
let database: Awaited<ReturnType<typeof freshDatabase>>;
let next: Awaited<ReturnType<typeof startBroker>>;
beforeAll(async () => {
  issuer = await startIssuer();
  database = await freshDatabase();
  const minter = fakeMinter('github');
  next = await startBroker(
    { db: database.as('broker'), stream: fakeStream(), issuer },
    { gives: true, policies, seams: { gather, minters: { of: () => minter as never } }, settings: { broker: limits } },
  );
});
afterAll(async () => {
  await next.close();
  await issuer.close();
  await database.close();
});

/**
 * `freezes`: it stops there for good, as a process that is killed, whose transaction Postgres rolls back. `fails`: that one call
 * throws. `stays-away`: that one and all that follow.
 */
type Manner = 'freezes' | 'fails' | 'stays-away';
type Death = { at: number; when: 'before' | 'after'; manner: Manner };

/** Counts calls to Postgres, log and providers, once it is asked to, and has one of them end as `death` says. */
function mortal(death: Death | undefined) {
  let counts = false;
  let calls = 0;
  let isOver = false;
  const struck = Promise.withResolvers<void>();
  const buried = Promise.withResolvers<void>();
  async function strike(undo?: () => Promise<unknown>): Promise<void> {
    isOver = death!.manner !== 'fails';
    if (death!.manner === 'freezes') {
      await undo?.();
      struck.resolve();
      await buried.promise;
    }
    throw new StreamUnavailableError('it is away');
  }
  async function call<T>(work: () => Promise<T>, undo?: () => Promise<unknown>): Promise<T> {
    if (isOver) await strike(undo);
    if (!counts) return work();
    calls += 1;
    const isHere = calls === death?.at;
    if (isHere && death.when === 'before') await strike(undo);
    const result = await work();
    if (isHere && death.when === 'after') await strike(undo);
    return result;
  }
  const count = () => {
    counts = true;
  };
  return { call, count, calls: () => calls, struck: struck.promise, bury: () => buried.resolve() };
}

function through(db: Db, { call }: ReturnType<typeof mortal>): Db {
  return throughQueries(db, (send: Send, of) => {
    const undo = of === 'client' ? () => send('ROLLBACK') : undefined;
    return (statement: Statement, ...more) =>
      statement === 'ROLLBACK' ? send(statement) : call(() => send(statement, ...more), undo);
  });
}

let jobs = 0;

async function play(death?: Death) {
  jobs += 1;
  const job = String(jobs);
  const jobKey = `acme/github/github.com/74/9/2/${job}`;
  const life = mortal(death);
  const victimDb = openAs(database.db, 'broker');
  const log = fakeStream();
  const stream = { ...log, append: (records: never) => life.call(() => log.append(records)) } as unknown as Stream;
  const minters = { github: fakeMinter('github'), vault: fakeMinter('vault') };
  const alive = () => [...minters.github.alive, ...minters.vault.alive];
  const of = (kind: GiveKind) => {
    const minter = minters[kind as 'github' | 'vault'];
    // What it revokes in place is revoked, wherever else it fails: providers are not ours.
    const unclear = { result: 'unknown', reason: 'no-answer', message: 'no answer came' } as const;
    return { ...minter, mint: (order: never) => life.call(() => minter.mint(order)).catch(() => unclear) } as never;
  };
  const options = { gives: true, policies, seams: { gather, minters: { of } }, settings: { broker: limits } };
  const victim = await startBroker({ db: through(victimDb, life), stream, issuer }, options);
  const token = await issuer.token({ check_run_id: job });
  // What it asks as it starts is nobody's grant.
  life.count();
  const answered = victim.ask(token);
  const answer = await Promise.race([answered, life.struck.then(() => undefined)]);

  const rows = async () =>
    (
      await database.db.pool.query<{ id: string; nth: number; state: string; sealed: Buffer | null; ending: boolean }>(
        `SELECT g.id, c.nth, c.state, c.sealed, g.ending_at IS NOT NULL AS ending FROM access_grants g
         JOIN access_credentials c ON c.grant_id = g.id WHERE g.job_key = $1`,
        [jobKey],
      )
    ).rows;
  const kept = await rows();
  const recorded = kept.flatMap(({ id, nth, sealed }) =>
    sealed === null ? [] : [seals.open(sealed, { grantId: id, nth })],
  );
  const unknown = alive().filter((value) => !recorded.includes(value));
  const minting = kept.filter(({ state }) => state === 'minting');
  const told = log.appended.filter(({ headers }) => headers['ce_type']?.endsWith('credential.minted'));

  if (answer?.status === 201)
    expect(told.map(({ headers }) => headers['ce_id'])).toEqual(
      [0, 1].map((nth) => `access:${answer.body['grant']}:minted:${nth}`),
    );
  else {
    expect(JSON.stringify(answer?.body ?? {})).not.toContain('canary-');
    // What lives on is written down as being minted: the sweep finds it; and whoever could still act has it revoked.
    expect(unknown.length).toBeLessThanOrEqual(minting.length);
    const isAlive = ({ id, nth, sealed }: (typeof kept)[number]) =>
      sealed !== null && alive().includes(seals.open(sealed, { grantId: id, nth }));
    if (death?.manner !== 'freezes')
      expect(kept.filter((row) => row.state === 'live' && !row.ending && isAlive(row))).toEqual([]);
  }

  // Another broker answers the job, whatever became of the first, and the former grant is to end.
  expect((await next.ask(await issuer.token({ check_run_id: job }))).status).toBe(201);
  const standing = (await rows()).filter(({ ending }) => !ending);
  expect(new Set(standing.map(({ id }) => id)).size).toBe(1);
  expect(standing.map(({ state }) => state)).toEqual(['live', 'live']);
  // The job ends: nothing of it is live.
  await inTransaction(database.db, async (client) => {
    await lockEnds(client, [jobKey]);
    await noteEnds(client, [{ of: 'job', key: jobKey, endedAtMs: Date.now() }], Date.now());
    await endGrants(client, { jobs: [jobKey] }, { why: 'job-ended', atMs: Date.now() });
  });
  expect((await rows()).filter(({ state }) => state === 'live')).toEqual([]);

  life.bury();
  await answered.catch(() => {});
  await victim.close();
  await victimDb.close();
  return { status: answer?.status, calls: life.calls() };
}

/** How many of a job's grants do not end, once it has asked again and its broker died at one of its calls. */
async function playAgain(death: Death) {
  jobs += 1;
  const job = String(jobs);
  const life = mortal(death);
  const victimDb = openAs(database.db, 'broker');
  const minter = fakeMinter('github');
  const seams = {
    gather,
    minters: { of: () => ({ ...minter, mint: (order: never) => life.call(() => minter.mint(order)) }) as never },
  };
  const options = { gives: true, policies, seams, settings: { broker: limits } };
  expect((await next.ask(await issuer.token({ check_run_id: job }))).status).toBe(201);
  const victim = await startBroker({ db: through(victimDb, life), stream: fakeStream(), issuer }, options);
  const token = await issuer.token({ check_run_id: job });
  life.count();
  const answered = victim.ask(token);
  await Promise.race([answered, life.struck]);
  const { rows } = await database.db.pool.query(`SELECT FROM access_grants WHERE job_key = $1 AND ending_at IS NULL`, [
    `acme/github/github.com/74/9/2/${job}`,
  ]);
  life.bury();
  await answered.catch(() => {});
  await victim.close();
  await victimDb.close();
  return { standing: rows.length, calls: life.calls() };
}

test('at each call of a job that asks again: of its grants one stands at most', async () => {
  const { calls } = await playAgain({ at: 1000, when: 'after', manner: 'freezes' });
  expect(calls).toBeGreaterThanOrEqual(7);
  for (let at = 1; at <= calls; at += 1)
    expect({ at, ...(await playAgain({ at, when: 'after', manner: 'freezes' })), calls }).toEqual({
      ...{ at, standing: 1, calls },
    });
}, 120_000);

test('at each call of a grant: nothing is handed out that the log does not name, and nothing lives that nobody knows of', async () => {
  const { status, calls } = await play();
  expect(status).toBe(201);
  // Spent, written down, asked whether it is stopped, minted and recorded twice, told to the log.
  expect(calls).toBeGreaterThanOrEqual(9);
  const statuses = new Map<string, number>();
  // Before a call a process stands where it stood after the one before.
  const deaths = Array.from({ length: calls }, (_, nth) => nth + 1).flatMap((at): Death[] => [
    { at, when: 'after', manner: 'freezes' },
    { at, when: 'after', manner: 'fails' },
    { at, when: 'before', manner: 'stays-away' },
  ]);
  for (const death of deaths) {
    const died = await play(death).catch((error) => {
      throw new Error(`${JSON.stringify(death)}: ${error.message}`);
    });
    const key = `${death.manner} ${died.status}`;
    statuses.set(key, (statuses.get(key) ?? 0) + 1);
  }
  // A process that was killed answers nothing, and one that cannot write gives nothing.
  expect([...statuses.keys()].filter((key) => key.endsWith('201'))).toEqual([]);
  expect(statuses.get('freezes undefined')).toBe(calls);
}, 120_000);
