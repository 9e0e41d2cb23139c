import { readLock } from '@tripline/access/lock';
import { readPolicies } from '@tripline/access/policy';
import type { TriplineEvent } from '@tripline/contracts/event';
import { parseEvent } from '@tripline/contracts/event';
import { createLogger } from '@tripline/runtime/logger';
import { forbidden, standingAnswers, startStandingGitHub } from '@tripline/testing/fakes/github-standing';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { CurrentPolicies } from './local-policies.ts';
import { lookIfDue, startStandingLooks } from './standing.ts';

const dayMs = 86_400_000;
let nowMs = Date.parse('2026-11-28T12:00:00Z');
const clock = { nowMs: () => nowMs, pause: async () => {} };
let database: Awaited<ReturnType<typeof freshDatabase>>;
let github: Awaited<ReturnType<typeof startStandingGitHub>>;
let told: TriplineEvent[];
let append: (events: readonly TriplineEvent[]) => Promise<unknown>;

beforeAll(async () => {
  database = await freshDatabase();
  github = await startStandingGitHub();
});
afterAll(async () => {
  await github.close();
  await database.close();
});
beforeEach(async () => {
  told = [];
  append = async (events) => told.push(...events);
  for (const key of Object.keys(github.answers)) delete github.answers[key];
  Object.assign(github.answers, standingAnswers());
  await database.db.pool.query('DELETE FROM standing_privileges; DELETE FROM standing_looks');
});

const policies = readPolicies(`
audience: https://access.acme.example
tiers: { production: [production], staging: [staging] }
policies:
  deploy:
    tier: staging
    who: { github: { repository: acme/api, caller: .github/workflows/ci.yml@refs/heads/main, events: [push], ref: refs/heads/main, environment: staging } }
    give: [{ github: { repositories: [acme/api], permissions: { contents: write } } }]
  release:
    tier: production
    who: { github: { repository: acme/api, caller: .github/workflows/ci.yml@refs/heads/main, events: [push], ref: refs/heads/main, environment: production } }
    needs: { reviewed: true, promotedFrom: staging }
    give: [{ github: { repositories: [acme/api], permissions: { deployments: write } } }]
`);
const lock = readLock(`github: { acme/api: { id: '74', owner: '65' } }`);
const parts = () => ({
  config: {
    github: { apiUrl: github.url, token: 'reads', hooks: [] } as never,
    drills: false,
    broker: { policy: { file: 'access.yaml' } } as never,
    workspaces: [{ id: 'acme', github: { organizations: [{ login: 'acme' }] } }] as never,
  },
  ...{ db: database.as('broker'), clock, logger: createLogger({ service: 'broker', level: 'silent' }), append },
  policies: (): ReturnType<CurrentPolicies> => ({ file: policies, lock, sha256: 'a', revision: null }),
});
const look = () => lookIfDue(parts(), 'acme');
const of = (id: string) => told.filter(({ data }) => (data as Record<string, unknown>)['tripline.standing.id'] === id);

test('tells the log of what stands, once a day and only of what is other than it was', async () => {
  expect(await look()).toBe(true);
  for (const event of told) parseEvent(event);
  expect(told.map(({ data }) => (data as Record<string, unknown>)['tripline.standing.id']).sort()).toEqual([
    ...['deploy-key/74/12', 'deploy-key/74/13', 'environment/74/31', 'environment/74/32', 'fine-grained-token/25'],
    ...['runner-group/acme/1', 'runner-group/acme/2'],
    ...['secret/74/DEPLOY_KEY', 'secret/74/PROD_KEY@production', 'secret/@acme/NPM_TOKEN'],
  ]);
  expect(of('deploy-key/74/12')[0]?.data).toMatchObject({
    ...{ 'tripline.standing.idle_since': '2026-01-01T00:00:00.000Z', 'tripline.standing.covered_by': 'deploy' },
    ...{ 'vcs.repository.name': 'acme/api', 'vcs.repository.id': '74', 'tripline.standing.owner': 'ada' },
  });
  expect(of('secret/74/DEPLOY_KEY')[0]?.data).toMatchObject({ 'tripline.standing.tiers': ['production', 'staging'] });
  expect(of('secret/74/PROD_KEY@production')[0]?.data).not.toHaveProperty(['tripline.standing.tiers']);
  expect(of('environment/74/31')[0]?.data).toMatchObject({
    ...{ 'vcs.repository.id': '74', 'tripline.standing.name': 'production' },
    'tripline.standing.promoted_from': ['staging'],
  });
  expect(of('environment/74/32')[0]?.data).toMatchObject({ 'tripline.standing.promoted_from': [] });
  told.length = 0;
  expect(await look()).toBe(false);
  nowMs += dayMs;
  expect(await look()).toBe(true);
  expect(told).toEqual([]);
  // So that the detector does not forget it.
  nowMs += 7 * dayMs;
  await look();
  expect(told.length).toBe(10);
});

test('while policies that are configured cannot be read there is no look: what they cover would seem to be uncovered', async () => {
  expect(await lookIfDue({ ...parts(), policies: () => ({ fault: 'it was not read yet' }) }, 'acme')).toBe(false);
  expect(await look()).toBe(true);
});

test('what is gone is told once, and what may merely not have been read is not gone', async () => {
  await look();
  told.length = 0;
  github.answers['/repos/acme/api/keys'] = forbidden;
  github.answers['/orgs/acme/personal-access-tokens'] = [];
  nowMs += dayMs;
  await look();
  expect(told.map(({ data }) => data)).toEqual([
    expect.objectContaining({ 'tripline.standing.id': 'fine-grained-token/25', 'tripline.standing.gone': true }),
  ]);
  told.length = 0;
  github.answers['/repos/acme/api/keys'] = [];
  nowMs += dayMs;
  await look();
  expect(told.map(({ id }) => id.split(':')[2]).sort()).toEqual(['deploy-key/74/12', 'deploy-key/74/13']);
});

test('a look that cannot be told or read is made again within the hour, and tells the same', async () => {
  append = async () => {
    throw new Error('the log is away');
  };
  await expect(look()).rejects.toThrow('the log is away');
  append = async (events) => told.push(...events);
  nowMs += 3_599_000;
  expect(await look()).toBe(false);
  nowMs += 1000;
  expect(await look()).toBe(true);
  expect(told.length).toBe(10);
  nowMs += dayMs;
  github.answers['/orgs/acme/repos'] = { status: 401, body: '{"message":"Bad credentials"}' };
  expect(await look()).toBe(true);
  const { rows } = await database.db.pool.query('SELECT fault FROM standing_looks');
  expect(rows).toEqual([{ fault: expect.stringContaining('401') }]);
});

test('a broker that stops ends its reading, though GitHub does not answer', async () => {
  let isAsked = () => {};
  const asked = new Promise<void>((resolve) => {
    isAsked = resolve;
  });
  const fetch: typeof globalThis.fetch = (_, init) => {
    isAsked();
    return new Promise((_resolve, reject) => {
      init?.signal?.addEventListener('abort', () => reject(init.signal?.reason));
      if (init?.signal?.aborted) reject(init.signal.reason);
    });
  };
  const looks = startStandingLooks({ ...parts(), fetch });
  await asked;
  await looks.close();
  expect(told).toEqual([]);
});
