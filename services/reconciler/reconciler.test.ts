import { generateKeyPairSync } from 'node:crypto';
import { loadConfig } from '@tripline/config/config';
import { readHooks } from '@tripline/health/hooks';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
import { type FakeHook, handClock, startFakeHook } from '@tripline/testing/fakes/github-hook';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createReconciler } from './reconciler.ts';

const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const token = 'ghp_canaryHookToken0123456789abcdefghij';
const minuteMs = 60_000;
const startMs = Date.parse('2026-05-01T12:00:00Z');

let database: Awaited<ReturnType<typeof freshDatabase>>;
let time: ReturnType<typeof handClock>;
let github: FakeHook;
/** What the receiver answers; 0 while it is down. */
let status: number;
let arrived: string[];
let logged: string[];
const closers: (() => Promise<void>)[] = [];

beforeEach(async () => {
  database = await freshDatabase();
  await begin();
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await database.close();
});

async function begin(pageSize?: number): Promise<void> {
  time = handClock(startMs);
  [status, arrived, logged] = [202, [], []];
  github = await startFakeHook({
    clock: time.clock,
    ...(pageSize === undefined ? {} : { pageSize }),
    post: async ({ guid }) => {
      if (status === 202) arrived.push(guid);
      return status;
    },
  });
  closers.push(github.close);
}

function start(hook: 'app' | 'organization' = 'organization') {
  const config = loadConfig(
    hook === 'app' ? { TRIPLINE_GITHUB_APP_ID: '7', TRIPLINE_GITHUB_APP_PRIVATE_KEY: privateKey } : {},
    '/nonexistent',
  );
  const metrics = createMetrics({ service: 'reconciler' });
  const hooks = hook === 'app' ? {} : { hooks: [{ organization: 'Acme', id: '42' }], hookToken: token };
  const reconciler = createReconciler({
    config: { github: { ...config.github, ...hooks, apiUrl: github.url } },
    db: database.as('reconciler'),
    logger: createLogger({ service: 'reconciler', level: 'trace' }, { write: (line) => logged.push(line) }),
    clock: time.clock,
    metrics,
  });
  closers.push(() => reconciler.close());
  return { ...reconciler, metric: async (text: string) => (await metrics.metrics()).includes(text) };
}
/** Lets rounds pass. The first move also awaits the first round. */
async function minutes(count: number): Promise<void> {
  for (let left = count; left > 0; left -= 1) await time.move(minuteMs);
}
const posts = () => github.requests.filter((request) => request.startsWith('POST'));

