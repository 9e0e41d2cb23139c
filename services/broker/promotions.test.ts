import { readLock } from '@tripline/access/lock';
import { readPolicies } from '@tripline/access/policy';
import type { Attributes } from '@tripline/contracts/attributes';
import { type EventData, parseEvent, type TriplineEvent } from '@tripline/contracts/event';
import { environmentPromotions, promotedAt } from '@tripline/facts/environment-promotions';
import { createLogger } from '@tripline/runtime/logger';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { CurrentPolicies } from './local-policies.ts';
import { startPromotions } from './promotions.ts';

const dayMs = 86_400_000;
const startMs = Date.parse('2026-11-28T12:00:00Z');
let nowMs: number;
let database: Awaited<ReturnType<typeof freshDatabase>>;
let told: TriplineEvent[];
let append: (events: readonly TriplineEvent[]) => Promise<unknown>;
let policies: ReturnType<CurrentPolicies>;
let open: ReturnType<typeof startPromotions>[];

beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
  [nowMs, told, open, policies] = [startMs, [], [], version('staging')];
  append = async (events) => told.push(...events);
  await database.db.pool.query('DELETE FROM access_promotions_told');
});
afterEach(async () => {
  for (const one of open) await one.close();
});

function version(from: string | undefined, more = ''): ReturnType<CurrentPolicies> {
  const file = readPolicies(`
audience: https://access.acme.example
tiers: { production: [Production], staging: [staging] }
policies:
  release:
    tier: production
    who: { github: { repository: acme/api, caller: .github/workflows/ci.yml@refs/heads/main, events: [push], ref: refs/heads/main, environment: production } }
    ${from === undefined ? '' : `needs: { promotedFrom: ${from} }`}
    give: [{ github: { repositories: [acme/api], permissions: { deployments: write } } }]
${more}`);
  const lock = readLock(`github: { acme/api: { id: '74', owner: '65' }, other/web: { id: '75', owner: '66' } }`);
  return { file, lock, sha256: `${from}${more}`, revision: null };
}
const ofStaging = (repository: string) => `
  try:
    tier: staging
    who: { github: { repository: ${repository}, caller: .github/workflows/ci.yml@refs/heads/main, events: [push], ref: refs/heads/main } }
    give: [{ github: { repositories: [acme/api], permissions: { contents: read } } }]`;

/** A broker as it starts, whose first look is over; `look` is its next. */
async function start(policy: object | null = { repository: 'acme/access' }) {
  const pause = (_: number, signal?: AbortSignal) =>
    new Promise<void>((end) => (signal?.aborted ? end() : signal?.addEventListener('abort', () => end())));
  const broker = startPromotions({
    config: {
      github: { apiUrl: 'https://api.github.com', hooks: [] } as never,
      drills: false,
      broker: { policy: policy ?? undefined, aws: [], vault: [] } as never,
      workspaces: [{ id: 'acme', github: { organizations: [{ login: 'acme' }] } }] as never,
    },
    ...{ db: database.as('broker'), clock: { nowMs: () => nowMs, pause } },
    ...{ logger: createLogger({ service: 'broker', level: 'silent' }), policies: () => policies },
    append: (events) => append(events),
  });
  open.push(broker);
  await broker.look().catch(() => {});
  await broker.look().catch(() => {});
  return broker;
}
const said = () =>
  told.map(({ time, data }) => {
    const of = data as EventData<'dev.cdeventsx.tripline-promotion.changed'>;
    const from = of['tripline.policy.promoted_from']?.join(',') ?? 'no policy';
    return `${time.slice(5, 16)} ${of['vcs.repository.id']} ${of['deployment.environment.name']}: ${from || 'anywhere'}`;
  });
const once = () => [...new Set(said())];

test('what policies say is told as they come into force, and nothing else: what became stricter, laxer, or is of no policy', async () => {
  policies = version('staging', ofStaging('acme/api'));
  const broker = await start();
  for (const event of told) parseEvent(event);
  expect(once()).toEqual(['11-28T12:00 74 production: staging', '11-28T12:00 74 staging: anywhere']);
  told.length = 0;
  nowMs += 60_000;
  await broker.look();
  expect(told).toEqual([]);
  policies = version(undefined);
  await broker.look();
  expect(said()).toEqual(['11-28T12:01 74 production: anywhere', '11-28T12:01 74 staging: no policy']);
  told.length = 0;
  policies = version('staging');
  nowMs += 60_000;
  await broker.look();
  expect(said()).toEqual(['11-28T12:02 74 production: staging']);
});

test('a broker that starts tells what is other than the log has it, and nothing again', async () => {
  await start();
  told.length = 0;
  await start();
  expect(told).toEqual([]);
  policies = version(undefined);
  await start();
  expect(once()).toEqual(['11-28T12:00 74 production: anywhere']);
  told.length = 0;
  // Without any policies nothing is promoted by them.
  await start(null);
  expect(once()).toEqual(['11-28T12:00 74 production: no policy']);
});

test('what the log could not take is told later, as of when the policies came into force', async () => {
  append = async () => {
    throw new Error('the log is away');
  };
  const broker = await start();
  nowMs += 3_600_000;
  await expect(broker.look()).rejects.toThrow('the log is away');
  append = async (events) => told.push(...events);
  await broker.look();
  expect(said()).toEqual(['11-28T12:00 74 production: staging']);
});

test('it is told again each week, but not by a broker that has other policies than it was told of', async () => {
  const [broker] = [await start()];
  told.length = 0;
  nowMs += 7 * dayMs;
  await broker.look();
  expect(said()).toEqual(['12-05T12:00 74 production: staging']);
  policies = version(undefined);
  await start();
  told.length = 0;
  policies = version('staging');
  nowMs += 7 * dayMs;
  await broker.look();
  expect(told).toEqual([]);
});

test('policies that cannot be read take nothing back, and what no workspace has is told nobody', async () => {
  const broker = await start();
  told.length = 0;
  policies = { fault: 'it was not read yet' };
  await broker.look();
  expect(told).toEqual([]);
  policies = version('staging', ofStaging('other/web'));
  await broker.look();
  expect(told).toEqual([]);
});

test('all environments of a tier are told, however many: what comes from one that is left out would be found', async () => {
  const now = version('staging') as Extract<ReturnType<CurrentPolicies>, { sha256: string }>;
  const staging = Array.from({ length: 200 }, (_, nth) => `staging-${nth}`);
  policies = { ...now, file: { ...now.file, tiers: { ...now.file.tiers, staging } } };
  await start();
  const [event] = told.map(parseEvent);
  expect((event!.data as Attributes)['tripline.policy.promoted_from']?.toSorted()).toEqual(staging.toSorted());
  const known = environmentPromotions.learn(
    undefined,
    { ...event!, receivedAt: event!.time } as never,
    { nowMs } as never,
  );
  expect(promotedAt(known, nowMs)?.toSorted()).toEqual(staging.toSorted());
});
