import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Config, loadConfig } from '@tripline/config/config';
import type { Check } from '@tripline/contracts/check';
import { addJob } from '@tripline/db/jobs';
import { addToQueue } from '@tripline/db/queue';
import { clearChannelTrouble, noteChannelTrouble } from '@tripline/health/channel-troubles';
import { noteRuleFaults } from '@tripline/health/rule-faults';
import { rules } from '@tripline/rules/registry';
import type { StreamRecord } from '@tripline/stream/stream';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { addToTrail, makeTrailDays, readTrailHead } from '@tripline/trail/trail';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkDatabase } from './database.ts';
import { checkLocal } from './local.ts';
import { checkReaders } from './log.ts';
import { checkProviders } from './providers.ts';

let folder: string;
let fresh: Awaited<ReturnType<typeof freshDatabase>>;
let provider: Server;
let answer: { status: number; body: unknown; headers?: Record<string, string> };
let providerUrl: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tripline-doctor-'));
  fresh = await freshDatabase();
  provider = createServer((_request, response) => {
    response
      .writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers })
      .end(JSON.stringify(answer.body));
  });
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  providerUrl = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
});
afterAll(async () => {
  provider.close();
  await fresh.close();
  rmSync(folder, { recursive: true, force: true });
});

const named = (checks: readonly Check[], name: string) => checks.find((check) => check.name === name);