describe('the reconciler', () => {
  test.each(['app', 'organization'] as const)('has what failed made again, of a webhook of the %s', async (kind) => {
    const [before] = [await github.deliver('push', { n: 0 })];
    status = 0;
    const missed = [await github.deliver('push', { n: 1 }), await github.deliver('member', { n: 2 })];
    status = 202;
    const after = await github.deliver('push', { n: 3 });
    const { metric } = start(kind);
    await minutes(3);
    expect(arrived.toSorted()).toEqual([before, ...missed, after].toSorted());
    expect(github.missing()).toEqual([]);
    expect(posts()).toHaveLength(2);
    await minutes(5);
    // Once is enough: nothing is asked for that has arrived.
    expect(posts()).toHaveLength(2);
    expect(await metric('tripline_reconciler_recovered_total{service="reconciler"} 2')).toBe(true);
    expect(await metric('tripline_reconciler_missing_deliveries{service="reconciler"} 0')).toBe(true);
    expect(logged.join('')).not.toContain(token);
  });

  test('a delivery is missing only when no attempt of it was made, whichever stands first', async () => {
    status = 0;
    const guid = await github.deliver('push', {});
    status = 202;
    await github.deliver('push', {}, guid);
    const other = await github.deliver('push', {});
    status = 0;
    await github.deliver('push', {}, other);
    status = 202;
    start();
    await minutes(5);
    expect(posts()).toEqual([]);
  });

  test('only probes while the receiver answers nothing, ever more slowly, and gives all of it when it is back', async () => {
    status = 0;
    for (let n = 0; n < 50; n += 1) await github.deliver('push', { n });
    start();
    await minutes(10);
    expect(posts().length).toBeGreaterThan(5);
    expect(posts().length).toBeLessThanOrEqual(10 * 5);
    expect(arrived).toEqual([]);
    status = 202;
    await minutes(4);
    expect(github.missing()).toEqual([]);
    expect(new Set(arrived).size).toBe(50);
    expect(arrived).toHaveLength(50);
  });

  test('what the receiver refuses again and again keeps nothing else waiting', async () => {
    status = 422;
    for (let n = 0; n < 130; n += 1) await github.deliver('push', { n });
    start();
    await minutes(3);
    status = 0;
    const missed = await github.deliver('push', {});
    status = 422;
    await github.deliver('push', {});
    const refused = posts().length;
    status = 202;
    await minutes(2);
    expect(arrived).toContain(missed);
    expect(refused).toBeLessThan(130 * 3);
  });

  test('looks on where it stopped: a list too long for one round, a restart, a cursor that GitHub forgot', async () => {
    await begin(1);
    status = 0;
    const oldest = await github.deliver('push', {});
    status = 202;
    for (let n = 0; n < 150; n += 1) await github.deliver('push', { n });
    const first = start();
    await time.move(0);
    expect(await readHooks(database.db)).toMatchObject([{ lookedUntil: null, missing: 0 }]);
    await first.close();
    // A page of the list is gone: the cursor that was kept leads nowhere.
    github.attempts.splice(90, 20);
    start();
    await minutes(1);
    expect(await readHooks(database.db)).toMatchObject([{ failed: { reason: expect.stringContaining('422') } }]);
    await minutes(6);
    expect(arrived).toContain(oldest);
    expect(await readHooks(database.db)).toMatchObject([{ failed: null, missing: 0, lookedUntil: expect.any(Date) }]);
    const looked = github.requests.length;
    await minutes(10);
    // From then on only what is new is read, and a little before it.
    expect(github.requests.length - looked).toBeLessThan(10 * 200);
  });

  test.each([
    [429, { 'retry-after': '600' }, 600_000],
    [403, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(startMs / 1000 + 900) }, 840_000],
  ])('leaves GitHub alone when it says %i', async (code, headers, quietMs) => {
    status = 0;
    await github.deliver('push', {});
    status = 202;
    github.refusal = { status: code, headers, body: '{"message":"rate limit"}' };
    start();
    await minutes(1);
    const asked = github.requests.length;
    github.refusal = null;
    await minutes(Math.floor(quietMs / minuteMs) - 2);
    expect(github.requests).toHaveLength(asked);
    await minutes(5);
    expect(github.missing()).toEqual([]);
  });

  test.each([
    [404, '{"message":"Not Found"}'],
    [401, '{"message":"Bad credentials"}'],
    [200, '{"message":"no list"}'],
    [502, 'no json'],
  ])('says what is wrong when GitHub answers %i, and looks again', async (code, body) => {
    github.refusal = { status: code, body };
    start();
    await minutes(2);
    const [state] = await readHooks(database.db);
    expect(state!.failed?.reason).toMatch(/GitHub/);
    expect(logged.filter((line) => line.includes('checking for missing deliveries failed'))).toHaveLength(1);
    github.refusal = null;
    status = 0;
    await github.deliver('push', {});
    status = 202;
    // What a person must mend is looked at again within ten minutes.
    await minutes(13);
    expect(github.missing()).toEqual([]);
    expect(await readHooks(database.db)).toMatchObject([{ failed: null }]);
    expect(JSON.stringify(state) + logged.join('')).not.toContain(token);
  });

  test('notes since when a webhook is gone, where its list was read before, until it is there again', async () => {
    const gone = async () =>
      (await database.db.pool.query<{ gone: boolean }>('SELECT gone_since IS NOT NULL AS gone FROM hooks')).rows;
    const notFound = { status: 404, body: '{"message":"Not Found"}' };
    github.refusal = notFound;
    start();
    await minutes(2);
    // It may never have been there.
    expect(await gone()).toEqual([{ gone: false }]);
    github.refusal = null;
    await github.deliver('push', {});
    await minutes(13);
    github.refusal = notFound;
    await minutes(3);
    expect(await gone()).toEqual([{ gone: true }]);
    // What says nothing of the webhook changes nothing.
    github.refusal = { status: 503, body: '{}' };
    await minutes(13);
    expect(await gone()).toEqual([{ gone: true }]);
    github.refusal = null;
    await minutes(13);
    expect(await gone()).toEqual([{ gone: false }]);
  });

  test('two processes take turns; one that dies is followed within half a minute', async () => {
    status = 0;
    await github.deliver('push', {});
    status = 202;
    await database.db.pool.query(
      `INSERT INTO hooks (hook, holder, held_until) VALUES ('org:acme/42', gen_random_uuid(), $1)`,
      [new Date(startMs + 30_000)],
    );
    start();
    await time.move(25_000);
    expect(github.requests).toEqual([]);
    await time.move(10_000);
    expect(github.missing()).toEqual([]);
  });

  test('says that a delivery is lost when GitHub has forgotten it', async () => {
    status = 500;
    await github.deliver('push', {});
    const { metric } = start();
    await minutes(2);
    github.attempts.splice(0);
    await time.move(3 * 86_400_000);
    await minutes(1);
    expect(logged.join('')).toContain('a delivery is lost');
    expect(await metric('tripline_reconciler_lost_total{service="reconciler"} 1')).toBe(true);
    expect(await readHooks(database.db)).toMatchObject([{ missing: 0 }]);
  });

  test('does nothing, and says so, where nothing is configured to ask with', async () => {
    const reconciler = createReconciler({
      config: loadConfig({}, '/nonexistent'),
      db: database.as('reconciler'),
      logger: createLogger({ service: 'reconciler', level: 'info' }, { write: (line) => logged.push(line) }),
      clock: time.clock,
      metrics: createMetrics({ service: 'reconciler' }),
    });
    expect(reconciler.hooks).toEqual([]);
    expect(logged.join('')).toContain('redelivery is off');
    await reconciler.close();
    expect(await readHooks(database.db)).toEqual([]);
  });

  test('whatever fails and in whichever order, all of it arrives once the receiver answers', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom(202, 0, 503, 422), fc.nat(5)), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 7 }),
        async (history, pageSize) => {
          await database.db.pool.query('TRUNCATE hooks CASCADE');
          await begin(pageSize);
          const reconciler = start();
          for (const [answer, waitMinutes] of history) {
            status = answer;
            await github.deliver('push', {});
            if (waitMinutes > 0) await minutes(waitMinutes);
          }
          status = 202;
          // The longest pause of what was asked for most often.
          await minutes(12);
          for (let hour = 0; hour < 7; hour += 1) await time.move(60 * minuteMs);
          expect(github.missing()).toEqual([]);
          await reconciler.close();
        },
      ),
      { numRuns: 8 },
    );
  }, 60_000);
});
