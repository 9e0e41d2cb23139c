import { generateKeyPairSync } from 'node:crypto';
import { loadConfig } from '@tripline/config/config';
import { renderSettings } from '@tripline/config/settings-page';
import { fromEventRecord } from '@tripline/contracts/event-record';
import { createDedup } from '@tripline/engine/dedup';
import { checkHealth } from '@tripline/health/health';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
import { readPolls } from '@tripline/sources/polls';
import { createEmbeddedStream } from '@tripline/stream/postgres/stream';
import { type Stream, StreamUnavailableError, topics } from '@tripline/stream/stream';
import { startGazette } from '@tripline/testing/fakes/gazette/server';
import { handClock } from '@tripline/testing/fakes/github-hook';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createPoller } from './poller.ts';

// The registry with one line more is all that this test changes.
vi.mock('@tripline/sources/registry', async (original) => {
  const { feeds } = await original<typeof import('@tripline/sources/registry')>();
  const { gazette } = await import('@tripline/testing/fakes/gazette/feed');
  return { feeds: [...feeds, gazette] };
});

const token = 'a token of the gazette, a canary';
const minuteMs = 60_000;
const startMs = Date.parse('2026-05-01T12:00:00Z');

let database: Awaited<ReturnType<typeof freshDatabase>>;
let time: ReturnType<typeof handClock>;
let gazette: Awaited<ReturnType<typeof startGazette>>;
let log: Stream;
let logged: string[];
let number: number;
const closers: (() => Promise<void>)[] = [];

