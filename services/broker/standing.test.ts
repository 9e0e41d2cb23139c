import { readLock } from '@tripline/access/lock';
import { readPolicies } from '@tripline/access/policy';
import type { Standing, StandingLook } from '@tripline/access/standing';
import type { TriplineEvent } from '@tripline/contracts/event';
import { parseEvent } from '@tripline/contracts/event';
import { createLogger } from '@tripline/runtime/logger';
import { forbidden, standingAnswers, startStandingGitHub } from '@tripline/testing/fakes/github-standing';
import { startFakeService } from '@tripline/testing/integration.conformance';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { CurrentPolicies } from './local-policies.ts';
import { githubPlace, lookIfDue, startStandingLooks } from './standing.ts';
import { placesElsewhere, type StandingPlace } from './standing-elsewhere.ts';

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

/** Of each kind that GitHub tells, by ids. */
const everything = [
  ...['app/7', 'dependabot-secret/74/REGISTRY', 'deploy-key/74/12', 'deploy-key/74/13'],
  ...['environment/74/31', 'environment/74/32', 'fine-grained-token/25', 'member/2', 'oidc-subject/acme'],
  ...['organization-right/65/base', 'organization-right/65/second-factor', 'organization-role/8'],
  ...['outside-collaborator/3', 'owner/1', 'runner-group/acme/1', 'runner-group/acme/2', 'runner/acme/11'],
  ...['secret/74/DEPLOY_KEY', 'secret/74/PROD_KEY@production', 'secret/@acme/NPM_TOKEN', 'team/4'],
].sort();

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
    give: [{ github: { repositories: [acme/api], permissions: { deployments: write } } }, { aws: { role: 'arn:aws:iam::111122223333:role/deploy', for: 30m } }]
people:
  fixing: { who: [eve], repositories: [acme/api], permission: admin, for: 60m, approvedBy: [ada] }