describe('the database', () => {
  it('is sound when it is there and migrated', async () => {
    const checks = await checkDatabase(fresh.db, loadConfig({}, folder), rules);
    expect(checks.map(({ state }) => state)).not.toContain('broken');
    expect(named(checks, 'Postgres')?.detail).toMatch(/^PostgreSQL 18/);
  });

  it('says what each rule is learning, in which workspace, and until when', async () => {
    const add = (workspace: string, facts: object) =>
      fresh.db.pool.query(
        `INSERT INTO rule_state (workspace, rule, key, value, expires_ms, partition) VALUES ($1, '@workspace', '', $2, 9e15, 0)`,
        [workspace, JSON.stringify(facts)],
      );
    const dayMs = 86_400_000;
    const nowMs = Date.now();
    await add('new', { firstSeenMs: nowMs - dayMs });
    await add('old', { firstSeenMs: nowMs - 20 * dayMs });
    await add('imported', { firstSeenMs: nowMs, inventoryMs: nowMs });
    await add('tripline-drill-x', { firstSeenMs: nowMs });
    const checks = await checkDatabase(fresh.db, loadConfig({}, folder), rules);
    const until = new Date(nowMs + 13 * dayMs).toISOString().slice(0, 10);
    expect(named(checks, 'learning in new')).toMatchObject({ state: 'ok' });
    const learners = rules.filter(({ learns }) => learns).map(({ id }) => id);
    expect(learners).toContain('credential-new-runner');
    expect(named(checks, 'learning in new')?.detail).toMatch(`${learners.join(', ')} until ${until}`);
    expect(named(checks, 'learning in old')).toMatchObject({ state: 'ok', detail: 'done' });
    expect(named(checks, 'learning in imported')?.detail).toContain('an inventory was imported');
    expect(named(checks, 'learning in tripline-drill-x')).toBeUndefined();
  });

  it('says what was imported, what failed and why, and that the kill switch is on', async () => {
    await fresh.db.pool.query(
      `INSERT INTO imports (workspace, failed_at, failed_reason) VALUES ('acme', now(), 'the App may not read runners');
       INSERT INTO switches (name, stopped, by, reason) VALUES ('remediation', true, '{"name":"ada"}', 'drill')`,
    );
    const checks = await checkDatabase(fresh.db, loadConfig({}, folder), rules);
    expect(named(checks, 'import of acme')).toMatchObject({ state: 'broken', detail: 'the App may not read runners' });
    expect(named(checks, 'kill switch')?.detail).toMatch(/^ON since .* by ada/);
    const imported = async (ago: string) => {
      await fresh.db.pool.query(
        `UPDATE imports SET failed_at = NULL, failed_reason = NULL, imported_at = now() - $1::interval, counts = '{"runners": 2}'`,
        [ago],
      );
      return named(await checkDatabase(fresh.db, loadConfig({}, folder), rules), 'import of acme')!;
    };
    expect(await imported('3 days')).toMatchObject({ state: 'ok', detail: expect.stringMatching(/: 2 runners$/) });
    expect(await imported('3 days')).not.toHaveProperty('remedy');
    expect(await imported('91 days')).toMatchObject({
      ...{ state: 'ok', detail: expect.stringMatching(/^91 days old, of .*: 2 runners$/) },
      remedy: expect.stringContaining('npx tripline inventory import'),
    });
  });

  it('says what GitHub could not deliver', async () => {
    const off = await checkDatabase(fresh.db, loadConfig({}, folder), rules);
    expect(named(off, 'redelivery')).toMatchObject({ state: 'off' });
    const app = { TRIPLINE_GITHUB_APP_ID: '7', TRIPLINE_GITHUB_APP_PRIVATE_KEY: 'canary-canary-canary' };
    const checks = () => checkDatabase(fresh.db, loadConfig(app, folder), rules);
    expect(named(await checks(), 'redelivery')).toMatchObject({
      state: 'broken',
      detail: 'the reconciler has never run',
    });
    await fresh.db.pool.query(
      `INSERT INTO hooks (hook, looked_until, holder, held_until) VALUES ('app:7', now(), gen_random_uuid(), now())`,
    );
    expect(named(await checks(), 'redelivery app:7')).toMatchObject({ state: 'ok' });
    await fresh.db.pool.query(
      `INSERT INTO undelivered (hook, guid, attempt, event, first_failed_at, last_failed_at, status_code, due_at)
       VALUES ('app:7', 'a', '1', 'push', now(), now(), 502, now())`,
    );
    expect(named(await checks(), 'redelivery app:7')).toMatchObject({
      state: 'ok',
      detail: expect.stringMatching(/^1 deliveries are missing, the oldest since /),
    });
    await fresh.db.pool.query(`UPDATE hooks SET held_until = now() - interval '6 minutes'`);
    expect(named(await checks(), 'redelivery app:7')).toMatchObject({
      state: 'broken',
      detail: expect.stringContaining('nobody looks'),
    });
    // One that no setting names any more is looked at by nobody.
    expect(named(await checkDatabase(fresh.db, loadConfig({}, folder), rules), 'redelivery app:7')?.state).toBe('ok');
    await fresh.db.pool.query(`UPDATE hooks SET failed_at = now(), failed_reason = 'GitHub answered 401'`);
    expect(named(await checks(), 'redelivery app:7')).toMatchObject({ state: 'broken', detail: 'GitHub answered 401' });
  });

  it('names a rule that threw within the last hour, with its reason, and how often', async () => {
    const checks = () => checkDatabase(fresh.db, loadConfig({}, folder), rules);
    expect(named(await checks(), 'rule')).toMatchObject({ state: 'ok' });
    const reason = `no branch for ghp_${'c'.repeat(36)}\0 \ud800`;
    await noteRuleFaults(fresh.db, [
      { rule: 'some-rule', reason: 'first' },
      { rule: 'some-rule', reason },
      { rule: null, reason: 'the value is no valid JSON' },
    ]);
    await noteRuleFaults(fresh.db, [{ rule: 'some-rule', reason }]);
    const broken = (await checks()).filter(({ name }) => /^r(ule|ecords)/.test(name));
    expect(broken.map(({ name }) => name)).toEqual(['records', 'rule some-rule']);
    expect(broken[1]!.detail).toMatch(/^threw 3 times since .* UTC: no branch for \[github-token /);
    expect(JSON.stringify(broken)).not.toContain('cccc');
    expect(broken[0]!.detail).toMatch(/^dead-lettered once, .*: the value is no valid JSON$/);
    await fresh.db.pool.query(`UPDATE rule_faults SET last_at = last_at - interval '61 minutes'`);
    expect(named(await checks(), 'rule')).toMatchObject({ state: 'ok' });
    await noteRuleFaults(fresh.db, [{ rule: 'some-rule', reason }]);
    expect(named(await checks(), 'rule some-rule')?.detail).toMatch(/^threw once, /);
    await fresh.db.pool.query('DELETE FROM rule_faults');
  });

  it('names jobs that failed five times, with the first line of why', async () => {
    const checks = () => checkDatabase(fresh.db, loadConfig({}, folder), rules);
    await addJob(fresh.db.pool, 'import-inventory', { workspace: 'acme' }, { key: 'k1' });
    const fail = (attempts: number) =>
      fresh.db.pool.query(
        `UPDATE graphile_worker._private_jobs SET attempts = $1, last_error = E'date/time field value out of range\n  at stack'`,
        [attempts],
      );
    await fail(4);
    expect(named(await checks(), 'jobs')).toMatchObject({ state: 'ok' });
    await fail(5);
    expect(named(await checks(), 'jobs import-inventory')).toMatchObject({
      state: 'broken',
      detail: '1 failed up to 5 times: date/time field value out of range',
      remedy: expect.stringContaining('tried again'),
    });
    await fail(25);
    expect(named(await checks(), 'jobs import-inventory')?.remedy).toContain('reschedule_jobs');
    // As graphile-worker leaves one that was replaced while it ran, and failed then.
    await fresh.db.pool.query('UPDATE graphile_worker._private_jobs SET key = NULL');
    expect(named(await checks(), 'jobs')).toMatchObject({ state: 'ok' });
    await fresh.db.pool.query('DELETE FROM graphile_worker._private_jobs');
  });

  it('names what nobody takes: the service for it does not run', async () => {
    const checks = () => checkDatabase(fresh.db, loadConfig({}, folder), rules);
    await addToQueue(fresh.db.pool, 'notify', 'INC-1');
    await addToQueue(fresh.db.pool, 'remediate', 'f1');
    await addJob(fresh.db.pool, 'import-inventory', { workspace: 'acme' }, { key: 'k2' });
    expect(named(await checks(), 'queue')).toMatchObject({ state: 'ok' });
    await fresh.db.pool.query(
      `UPDATE queue SET due_at = now() - interval '6 minutes';
       UPDATE graphile_worker._private_jobs SET run_at = now() - interval '6 minutes'`,
    );
    const late = await checks();
    for (const [service, what] of [
      ['notifier', 'notification'],
      ['remediator', 'response'],
      ['detector', 'look-up or import'],
    ])
      expect(named(late, `queue of the ${service}`)).toMatchObject({
        state: 'broken',
        detail: expect.stringMatching(`^1 ${what} overdue, the oldest since `),
        remedy: expect.stringContaining(`npx tripline ${service}`),
      });
    await fresh.db.pool.query('DELETE FROM queue; DELETE FROM graphile_worker._private_jobs');
  });

  it('names what a half migration lacks, and a database that has nothing', async () => {
    const checks = () => checkDatabase(fresh.db, loadConfig({}, folder), rules);
    expect(named(await checks(), 'schema')).toMatchObject({ state: 'ok' });
    const { rows } = await fresh.db.pool.query(
      `DELETE FROM schema_migrations WHERE name = (SELECT max(name) FROM schema_migrations) RETURNING *`,
    );
    expect(named(await checks(), 'schema')).toMatchObject({
      state: 'broken',
      detail: `half migrated: it lacks ${rows[0].name}`,
      remedy: expect.stringContaining('npx tripline migrate'),
    });
    await fresh.db.pool.query('ALTER TABLE schema_migrations RENAME TO away');
    const none = await checks();
    expect(none.map(({ name }) => name)).toEqual(['Postgres', 'schema']);
    expect(none[1]).toMatchObject({ state: 'broken', detail: "Tripline's tables are missing" });
    await fresh.db.pool.query('ALTER TABLE away RENAME TO schema_migrations');
    await fresh.db.pool.query('INSERT INTO schema_migrations VALUES ($1, $2, $3)', Object.values(rows[0]));
  });

  it('names a channel that a person must remedy, and one that is only retried', async () => {
    const checks = () => checkDatabase(fresh.db, loadConfig({}, folder), rules);
    await noteChannelTrouble(fresh.db, 'slack', 'no-channel');
    await noteChannelTrouble(fresh.db, 'pagerduty', 'timeout');
    expect(named(await checks(), 'notifications to slack')).toMatchObject({
      state: 'broken',
      detail: expect.stringMatching(
        /^every call has failed since .* UTC \(no-channel, .*; 0 notifications are queued$/,
      ),
    });
    expect(named(await checks(), 'notifications to pagerduty')).toMatchObject({ state: 'ok' });
    await clearChannelTrouble(fresh.db, 'slack');
    await clearChannelTrouble(fresh.db, 'pagerduty');
    expect(named(await checks(), 'notifications to slack')).toBeUndefined();
  });

  it('shows what was ignored and refused, red for nothing that a stranger sends', async () => {
    const nowMs = Date.now();
    const lastAt = new Date(nowMs).toISOString();
    const data = {
      'tripline.deliveries.counts': [
        { source: 'github', outcome: 'refused', reason: 'bad-signature', count: 4_000_000, lastAt },
        { source: 'github', outcome: 'ignored', reason: 'unknown-organization', count: 2, lastAt },
      ],
      'tripline.deliveries.recent': [
        { source: 'github', reason: 'unknown-organization', genuine: true, organization: 'Acme-Labs', time: lastAt },
        { source: 'github', reason: 'unknown-organization', genuine: false, organization: 'evil', time: lastAt },
        { source: 'github', reason: 'unknown-installation', genuine: true, organization: 'installer', time: lastAt },
      ],
    };
    const record = {
      ...{ topic: 'tripline.events', partition: 0, offset: 0, appendedAtMs: nowMs, key: '@receiver', fault: null },
      headers: {
        ce_type: 'dev.cdeventsx.tripline-deliveries.summarized',
        ce_id: 'receiver:1',
        ce_workspace: '@receiver',
      },
      value: Buffer.from(JSON.stringify(data)),
    };
    await makeTrailDays(fresh.db.pool, [record], new Set());
    const client = await fresh.db.pool.connect();
    await addToTrail(client, await readTrailHead(client, record.topic, 0), [record]);
    client.release();
    const checks = await checkDatabase(fresh.db, loadConfig({}, folder), rules);
    expect(named(checks, 'deliveries refused')).toMatchObject({
      state: 'ok',
      detail: expect.stringMatching(/^within the last day: 4000000 bad-signature \(github, last 20.* UTC\)$/),
    });
    expect(named(checks, 'deliveries refused')?.remedy).toContain('secret or token is another than the one configured');
    expect(named(checks, 'deliveries ignored')).toMatchObject({ state: 'ok' });
    expect(named(checks, 'deliveries ignored')).not.toHaveProperty('remedy');
    expect(named(checks, 'organization Acme-Labs')).toMatchObject({ state: 'broken' });
    expect(named(checks, 'organization installer')).toBeUndefined();
    expect(named(checks, 'organization evil')).toBeUndefined();
    writeFileSync(
      join(folder, 'tripline.yaml'),
      'workspaces: [{ id: acme, github: { organizations: [{ login: acme-labs, id: 7 }] } }]',
    );
    const configured = await checkDatabase(fresh.db, loadConfig({}, folder), rules);
    rmSync(join(folder, 'tripline.yaml'));
    expect(named(configured, 'organization Acme-Labs')).toBeUndefined();
  });
});

describe('those who read the log', () => {
  const ends = {
    offsets: async () => [
      { partition: 0, first: 3, next: 5 },
      { partition: 1, first: 0, next: 0 },
    ],
    read: async () => [{ appendedAtMs }] as StreamRecord[],
  };
  let appendedAtMs = Date.now();
  const read = () => checkReaders(ends, fresh.db, undefined, 400);
  const move = (next: number) =>
    fresh.db.pool.query(
      `INSERT INTO positions (consumer, topic, partition, epoch, next) VALUES ('detector', 'tripline.events', 0, 1, $1)
       ON CONFLICT (consumer, topic, partition) DO UPDATE SET next = $1`,
      [next],
    );
  const head = (last: number) =>
    fresh.db.pool.query(
      `INSERT INTO trail_heads (topic, partition, first_offset, last_offset, row_count, hash)
       VALUES ('tripline.events', 0, 0, $1, 1, sha256('')) ON CONFLICT (topic, partition) DO UPDATE SET last_offset = $1`,
      [last],
    );

  it('are broken where events wait and nobody reads them, and not while somebody does', async () => {
    await fresh.db.pool.query('DELETE FROM trail_heads');
    expect(await read()).toMatchObject([
      { name: 'detector', state: 'broken', detail: 'makes no progress: events wait on 1 of 2 partitions' },
      { name: 'recorder', state: 'broken' },
    ]);
    await move(4);
    await head(4);
    expect(await read()).toMatchObject([
      { name: 'detector', state: 'broken' },
      { name: 'recorder', state: 'ok' },
    ]);
    const reading = checkReaders(ends, fresh.db, undefined, 10_000);
    await pause(100);
    await move(5);
    expect((await reading).map(({ state }) => state)).toEqual(['ok', 'ok']);
  });

  it('are shown to be behind while they read, and are broken once what waits has waited for a minute', async () => {
    const reading = async () => {
      await move(3);
      const found = checkReaders(ends, fresh.db, undefined, 10_000);
      await pause(100);
      await move(4);
      return (await found)[0];
    };
    expect(await reading()).toMatchObject({
      ...{ name: 'detector', state: 'ok' },
      detail: expect.stringMatching(/^makes progress; 1 event waits for it, the oldest since /),
    });
    appendedAtMs -= 61_000;
    expect(await reading()).toMatchObject({
      name: 'detector',
      state: 'broken',
      remedy: expect.stringContaining('npx'),
    });
    ends.read = () => Promise.reject(new Error('the broker is away'));
    expect(await reading()).toMatchObject({
      state: 'broken',
      detail: '1 event waits for it, and the oldest cannot be read: the broker is away',
    });
    await move(5);
    expect((await read())[0]).toMatchObject({ state: 'ok', detail: 'keeps up with the log' });
  });
});

describe('those whom Tripline calls', () => {
  const slack = () => ({
    TRIPLINE_SLACK_BOT_TOKEN: 'xoxb-canary-canary',
    TRIPLINE_SLACK_CHANNEL: 'C1',
    TRIPLINE_SLACK_SIGNING_SECRET: 'canary-signing-canary',
    TRIPLINE_SLACK_TEAM_ID: 'T1',
    TRIPLINE_SLACK_APP_ID: 'A1',
    TRIPLINE_SLACK_API_URL: `${providerUrl}/`,
  });

  it('are off when they are not configured', async () => {
    const checks = await checkProviders(loadConfig({}, folder));
    expect(new Set(checks.map(({ state }) => state))).toEqual(new Set(['off']));
  });

  it.each([
    [{ ok: true, team: 'Acme', team_id: 'T1', user: 'tripline' }, 'ok', 'nobody may press its buttons'],
    [{ ok: true, team: 'Other', team_id: 'T2', user: 'tripline' }, 'broken', 'is of the Slack workspace T2'],
    [{ ok: false, error: 'invalid_auth' }, 'broken', 'Slack refuses the bot token: invalid_auth'],
    ['no object', 'broken', 'Slack answers 200 and not as its Web API does'],
    [{}, 'broken', 'Slack answers 503 and not as its Web API does', { status: 503 }],
    [
      { ok: true },
      'broken',
      'has not the scope chat:write',
      { headers: { 'x-oauth-scopes': 'chat:write.public,im:read' } },
    ],
    [
      { ok: true, team: 'Acme', team_id: 'T1', user: 'tripline' },
      ...(['ok', 'nobody may press', { headers: { 'x-oauth-scopes': 'im:read,chat:write' } }] as const),
    ],
  ] as [unknown, string, string, Partial<typeof answer>?][])(
    'Slack answering %j',
    async (body, state, detail, more) => {
      answer = { status: 200, body, ...more };
      const check = named(await checkProviders(loadConfig(slack(), folder)), 'Slack');
      expect(check).toMatchObject({ state, detail: expect.stringContaining(detail) });
      expect(JSON.stringify(check)).not.toContain('canary');
    },
  );

  it.each([
    [200, 'ok', undefined],
    [401, 'broken', 'make a new token'],
    [403, 'broken', 'wait until GitHub lets it call again'],
    [429, 'broken', 'wait until GitHub lets it call again'],
    [404, 'broken', 'check github.apiUrl'],
    [503, 'broken', 'GitHub is at fault'],
  ])('GitHub answering %d to a token', async (status, state, remedy) => {
    answer = { status, body: {} };
    const env = { TRIPLINE_GITHUB_TOKEN: 'ghp_canary_canary', TRIPLINE_GITHUB_API_URL: providerUrl };
    const check = named(await checkProviders(loadConfig(env, folder)), 'GitHub token');
    expect(check?.state).toBe(state);
    if (remedy !== undefined) expect(check?.remedy).toContain(remedy);
    expect(JSON.stringify(check)).not.toContain('canary');
  });

  it('an App that is not installed on an organisation of a workspace, and a GitHub that is away', async () => {
    const { privateKey } = generateKeyPairSync('rsa', {
      ...{ modulusLength: 2048, publicKeyEncoding: { type: 'spki', format: 'pem' } },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
    const env = { TRIPLINE_GITHUB_APP_ID: '7', TRIPLINE_GITHUB_APP_PRIVATE_KEY: privateKey };
    const settings = loadConfig({ ...env, TRIPLINE_GITHUB_API_URL: providerUrl }, folder);
    const workspaces = ['Acme', 'acme-labs'].map((id) => ({ id, github: { organizations: [{ login: id }] } }));
    const check = async () => named(await checkProviders({ ...settings, workspaces }), 'GitHub App');
    const on = (...logins: string[]) => ({ status: 200, body: logins.map((login) => ({ account: { login } })) });
    answer = on('acme', 'acme-labs');
    expect(await check()).toMatchObject({ state: 'ok', detail: 'installed on acme, acme-labs' });
    answer = on('acme');
    expect(await check()).toMatchObject({
      state: 'broken',
      detail: expect.stringMatching(/^installed on acme, and not on acme-labs: nothing is imported/),
    });
    answer = { status: 401, body: { message: 'no' } };
    expect((await check())?.remedy).toContain('check TRIPLINE_GITHUB_APP_ID');
    answer = { status: 503, body: {} };
    expect(await check()).toMatchObject({ state: 'broken', remedy: expect.stringContaining('githubstatus.com') });
  });

  it('what mints and is away is not called misconfigured', async () => {
    const closed = 'http://127.0.0.1:9';
    const settings = loadConfig(
      { TRIPLINE_GITHUB_TOKEN: 'ghp_canary_canary', TRIPLINE_GITHUB_API_URL: closed },
      folder,
    );
    const minting = (url: string) =>
      checkProviders({
        ...settings,
        broker: {
          ...settings.broker,
          vault: [{ url, token: 'canary-of-vault' }] as never,
          gitlab: [{ url, token: 'canary-of-gitlab' }] as never,
          aws: [
            {
              ...{ region: 'eu-central-1', stsUrl: url, iamUrl: url, iamRegion: 'us-east-1' },
              accessKey: { id: 'AKIAEXAMPLEEXAMPLE00', secret: 'canary-of-aws' },
            },
          ] as never,
        },
      });
    for (const url of [closed, providerUrl]) {
      answer = { status: 503, body: {} };
      const checks = await minting(url);
      const found = checks.filter(({ name }) => /^minter (Vault|GitLab|AWS)/.test(name));
      expect(found.map(({ state }) => state)).toEqual(['broken', 'broken', 'broken']);
      for (const { detail, remedy } of found)
        expect(`${detail} → ${remedy}`).toMatch(/^it cannot be asked now: .* can be reached from here/);
      expect(named(checks, 'GitHub token')?.remedy).toContain('githubstatus.com');
      expect(JSON.stringify(checks)).not.toContain('canary');
    }
  });

  it('an App that mints for jobs, and is installed nowhere or not known', async () => {
    const { privateKey } = generateKeyPairSync('rsa', {
      ...{ modulusLength: 2048, publicKeyEncoding: { type: 'spki', format: 'pem' } },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
    const settings = loadConfig({ TRIPLINE_GITHUB_API_URL: providerUrl }, folder);
    const broker = { ...settings.broker, apps: [{ id: '8', privateKey, tiers: ['production'] }] };
    const check = async () => named(await checkProviders({ ...settings, broker }), 'minter GitHub App 8 (production)');
    answer = { status: 200, body: [{ account: { login: 'acme' } }] };
    const detail = 'installed on acme; without its slug nothing finds who else mints with its key';
    expect(await check()).toMatchObject({ state: 'ok', detail });
    answer = { status: 200, body: [] };
    expect(await check()).toMatchObject({ state: 'broken', remedy: expect.stringContaining('install it on chosen') });
    answer = { status: 401, body: { message: 'no' } };
    expect((await check())?.remedy).toContain('broker.apps');
    answer = { status: 503, body: {} };
    expect((await check())?.remedy).toContain('githubstatus.com');
  });

  it.each([
    [{ TRIPLINE_GITHUB_WEBHOOK_SECRET: 'canary-canary-canary' }, 'webhook secret', 'ok'],
    [{ TRIPLINE_PAGERDUTY_ROUTING_KEY: 'canary-canary-canary' }, 'PagerDuty', 'broken'],
    [{ TRIPLINE_PAGERDUTY_ROUTING_KEY: '0123456789abcdef0123456789abcdef' }, 'PagerDuty', 'ok'],
  ] as [Record<string, string>, string, string][])('%j', async (env, name, state) => {
    const check = named(await checkProviders(loadConfig(env, folder)), name);
    expect(check?.state).toBe(state);
    expect(JSON.stringify(check)).not.toContain('canary');
  });
});

describe('what is here', () => {
  const at = (port: number) => ({ port, operations: { host: '127.0.0.1', port } });
  const config = (dataDir: string) => ({ ...loadConfig({}, folder), dataDir, ...at(1) });

  it('says what is not there yet', async () => {
    const checks = await checkLocal(config(join(folder, 'none')));
    expect(named(checks, 'data folder')?.state).toBe('off');
    expect(named(checks, 'Tripline')).toMatchObject({
      state: 'off',
      detail: expect.stringContaining('npx tripline up'),
    });
  });

  it('is broken where its own database is here, and nothing runs on it', async () => {
    const dataDir = join(folder, 'stopped');
    mkdirSync(join(dataDir, 'postgres/cluster'), { recursive: true, mode: 0o700 });
    const stopped = named(await checkLocal(config(dataDir)), 'Tripline');
    expect(stopped).toMatchObject({ state: 'broken', remedy: expect.stringContaining('npx tripline up') });
    const elsewhere = { ...config(dataDir), database: { url: 'postgres://db' } } as Config;
    expect(named(await checkLocal(elsewhere), 'Tripline')?.state).toBe('off');
  });

  it('finds a folder that others may enter', async () => {
    const dataDir = join(folder, 'open');
    mkdirSync(dataDir);
    chmodSync(dataDir, 0o755);
    expect(named(await checkLocal(config(dataDir)), 'data folder')).toMatchObject({ state: 'broken' });
    chmodSync(dataDir, 0o700);
    expect(named(await checkLocal(config(dataDir)), 'data folder')).toMatchObject({ state: 'ok' });
  });

  it('is broken where the log has not taken for minutes what the receiver spooled', async () => {
    const dataDir = join(folder, 'spooling');
    mkdirSync(join(dataDir, 'spool'), { recursive: true, mode: 0o700 });
    const spool = async (nowMs: number) => named(await checkLocal(config(dataDir), nowMs), 'spool');
    const writtenMs = Date.now();
    writeFileSync(join(dataDir, 'spool/lock'), '');
    expect(await spool(writtenMs + 3_600_000)).toMatchObject({ state: 'ok', detail: '0 bytes wait for the log' });
    writeFileSync(join(dataDir, 'spool/0000000001.spool'), 'x'.repeat(100));
    expect(await spool(writtenMs + 60_000)).toMatchObject({ state: 'ok', detail: '100 bytes wait for the log' });
    expect(await spool(writtenMs + 302_000)).toMatchObject({
      state: 'broken',
      detail: expect.stringMatching(/^100 bytes wait for the log since 20\d\d-\d\d-\d\d \d\d:\d\d/),
      remedy: expect.stringContaining('restart it: nothing in the spool is lost'),
    });
  });

  it('tells a Tripline on the port from another program', async () => {
    const there = { ...config(folder), ...at(Number(new URL(providerUrl).port)) };
    for (const [body, state] of [
      [{ status: 'ready' }, 'ok'],
      [{ error: { message: 'the log is away' } }, 'broken'],
      ['hello', 'broken'],
    ] as const) {
      answer = { status: 200, body };
      const check = named(await checkLocal(there), 'Tripline');
      expect(check?.state).toBe(state);
      if (typeof body === 'object' && 'error' in body) expect(check?.remedy).toContain('stop it and start it again');
    }
  });
});