beforeEach(async () => {
  database = await freshDatabase();
  await begin();
});
afterEach(async () => {
  await end();
  await database.close();
});
async function begin(): Promise<void> {
  time = handClock(startMs);
  [logged, number] = [[], 0];
  gazette = await startGazette(token);
  closers.push(gazette.close);
  const logger = createLogger({ service: 'test', level: 'silent' });
  const owner = createEmbeddedStream({ db: database.as('receiver'), logger, clock: systemClock });
  const limits = { partitions: 1, retentionMs: 3_600_000, maxRecordBytes: 64 * 1024 };
  await owner.ensureTopics([topics.events, topics.deadLetters].map((topic) => ({ topic, ...limits })));
  await owner.close();
  log = createEmbeddedStream({ db: database.as('reconciler'), logger, clock: systemClock });
  closers.push(log.close);
}
async function end(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

const settings = () => ({
  workspaces: [],
  gazette: { apiUrl: gazette.url, token, organizations: ['acme'] },
});
type Access = {
  config: Parameters<typeof createPoller>[0]['config']['github'];
  fetch?: typeof globalThis.fetch;
  token: string | undefined;
};
async function start(
  stream: Pick<Stream, 'append'> = log,
  clock = time.clock,
  { config, fetch, token: own }: Access = { config: { apiUrl: gazette.url }, token },
) {
  const metrics = createMetrics({ service: 'reconciler' });
  const asked = { ...settings(), gazette: { ...settings().gazette, token: own } };
  const poller = await createPoller({
    ...{ polls: await readPolls(asked), config: { github: config }, db: database.as('reconciler') },
    ...{ stream, clock, metrics },
    ...(fetch === undefined ? {} : { fetch }),
    logger: createLogger({ service: 'reconciler', level: 'trace' }, { write: (line) => logged.push(line) }),
  });
  const close = () => poller.close();
  closers.push(close);
  return { close, metric: async (text: string) => (await metrics.metrics()).includes(text) };
}
/** One record more, which happened `agoMs` ago. */
function record(agoMs = 0): string {
  number += 1;
  const id = String(number);
  gazette.add({ id, atMs: time.clock.nowMs() - agoMs, actor: 'mona', reads: `acme/r${id}` });
  return id;
}
/** Lets a round pass. The first move also awaits the first round. */
async function minutes(count: number): Promise<void> {
  for (let left = count; left > 0; left -= 1) await time.move(minuteMs);
}
async function inLog(): Promise<string[]> {
  const records = await log.read({ topic: topics.events, partition: 0, from: 0, limit: 1000 });
  return records.map((one) => fromEventRecord(one, one, { checkWhole: true }).id.replace('gazette:', ''));
}
/** What doctor says of it now. */
async function health() {
  vi.setSystemTime(time.clock.nowMs());
  const checks = await checkHealth(database.as('cli'), settings());
  vi.useRealTimers();
  return checks.find(({ name }) => name === 'polled feed gazette acme');
}
const row = async () => (await database.db.pool.query('SELECT * FROM feed_polls')).rows[0];

test('a feed that is a folder and a line of the registry is asked: page by page, on from its cursor, each record once', async () => {
  const first = [record(), record(), record(), record(), record()];
  const { metric } = await start();
  await minutes(1);
  expect(await inLog()).toEqual(first);
  expect(gazette.asked.slice(0, 3).every((path) => path.startsWith('/orgs/acme/records?since='))).toBe(true);
  expect(gazette.asked.slice(0, 4).map((path) => /page=(.)/.exec(path)?.[1])).toEqual([undefined, '2', '4', undefined]);
  expect(await health()).toMatchObject({ state: 'ok', detail: expect.stringMatching(/^read up to 2026-05-01 12:01/) });

  // What appears late, within the overlap, is found; what was there is asked for again and appended no more.
  const late = record(10 * minuteMs);
  const next = record();
  await minutes(2);
  expect((await inLog()).slice(5).sort()).toEqual([late, next].sort());
  expect(await metric('feed_records_total{feed="gazette",outcome="kept",reason="",service="reconciler"} 7')).toBe(true);
  expect(await metric('tripline_reconciler_feed_polls_total{feed="gazette",outcome="done"')).toBe(true);
  expect(await metric('tripline_reconciler_feed_lag_seconds{feed="gazette"')).toBe(true);
  expect(logged.join('')).not.toContain(token);
});

test('the cursor moves only over what the log has acknowledged', async () => {
  const ids = [record(), record(), record()];
  let isAway = true;
  await start({
    append: async (records) => {
      if (isAway) throw new StreamUnavailableError('the log is away');
      return log.append(records);
    },
  });
  await minutes(1);
  expect(await row()).toMatchObject({ cursor: null, failed_kind: 'retry' });
  expect(await inLog()).toEqual([]);
  isAway = false;
  await minutes(2);
  expect(await inLog()).toEqual(ids);
  expect(await row()).toMatchObject({ failures: 0, failed_reason: null });
});

test('wherever it dies, and whatever fails, every record comes to the log, and is judged once', async () => {
  const steps = fc.array(fc.constantFrom('record', 'late', 'pass', 'die', 'log-away', 'gazette-away'), {
    ...{ minLength: 3, maxLength: 14 },
  });
  await fc.assert(
    fc.asyncProperty(steps, async (plan) => {
      await end();
      await database.db.pool.query('TRUNCATE feed_polls; TRUNCATE log; UPDATE log_partitions SET next_offset = 0');
      await begin();
      const ids: string[] = [];
      let dies: 'before' | 'after' | undefined;
      let away = false;
      const stream: Pick<Stream, 'append'> = {
        async append(records) {
          if (away || dies === 'before') throw new StreamUnavailableError('the log is away');
          const appended = await log.append(records);
          // Acknowledged, and the process hears nothing of it.
          if (dies === 'after') throw new StreamUnavailableError('it died');
          return appended;
        },
      };
      let poller = await start(stream);
      for (const [nth, step] of plan.entries()) {
        if (step === 'record') ids.push(record());
        if (step === 'late') ids.push(record(8 * minuteMs));
        if (step === 'log-away') away = !away;
        if (step === 'gazette-away') gazette.state.refuse = gazette.state.refuse ? undefined : { status: 502 };
        if (step === 'die') {
          dies = nth % 2 === 0 ? 'after' : 'before';
          await minutes(1);
          await poller.close();
          dies = undefined;
          poller = await start(stream);
        }
        if (step !== 'record' && step !== 'late') await minutes(1);
      }
      [away, gazette.state.refuse] = [false, undefined];
      await minutes(20);
      const dedup = createDedup();
      const judged = (await inLog()).filter(
        (id) => dedup.classify({ source: 'gazette', id, type: 'read' }, startMs) === 'new',
      );
      expect(judged.sort()).toEqual(ids.sort());
    }),
    { numRuns: 12 },
  );
});

test('one process asks at a time, and another goes on where it dies', async () => {
  const ids = [record()];
  const other = handClock(startMs);
  const poller = await start();
  await minutes(1);
  await start(log, other.clock);
  const before = gazette.asked.length;
  await other.move(5000);
  expect(gazette.asked).toHaveLength(before);
  ids.push(record());
  await poller.close();
  await other.move(10 * minuteMs);
  await vi.waitFor(async () => expect(new Set(await inLog())).toEqual(new Set(ids)));
});

test('who lost the poll while it appended moves nothing: what it appended comes twice, and counts once', async () => {
  const ids = [record(), record(), record()];
  const gate = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  let calls = 0;
  await start({
    append: async (records) => {
      calls += 1;
      if (calls > 1) return log.append(records);
      reached.resolve();
      await gate.promise;
      return log.append(records);
    },
  });
  await reached.promise;
  const other = handClock(startMs + 2 * minuteMs);
  await start(log, other.clock);
  await vi.waitFor(async () => expect(await inLog()).toEqual(ids));
  await vi.waitFor(async () => expect((await row()).unfinished).toBe(false));
  const before = await row();
  gate.resolve();
  await minutes(1);
  expect((await row()).cursor).toBe(before.cursor);
  expect((await row()).failures).toBe(0);
  expect(new Set(await inLog())).toEqual(new Set(ids));
});

test('a rate limit is kept to and told, and is red only after an hour', async () => {
  const ids = [record()];
  gazette.state.refuse = { status: 429, headers: { 'retry-after': '600' } };
  const { metric } = await start();
  await minutes(9);
  expect(gazette.asked).toHaveLength(1);
  expect(await health()).toMatchObject({
    state: 'ok',
    detail: expect.stringMatching(/^the gazette answered 429: .*; so since .*; retrying$/),
  });
  expect(await metric('feed_polls_total{feed="gazette",outcome="rate-limited"')).toBe(true);
  await minutes(60);
  expect(gazette.asked.length).toBeLessThanOrEqual(8);
  expect(await health()).toMatchObject({ state: 'broken' });
  gazette.state.refuse = undefined;
  await minutes(12);
  expect(await inLog()).toEqual(ids);
  expect(await health()).toMatchObject({ state: 'ok' });
});

test('a page that says that the allowance is used up is kept, and the rest is read when it is there again', async () => {
  const ids = [record(), record(), record()];
  gazette.state.restMs = 10 * minuteMs;
  await start();
  await minutes(8);
  expect(await inLog()).toEqual(ids.slice(0, 2));
  expect(gazette.asked).toHaveLength(1);
  expect(await health()).toMatchObject({ state: 'ok', detail: 'nothing of it is read yet; reading on' });
  gazette.state.restMs = undefined;
  await minutes(3);
  expect(await inLog()).toEqual(ids);
});

test('a provider that fails is asked ever more rarely, is red after five minutes, and said once', async () => {
  gazette.state.refuse = { status: 502 };
  await start();
  await minutes(2);
  expect(await health()).toMatchObject({ state: 'ok' });
  await minutes(118);
  expect(gazette.asked.length).toBeGreaterThan(8);
  expect(gazette.asked.length).toBeLessThan(20);
  expect(await health()).toMatchObject({
    state: 'broken',
    detail: expect.stringMatching(/^the gazette answered 502; so since/),
  });
  expect(logged.filter((line) => line.includes('answered 502'))).toHaveLength(1);
});

test('what a person must mend is red at once: a token that is refused, an answer that leads elsewhere', async () => {
  await start();
  for (const refuse of [{ status: 401 }, { status: 302, headers: { location: 'http://127.0.0.1:1/elsewhere' } }]) {
    gazette.state.refuse = refuse;
    await minutes(12);
    expect(await health()).toMatchObject({
      state: 'broken',
      detail: expect.stringContaining(`answered ${refuse.status}`),
    });
  }
  gazette.state.refuse = undefined;
  await minutes(12);
  expect(await health()).toMatchObject({ state: 'ok' });
});

test('a gap is filled from where it began; of what the provider keeps no more it is told that it is lost', async () => {
  const ids = [record()];
  const first = await start();
  await minutes(1);
  await first.close();
  // Off for three days: all is there still.
  time = handClock(startMs + 3 * 24 * 60 * minuteMs);
  ids.push(record(2 * 24 * 60 * minuteMs), record());
  const second = await start();
  await minutes(1);
  expect(await inLog()).toEqual([ids[0], ...ids]);
  expect(await health()).toMatchObject({ state: 'ok' });
  await second.close();
  // Off for ten days, and records are kept for seven.
  time = handClock(startMs + 13 * 24 * 60 * minuteMs);
  ids.push(record());
  const { metric } = await start();
  await minutes(2);
  expect(new Set(await inLog())).toEqual(new Set(ids));
  expect(await health()).toMatchObject({
    state: 'broken',
    detail: expect.stringMatching(
      /^its records from 2026-05-04 .* to 2026-05-07 .* are lost: it keeps them no more; read up to 2026-05-14/,
    ),
  });
  expect(await metric('tripline_reconciler_feed_lost_seconds_total{feed="gazette"')).toBe(true);
  // Told once, and green again after a day.
  expect(logged.filter((line) => line.includes('records of a polled feed are lost'))).toHaveLength(1);
  await minutes(1);
  await time.move(24 * 60 * minuteMs);
  expect(await health()).toMatchObject({ state: 'ok' });
});

test('one bad record, or one that the log never takes, does not keep back its neighbours', async () => {
  const first = record();
  gazette.add({ id: 'no record' });
  gazette.add({ id: 'long', atMs: startMs, actor: 'mona', reads: 'x'.repeat(100_000) });
  const last = record();
  const { metric } = await start();
  await minutes(1);
  expect(await inLog()).toEqual([first, last]);
  expect(await metric('outcome="ignored",reason="unexpected-shape"')).toBe(true);
  expect(await metric('outcome="ignored",reason="event-too-large"')).toBe(true);
  const letters = await log.read({ topic: topics.deadLetters, partition: 0, from: 0, limit: 10 });
  expect(letters.map(({ headers }) => headers['tripline_place'])).toEqual([
    expect.stringMatching(/^acme/),
    'acme, gazette:long',
  ]);
});

test('an answer that is broken off, or no JSON, is asked for again', async () => {
  const ids = [record()];
  gazette.insteads.push(
    (response) => void response.writeHead(200, { 'content-length': 100 }).write('{', () => response.destroy()),
    (response) => void response.writeHead(200).end('<html>'),
  );
  await start();
  await minutes(4);
  expect(await inLog()).toEqual(ids);
});

test('a token of the App is issued for each round, for the one owner and permission, and revoked after it', async () => {
  const ids = [record()];
  const { privateKey } = generateKeyPairSync('rsa', {
    ...{ modulusLength: 2048, publicKeyEncoding: { type: 'spki', format: 'pem' } },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const calls: string[] = [];
  let refusal: number | undefined;
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const { pathname } = new URL(String(input));
    calls.push(`${init?.method} ${pathname} ${init?.body ?? ''}`.trim());
    const answer = (status: number, body: object | null = null) =>
      new Response(body && JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } });
    if (pathname.endsWith('/installation') && init?.method === 'GET') return answer(200, { id: 7 });
    if (init?.method === 'DELETE') return answer(204);
    return refusal === undefined ? answer(201, { token }) : answer(refusal, { message: 'not granted' });
  };
  await start(log, time.clock, {
    config: { apiUrl: gazette.url, app: { id: '1', privateKey } },
    fetch,
    token: undefined,
  });
  await minutes(1);
  expect(await inLog()).toEqual(ids);
  expect(calls).toEqual([
    'GET /orgs/acme/installation',
    'POST /app/installations/7/access_tokens {"permissions":{"organization_administration":"read"}}',
    'DELETE /installation/token',
    ...calls.slice(3),
  ]);
  expect(logged.join('')).not.toContain(token);
  // A permission that is not granted is a person's to mend, and said as such.
  refusal = 422;
  await minutes(12);
  expect(await health()).toMatchObject({
    state: 'broken',
    detail: expect.stringContaining('grant it organization_administration: read'),
  });
  refusal = undefined;
  await minutes(12);
  expect(await health()).toMatchObject({ state: 'ok' });
});

test('where a feed needs a token of the App, and none is configured, that is said', async () => {
  await start(log, time.clock, { config: { apiUrl: gazette.url }, token: undefined });
  await minutes(1);
  expect(await health()).toMatchObject({ state: 'broken', detail: expect.stringContaining('set github.app') });
});

test('its settings, variables and secret are settings like any other; who never asks is red', async () => {
  const secrets = { TRIPLINE_GAZETTE_TOKEN: token, TRIPLINE_GITHUB_WEBHOOK_SECRET: token };
  expect(() => loadConfig(secrets, '/nonexistent')).toThrow(/gazette/);
  expect(renderSettings()).toContain('| `gazette.token` |');
  expect(await health()).toMatchObject({ state: 'broken', detail: 'nobody has asked it yet' });
});
