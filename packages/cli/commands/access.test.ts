import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { macOfPolicies } from '@tripline/broker/policy-mac';
import { keepPolicies } from '@tripline/broker/store/policies';
import { startStandingGitHub } from '@tripline/testing/fakes/github-standing';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { eventsOf } from '@tripline/testing/timeline/in-words';
import { at, toRecords } from '@tripline/testing/timeline/play';
import { addToTrail, makeTrailDays } from '@tripline/trail/trail';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { main } from '../main.ts';

let folder: string;
let database: Awaited<ReturnType<typeof freshDatabase>>;

const policies = `audience: https://access.acme.example
tiers: { production: [production], staging: [staging] }
policies:
  deploy-app:
    tier: production
    who:
      github:
        repository: acme/app
        caller: .github/workflows/ci.yml@refs/heads/main
        events: [push]
        ref: refs/heads/main
        environment: production
    needs: { reviewed: true, noIncident: high }
    give: [{ github: { repositories: [acme/app], permissions: { deployments: write } } }]
    tests:
      - { expect: granted }
      - { job: { ref: refs/heads/x }, expect: denied, because: [ref] }
`;
/** An hour ago, so that it lies within what is read. */
const beganMs = Date.now() - 3_600_000;
const timeline = `
  09:00     ada     opens #12 in acme/app from feat at h
  09:05     carol   approves #12 in acme/app
  09:10     carol   merges #12 in acme/app as m
  09:10:05  carol   starts run 7 of ci in acme/app at m (path .github/workflows/ci.yml)
  09:10:06  carol   starts job deploy of run 7 (to production)
  09:10:09  carol   finishes job deploy of run 7 (to production)
  09:20     mallory pushes evil to acme/app main
  09:20:05  mallory starts run 8 of ci in acme/app at evil (path .github/workflows/ci.yml)
  09:20:06  mallory starts job deploy of run 8 (to production)`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tripline-cli-access-'));
  writeFileSync(join(folder, 'access.yaml'), policies);
  database = await freshDatabase();
  const told = eventsOf(timeline);
  const shiftMs = beganMs - told[0]!.atMs;
  const data = { 'vcs.repository.id': '74', 'vcs.owner.id': '65' };
  const inventory = at(beganMs - 60_000, 'dev.cdeventsx.tripline-inventory.observed', {
    ...{ 'tripline.inventory.part': 1, 'tripline.inventory.parts': 1 },
    'tripline.inventory.protected': [{ repository: 'acme/app', patterns: ['main'] }],
  });
  const events = told.map((event) => ({
    ...event,
    atMs: event.atMs + shiftMs,
    time: new Date(Date.parse(event.time ?? new Date(event.atMs).toISOString()) + shiftMs).toISOString(),
    data: { ...event.data, ...data },
  }));
  const records = toRecords({ events: [inventory, ...(events as typeof told)] }).map((record) => ({
    ...record,
    fault: null,
  }));
  const { pool } = database.db;
  await makeTrailDays(pool, records, new Set());
  const client = await pool.connect();
  await addToTrail(client, null, records);
  client.release();
});
afterAll(async () => {
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

const access = (...args: string[]) => accessWith({}, ...args);
async function accessWith(env: Record<string, string>, ...args: string[]) {
  const said = { out: '', err: '' };
  const into = (stream: 'out' | 'err') => (text: string) => {
    said[stream] += text;
  };
  const io = { out: into('out'), err: into('err'), stdin: Readable.from(['']), cwd: folder, isTerminal: false };
  const status = await main(['access', ...args], { ...io, env: { DATABASE_URL: database.urlAs('cli'), ...env } });
  return { status, ...said };
}

test('a name gives nobody anything until lock pins it by what was received; one that means another id by now is not taken', async () => {
  const before = await access('lint');
  expect(before).toMatchObject({ status: 1, out: expect.stringContaining('acme/app is not pinned') });
  const pinned = await access('lock');
  expect(pinned).toMatchObject({ status: 0, out: expect.stringContaining('acme/app is 74 of owner 65') });
  expect(readFileSync(join(folder, 'access.lock'), 'utf8')).toContain('id: "74"');
  expect(await access('lint', '--offline')).toEqual({ status: 0, out: '1 policy in order\n', err: '' });

  const own = readFileSync(join(folder, 'access.lock'), 'utf8');
  writeFileSync(join(folder, 'access.lock'), own.replace('74', '9'));
  const refused = await access('lock');
  expect(refused).toMatchObject({ status: 1, out: expect.stringContaining('another one bears the name') });
  expect((await access('lock', '--anew', 'acme/app')).status).toBe(0);
  expect(readFileSync(join(folder, 'access.lock'), 'utf8')).toBe(own);
});

test('lock asks GitHub for the ids of teams and roles; what it does not say is to be written by hand, and another’s is not taken', async () => {
  const answers: Record<string, unknown> = {
    '/orgs/acme': { id: 65, login: 'acme' },
    '/orgs/acme/teams/responders': { id: 9, slug: 'responders', organization: { id: 65 } },
    '/orgs/acme/organization-roles': { roles: [{ id: 8136, name: 'security_manager' }] },
  };
  const github = await startStandingGitHub(answers);
  const env = { TRIPLINE_GITHUB_API_URL: github.url, TRIPLINE_GITHUB_TOKEN: 'a-token-that-reads' };
  const people = `people:
  responding: { who: [ada], teams: [acme/responders, acme/gone], for: 1h, approvedBy: [carol] }
  auditing: { who: [ada], roles: [acme/security_manager], for: 1h, approvedBy: [carol] }
`;
  writeFileSync(join(folder, 'people.yaml'), policies + people);
  const lockOf = (...args: string[]) => accessWith(env, 'lock', '--file', 'people.yaml', ...args);
  const lockText = () => readFileSync(join(folder, 'people.lock'), 'utf8');
  try {
    const offline = await lockOf('--offline');
    expect(offline.out).toContain('acme/responders: write its ids into the lock file by hand');
    expect(github.requests).toEqual([]);
    const asked = await lockOf();
    expect(asked).toMatchObject({ status: 0, out: expect.stringContaining('acme/responders is 9 of owner 65') });
    expect(asked.out).toContain('acme/security_manager is 8136 of owner 65');
    expect(asked.out.replaceAll(/\s+/g, ' ')).toContain(
      'GitHub knows none of that name, or may not show it: grant members: read',
    );
    expect(parse(lockText())).toMatchObject({
      teams: { 'acme/responders': { id: '9', owner: '65' } },
      roles: { 'acme/security_manager': { id: '8136', owner: '65' } },
    });
    // Somebody else's team bears the name by now.
    answers['/orgs/acme/teams/responders'] = { id: 10, slug: 'responders', organization: { id: 65 } };
    const own = lockText();
    expect(await lockOf()).toMatchObject({ status: 1, out: expect.stringContaining('another one bears the name') });
    expect(lockText()).toBe(own);
    expect((await lockOf('--anew', 'acme/responders')).status).toBe(0);
    expect(parse(lockText()).teams).toEqual({ 'acme/responders': { id: '10', owner: '65' } });
    // A renamed team answers under its new name; what is pinned stays.
    answers['/orgs/acme/teams/responders'] = { id: 11, slug: 'others', organization: { id: 65 } };
    expect((await lockOf()).status).toBe(0);
    expect(parse(lockText()).teams).toEqual({ 'acme/responders': { id: '10', owner: '65' } });
    answers['/orgs/acme'] = { status: 503, body: '{}' };
    expect(await lockOf()).toMatchObject({ status: 1, err: expect.stringContaining('access lock --offline') });
  } finally {
    await github.close();
  }
});

test('test decides the tests, who and diff say what is given', async () => {
  expect(await access('test')).toMatchObject({ status: 0, out: '2 of 2 tests come out as they say\n' });
  expect((await access('who', 'acme/app', 'deployments:write')).out).toMatch(
    /^deploy-app \(production\) gives github acme\/app deployments:write\n {2}to {5}github repository: acme\/app\n/,
  );
  expect((await access('who', 'acme/other')).out).toBe('No policy gives that.\n');
  writeFileSync(join(folder, 'next.yaml'), policies.replace('events: [push]', 'events: [push, schedule]'));
  expect(await access('diff', 'access.yaml', 'next.yaml')).toMatchObject({
    status: 1,
    out: expect.stringContaining('wider     deploy-app, events: push → push or schedule'),
  });
  expect(await access('diff', 'access.yaml')).toMatchObject({ status: 0, out: 'Nothing is given otherwise.\n' });
});

test('explain says what would have been granted to each job of a run, and why not', async () => {
  await access('lock');
  const granted = await access('explain', 'acme/app#7', '--from', '24h');
  expect(granted.out).toMatch(
    /^deploy \(attempt 1, started [^)]+\)\n {2}by [\s\S]*access\.yaml as it is now\n {2}deploy-app: would be granted\n$/,
  );
  expect(granted.status).toBe(0);
  const denied = await access('explain', 'acme/app#8', '--from', '24h');
  expect(denied.status).toBe(1);
  expect(denied.out).toContain('deploy-app: would be denied');
  expect(denied.out).toMatch(/reviewed: wanted is a commit that somebody else reviewed, and it is one that is not/);
  const [json] = (await access('explain', 'acme/app#8', '--from', '24h', '--json')).out.trim().split('\n');
  expect(JSON.parse(json!)).toMatchObject({ run: '8', answers: [{ policy: 'deploy-app', decision: 'denied' }] });
  expect(await access('explain', 'acme/app#99')).toMatchObject({
    status: 1,
    err: expect.stringContaining('no event of acme/app#99'),
  });
});

test('explain judges by the policies that were in force then, and says which; a row of somebody without the broker’s key is none', async () => {
  const lockText = readFileSync(join(folder, 'access.lock'), 'utf8');
  const key = 'an-event-key-of-32-characters-or-so';
  writeFileSync(
    join(folder, 'tripline.yaml'),
    JSON.stringify({ broker: { policy: { repository: 'acme/access' }, eventKeys: [key] } }),
    { mode: 0o600 },
  );
  /** Jobs say themselves when they started, on the timeline's day. */
  const startedAt = (time: string) => Date.parse(`2026-03-11T${time}:00Z`);
  const take = async (name: string, text: string, atMs: number, signedBy = key) => {
    const stored = {
      ...{ repositoryId: '90', repository: 'acme/access', branch: 'main', path: 'access.yaml', files: {} },
      ...{
        revision: Buffer.from(name).toString('hex').padEnd(40, '0'),
        policies: text,
        lock: lockText,
        reviewed: 'by bea',
      },
    };
    await keepPolicies(database.db, stored, { sha256: 'a'.repeat(64), mac: macOfPolicies(stored, signedBy) });
    await database.db.pool.query('UPDATE access_policies SET taken_at = $1 WHERE revision = $2', [
      new Date(atMs),
      stored.revision,
    ]);
    return stored.revision.slice(0, 12);
  };
  try {
    const former = policies.replace('refs/heads/main\n        environment', 'refs/heads/release\n        environment');
    const first = await take('first', former, startedAt('09:05'));
    // Between run 7 and run 8 the branch was put right.
    const second = await take('second', policies, startedAt('09:15'));
    await take(
      'forged',
      policies.replace('needs: { reviewed: true, noIncident: high }', 'needs: { reviewed: true }'),
      startedAt('09:01'),
      'another-key-of-32-characters-or-so',
    );
    const seven = await access('explain', 'acme/app#7', '--from', '24h');
    expect(seven.out).toContain(`  by acme/access@${first}\n`);
    expect(seven.out).toContain('deploy-app: would be denied\n    ref: ');
    const eight = await access('explain', 'acme/app#8', '--from', '24h', '--json');
    expect(JSON.parse(eight.out)).toMatchObject({ judgedBy: `acme/access@${second}` });
    await database.db.pool.query('UPDATE access_policies SET taken_at = now()');
    expect((await access('explain', 'acme/app#7', '--from', '24h')).out).toContain(
      'no policies were in force when it started',
    );
    expect((await access('explain', 'acme/app#7', '--from', '24h', '--file', 'access.yaml')).status).toBe(0);
  } finally {
    rmSync(join(folder, 'tripline.yaml'));
  }
});

test('wrong usage and a file that cannot be used are said with what to do', async () => {
  expect(await access('lint', 'x')).toMatchObject({ status: 2, err: expect.stringContaining('name a file by --file') });
  expect(await access('explain', 'acme/app')).toMatchObject({ status: 2 });
  expect(await access('lint', '--file', 'none.yaml')).toMatchObject({
    status: 1,
    err: expect.stringContaining('is not there'),
  });
  writeFileSync(join(folder, 'bad.yaml'), 'audience: here\n');
  expect((await access('lint', '--file', 'bad.yaml')).err).toMatch(
    /bad\.yaml cannot be used:\n {2}audience \(line 1\): say the broker’s own address/,
  );
});

test('import prints policies that lint takes, with what was looser as comments', async () => {
  const issuer = 'https://token.actions.githubusercontent.com';
  writeFileSync(
    join(folder, 'deploy.sts.yaml'),
    `issuer: ${issuer}\nsubject: repo:acme/app:environment:production\npermissions: { contents: read }\n`,
  );
  const args = ['deploy.sts.yaml', '--target', 'acme/app', '--caller', '.github/workflows/ci.yml', '--audience'];
  const without = await access('import', ...args, 'https://access.acme.example');
  expect(without).toMatchObject({ status: 1, out: expect.stringContaining('not translated') });
  expect(without.out).toContain('say --ref refs/heads/main');
  const { status, out } = await access('import', ...args, 'https://access.acme.example', '--ref', 'refs/heads/main');
  expect({ status, out }).toEqual({
    status: 0,
    out: expect.stringContaining('# deploy: was looser: it names no audience'),
  });
  writeFileSync(join(folder, 'imported.yaml'), out);
  writeFileSync(join(folder, 'imported.lock'), "github: { acme/app: { id: '74', owner: '65' } }\n");
  expect(await access('lint', '--file', 'imported.yaml')).toMatchObject({ status: 0 });
  expect(await access('import', 'nothing.yaml', '--audience', 'https://a.example')).toMatchObject({
    status: 1,
    err: expect.stringContaining('cannot be read'),
  });
  expect(await access('import')).toMatchObject({ status: 2 });
});