`);
const lock = readLock(`
github: { acme/api: { id: '74', owner: '65' } }
people: { eve: { id: '3' }, ada: { id: '1' } }`);
const parts = () => ({
  config: {
    github: { apiUrl: github.url, token: 'reads', hooks: [] } as never,
    drills: false,
    broker: { policy: { file: 'access.yaml' }, aws: [], vault: [] } as never,
    workspaces: [{ id: 'acme', github: { organizations: [{ login: 'acme' }] } }] as never,
  },
  ...{ db: database.as('broker'), clock, logger: createLogger({ service: 'broker', level: 'silent' }), append },
  policies: (): ReturnType<CurrentPolicies> => ({ file: policies, lock, sha256: 'a', revision: null }),
});
const look = (more: object = {}) => lookIfDue({ ...parts(), ...more }, githubPlace(parts(), 'acme')!);
const of = (id: string) => told.filter(({ data }) => (data as Record<string, unknown>)['tripline.standing.id'] === id);

test('tells the log of what stands, once a day and only of what is other than it was', async () => {
  expect(await look()).toBe(true);
  for (const event of told) parseEvent(event);
  expect(told.map(({ data }) => (data as Record<string, unknown>)['tripline.standing.id']).sort()).toEqual(everything);
  expect(of('deploy-key/74/12')[0]?.data).toMatchObject({
    ...{ 'tripline.standing.idle_since': '2026-01-01T00:00:00.000Z', 'tripline.standing.covered_by': 'deploy' },
    ...{ 'vcs.repository.name': 'acme/api', 'vcs.repository.id': '74', 'tripline.standing.owner': 'ada' },
  });
  expect(of('secret/74/DEPLOY_KEY')[0]?.data).toMatchObject({ 'tripline.standing.tiers': ['production', 'staging'] });
  expect(of('secret/74/PROD_KEY@production')[0]?.data).not.toHaveProperty(['tripline.standing.tiers']);
  expect(of('environment/74/31')[0]?.data).toMatchObject({
    ...{ 'vcs.repository.id': '74', 'tripline.standing.name': 'production' },
  });
  told.length = 0;
  expect(await look()).toBe(false);
  nowMs += dayMs;
  expect(await look()).toBe(true);
  expect(told).toEqual([]);
  // So that the detector does not forget it.
  nowMs += 7 * dayMs;
  await look();
  expect(told.length).toBe(everything.length);
});

test('while policies that are configured cannot be read there is no look: what they cover would seem to be uncovered', async () => {
  expect(await look({ policies: () => ({ fault: 'it was not read yet' }) })).toBe(false);
  expect(await look()).toBe(true);
});

test('of people, apps and the rest the last use is not known, and nobody is said to be idle; an outsider’s right that they may ask for is covered', async () => {
  await look();
  const idle = told.filter(
    ({ data }) => (data as Record<string, unknown>)['tripline.standing.idle_since'] !== undefined,
  );
  const kinds = idle.map(({ data }) => (data as Record<string, unknown>)['tripline.standing.kind']);
  expect(new Set(kinds)).toEqual(new Set(['deploy-key', 'fine-grained-token']));
  expect(of('outside-collaborator/3')[0]?.data).toMatchObject({ 'tripline.standing.covered_by': 'people.fixing' });
  expect(of('owner/1')[0]?.data).not.toHaveProperty(['tripline.standing.covered_by']);
});

test('that a key is used each day is told no more often than what never changes', async () => {
  const keys = '/repos/acme/api/keys';
  const [first] = github.answers[keys] as Record<string, unknown>[];
  const usedAt = (ms: number) => {
    github.answers[keys] = [{ ...first, last_used: new Date(ms).toISOString() }];
  };
  usedAt(nowMs - 3_600_000);
  await look();
  told.length = 0;
  nowMs += dayMs;
  usedAt(nowMs - 3_600_000);
  await look();
  expect(of('deploy-key/74/12')).toEqual([]);
  usedAt(nowMs - 91 * dayMs);
  nowMs += dayMs;
  await look();
  expect(of('deploy-key/74/12')).toHaveLength(1);
});

test('what is elsewhere is told likewise: who uses a role, what gives it, and which tiers it lets in', async () => {
  await look();
  told.length = 0;
  const role = (name: string, more: object): Standing => ({
    ...{ kind: 'aws-role', id: `aws-role/arn:aws:iam::111122223333:role/${name}`, name, owner: null },
    ...{ repositories: ['acme/api'], scope: [], createdAt: '2024-01-01T00:00:00.000Z', expiresAt: null },
    ...{ lastUse: 'never', seenAs: null, usedBy: [], environments: [], traits: ['every-job-of-repository'], ...more },
  });
  let gaps: StandingLook['gaps'] = [];
  let rows: Standing[] = [role('deploy', {}), role('narrow', { traits: [], lastUse: 'unknown' })];
  const read = async () => ({ rows, gaps });
  const place: StandingPlace = { name: 'aws production', workspace: 'acme', isElsewhere: true, read };
  expect(await lookIfDue(parts(), place)).toBe(true);
  for (const event of told) parseEvent(event);
  const [deploy, narrow] = rows.map(({ id }) => of(id)[0]!.data);
  expect(deploy).toMatchObject({
    ...{ 'tripline.standing.kind': 'aws-role', 'tripline.standing.idle_since': '2024-01-01T00:00:00.000Z' },
    ...{ 'tripline.standing.covered_by': 'release', 'tripline.standing.tiers': ['production', 'staging'] },
  });
  expect(narrow).not.toHaveProperty(['tripline.standing.idle_since']);
  expect(narrow).not.toHaveProperty(['tripline.standing.tiers']);
  told.length = 0;
  rows = [];
  gaps = [{ what: 'AWS roles', why: 'denied', remedy: 'allow iam:ListRoles', kinds: ['aws-role'] }];
  nowMs += dayMs;
  await lookIfDue(parts(), place);
  expect(told).toEqual([]);
  gaps = [];
  nowMs += dayMs;
  await lookIfDue(parts(), place);
  expect(told.map(({ data }) => (data as Record<string, unknown>)['tripline.standing.gone'])).toEqual([true, true]);
});

const elsewhere = (id: string): Standing => ({
  ...{ kind: id.split('/')[0] as Standing['kind'], id, name: id, owner: null, repositories: ['acme/api'], scope: [] },
  ...{ createdAt: null, expiresAt: null, lastUse: 'unknown', seenAs: null, usedBy: [], environments: [], traits: [] },
});
const lookElsewhere = (name: string, what: StandingLook) =>
  lookIfDue(parts(), { name, workspace: 'acme', isElsewhere: true, read: async () => what });
const gone = () =>
  told.flatMap(({ data }) => {
    const of = data as Record<string, unknown>;
    return of['tripline.standing.gone'] === true ? [of['tripline.standing.id']] : [];
  });

test('where settings name another tier, the place goes on: what is there no more is told, and what is elsewhere stays', async () => {
  const [one, two, three] = ['1/deploy', '1/old', '2/other'].map((name) => elsewhere(`aws-role/${name}`));
  const covers = ['aws-role/1/'];
  await lookElsewhere('aws production', { rows: [one!, two!], gaps: [], covers });
  await lookElsewhere('aws dev', { rows: [three!], gaps: [], covers: ['aws-role/2/'] });
  told.length = 0;
  nowMs += dayMs;
  await lookElsewhere('aws production and staging', { rows: [one!], gaps: [], covers });
  // The former place may still be one.
  expect(gone()).toEqual([]);
  nowMs += 2 * dayMs;
  const denied = { what: 'AWS roles', why: 'denied', remedy: 'allow it', kinds: ['aws-role' as const] };
  await lookElsewhere('aws production and staging', { rows: [], gaps: [denied], covers });
  expect(gone()).toEqual([]);
  nowMs += dayMs;
  await lookElsewhere('aws production and staging', { rows: [one!], gaps: [], covers });
  expect(gone()).toEqual(['aws-role/1/old']);
  const kept = async () =>
    (
      await database.db.pool.query('SELECT organization || $1 || id AS kept FROM standing_privileges ORDER BY 1', [' '])
    ).rows.map(({ kept }) => kept);
  expect(await kept()).toEqual(['aws dev aws-role/2/other', 'aws production and staging aws-role/1/deploy']);
  // What nobody looks at any more is not said to be gone, and forgotten as the detector does.
  nowMs += 60 * dayMs;
  await lookElsewhere('aws production and staging', { rows: [one!], gaps: [], covers });
  expect(await kept()).toEqual(['aws production and staging aws-role/1/deploy']);
  expect(gone()).toEqual(['aws-role/1/old']);
  const { rows } = await database.db.pool.query('SELECT organization FROM standing_looks');
  expect(rows).toEqual([{ organization: 'aws production and staging' }]);
});

test('what one organisation has reaches its own environments alone, whatever another of the workspace has', async () => {
  await look();
  told.length = 0;
  const secret = 'secret/@other/NPM_TOKEN';
  const rows: Standing[] = [
    {
      ...{ kind: 'secret', id: secret, name: 'NPM_TOKEN', owner: null, repositories: 'all', scope: [] },
      ...{
        createdAt: null,
        expiresAt: null,
        lastUse: 'unknown',
        seenAs: null,
        usedBy: [],
        traits: [],
        environments: [],
      },
    },
  ];
  await lookIfDue(parts(), { name: 'other', workspace: 'acme', read: async () => ({ rows, gaps: [] }) });
  expect(of(secret)[0]?.data).not.toHaveProperty(['tripline.standing.tiers']);
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
  expect(told.length).toBe(everything.length);
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

test('elsewhere it looks by the broker’s own settings, and asks nothing more once it stops', async () => {
  const vault = await startFakeService(({ path }) => {
    const answers: Record<string, object> = {
      '/v1/sys/auth': { data: { 'ci/': { type: 'jwt' }, 'token/': { type: 'token' } } },
      '/v1/auth/ci/config': { data: { bound_issuer: 'https://token.actions.githubusercontent.com' } },
      '/v1/auth/ci/role?list=true': { data: { keys: ['deploy'] } },
      '/v1/auth/ci/role/deploy': { data: { bound_claims: { repository: 'acme/api' }, token_policies: ['deploy'] } },
    };
    const body = answers[path];
    return body === undefined ? { status: 404, body: '{}' } : { status: 200, body: JSON.stringify(body) };
  });
  try {
    const closing = new AbortController();
    const settings = { aws: [], vault: [{ url: vault.url, token: 'a token of sixteen' }] } as never;
    const [place] = placesElsewhere(settings, { clock, workspace: 'acme', closed: closing.signal });
    const { rows, gaps } = await place!.read();
    expect([place!.workspace, gaps, rows.map(({ kind, name }) => `${kind} ${name}`)]).toEqual([
      ...['acme', [], ['vault-role deploy']],
    ]);
    closing.abort();
    const asked = vault.requests.length;
    await expect(place!.read()).rejects.toThrow('abort');
    expect(vault.requests.length).toBe(asked);
  } finally {
    await vault.close();
  }
});
