import { settings as wholeSettings } from '@tripline/config/settings';
import { fromEventRecord } from '@tripline/contracts/event-record';
import { checkHealth } from '@tripline/health/health';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
import { readPolls } from '@tripline/sources/polls';
import { createEmbeddedStream } from '@tripline/stream/postgres/stream';
import { type Stream, topics } from '@tripline/stream/stream';
import { startAuditLog } from '@tripline/testing/fakes/github-audit-log';
import { handClock } from '@tripline/testing/fakes/github-hook';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createPoller } from './poller.ts';

const token = 'a token of an owner, a canary';
const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
const startMs = Date.parse('2026-05-01T12:00:00Z');

let database: Awaited<ReturnType<typeof freshDatabase>>;
let time: ReturnType<typeof handClock>;
let github: Awaited<ReturnType<typeof startAuditLog>>;
let log: Stream;
let logged: string[];
let number: number;
let begun: { close: () => Promise<void> }[];

beforeEach(async () => {
  database = await freshDatabase();
  time = handClock(startMs);
  [logged, number, begun] = [[], 0, []];
  github = await startAuditLog({ nowMs: () => time.clock.nowMs(), token });
  const logger = createLogger({ service: 'test', level: 'silent' });
  const owner = createEmbeddedStream({ db: database.as('receiver'), logger, clock: systemClock });
  await owner.ensureTopics(
    [topics.events, topics.deadLetters].map((topic) => ({
      ...{ topic, partitions: 1, retentionMs: 3_600_000, maxRecordBytes: 64 * 1024 },
    })),
  );
  await owner.close();
  log = createEmbeddedStream({ db: database.as('reconciler'), logger, clock: systemClock });
});
afterEach(async () => {
  for (const one of begun) await one.close();
  await log.close();
  await github.close();
  await database.close();
});

const settings = () => ({
  workspaces: [],
  github: { apiUrl: github.url },
  'github-audit': { polled: [{ organization: 'acme' }], pollToken: token },
});
async function start() {
  const poller = await createPoller({
    ...{ polls: await readPolls(settings()), config: settings(), db: database.as('reconciler') },
    ...{ stream: log, clock: time.clock, metrics: createMetrics({ service: 'reconciler' }) },
    logger: createLogger({ service: 'reconciler', level: 'trace' }, { write: (line) => logged.push(line) }),
  });
  begun.push(poller);
  return poller;
}
/** One record more, of `agoMs` ago, which appears `lateMs` after its act. */
function record({ agoMs = 0, lateMs = 0, org = 'acme' } = {}): string {
  number += 1;
  const _document_id = `doc${number}`;
  const timestamp = time.clock.nowMs() - agoMs;
  github.add({ '@timestamp': timestamp, action: 'repo.create', actor: 'mona', org, _document_id }, lateMs);
  return _document_id;
}
async function minutes(count: number): Promise<void> {
  for (let left = count; left > 0; left -= 1) await time.move(minuteMs);
}
async function inLog(): Promise<string[]> {
  const records = await log.read({ topic: topics.events, partition: 0, from: 0, limit: 5000 });
  const events = records.map((one) => fromEventRecord(one, one, { checkWhole: true }));
  expect(events.every(({ workspace, source }) => workspace === 'acme' && source === '//github.com/acme')).toBe(true);
  return events.map(({ id }) => id.replace('github-audit:', ''));
}
async function health() {
  vi.setSystemTime(time.clock.nowMs());
  const checks = await checkHealth(database.as('cli'), settings());
  vi.useRealTimers();
  return checks.find(({ name }) => name === 'polled feed github-audit acme');
}

test('the log is read whole, page by page, each record once, by the cursor alone and at no other address', async () => {
  const ids = Array.from({ length: 250 }, () => record());
  await start();
  await minutes(2);
  expect(await inLog()).toEqual(ids);
  expect(github.asked.slice(0, 3).map(({ pathname, searchParams }) => [pathname, searchParams.get('after')])).toEqual([
    ['/orgs/acme/audit-log', null],
    ['/orgs/acme/audit-log', '100'],
    ['/orgs/acme/audit-log', '200'],
  ]);
  expect(await health()).toMatchObject({ state: 'ok', detail: expect.stringMatching(/^read up to 2026-05-01 12:0/) });
  expect(logged.join('')).not.toContain(token);
});

test('a record that appears minutes after its act is found, and what is read again comes once', async () => {
  const ids = [record()];
  await start();
  await minutes(1);
  ids.push(record({ lateMs: 14 * minuteMs }));
  for (let passed = 0; passed < 16; passed += 1) {
    await minutes(1);
    ids.push(record());
  }
  await minutes(2);
  expect((await inLog()).sort()).toEqual(ids.sort());
});

test('each round reads the last twenty minutes again: 21 requests at 100 records a minute', async () => {
  for (let passed = 30; passed >= 0; passed -= 1)
    for (let nth = 0; nth < 100; nth += 1) record({ agoMs: passed * minuteMs });
  await start();
  await minutes(1);
  for (let nth = 0; nth < 100; nth += 1) record();
  const before = github.asked.length;
  await minutes(1);
  const asked = github.asked.length - before;
  expect(asked).toBeGreaterThanOrEqual(21);
  expect(asked).toBeLessThanOrEqual(22);
});

test('after an outage the gap is filled from where it began, and what GitHub keeps no more is told by kind', async () => {
  const ids = [record()];
  const first = await start();
  await minutes(1);
  await first.close();
  time = handClock(startMs + 10 * dayMs);
  ids.push(record({ agoMs: 9 * dayMs }), record());
  await start();
  await minutes(1);
  expect(new Set(await inLog())).toEqual(new Set(ids));
  expect(await health()).toMatchObject({
    state: 'broken',
    detail: expect.stringMatching(/^its git events from 2026-05-01 .* to 2026-05-04 .* are lost/),
  });
  expect(logged.filter((line) => line.includes('records of a polled feed are lost'))).toHaveLength(1);
});

test('a record that cannot be read is a dead letter, once however often its window is read, and before the cursor moves', async () => {
  const canary = 'canary-without-a-form-81f3a0c2d947';
  const timestamp = time.clock.nowMs();
  github.add({ '@timestamp': timestamp, org: 'acme', _document_id: 'odd', secret: canary }, 0);
  github.add({ '@timestamp': timestamp, org: 'acme', action: 'repo.create', repo: '../..', token: canary }, 0);
  const ids = [record()];
  const letters = async () => {
    const read = await log.read({ topic: topics.deadLetters, partition: 0, from: 0, limit: 100 });
    return read.map(({ headers, value }) => ({ ...headers, outline: JSON.parse(value!.toString()) }));
  };
  await database.db.pool.query('ALTER TABLE log RENAME TO log_away');
  await start();
  await minutes(2);
  await database.db.pool.query('ALTER TABLE log_away RENAME TO log');
  await minutes(5);
  expect(await inLog()).toEqual(ids);
  expect(await letters()).toMatchObject([
    {
      ...{ tripline_feed: 'github-audit', tripline_workspace: 'acme', tripline_place: 'acme, record 1 of 3' },
      tripline_reason: 'unexpected-shape: its action has not 1 to 200 characters',
      outline: { '@timestamp': timestamp, org: 'acme', secret: `text of ${canary.length} characters` },
    },
    { tripline_reason: expect.stringContaining('impossible-name'), outline: { action: 'repo.create' } },
  ]);
  expect(JSON.stringify(await letters()) + logged.join('')).not.toContain(canary);
});

test("GitHub's limits ask for patience, however it says so, and nothing is truncated", async () => {
  const ids = Array.from({ length: 120 }, () => record());
  github.state.remaining = 0;
  await start();
  await minutes(9);
  expect(await inLog()).toEqual(ids.slice(0, 100));
  expect(github.asked).toHaveLength(1);
  github.state.remaining = 1700;
  await minutes(3);
  expect(await inLog()).toEqual(ids);
  const reset = String(Math.ceil(time.clock.nowMs() / 1000) + 300);
  for (const refuse of [
    { status: 403, headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset } },
    { status: 403, headers: { 'retry-after': '120' } },
    { status: 429, headers: {} },
  ]) {
    github.state.refuse = refuse;
    await minutes(8);
    expect(await health()).toMatchObject({ state: 'ok', detail: expect.stringContaining('1,750 requests an hour') });
  }
  github.state.refuse = undefined;
  await minutes(8);
  expect(await health()).toMatchObject({ state: 'ok', detail: expect.stringMatching(/^read up to/) });
});

test('a token that may not read it is a person’s to mend; a page that GitHub takes no more begins its window anew', async () => {
  const ids = Array.from({ length: 150 }, () => record());
  github.state.forgets = true;
  github.state.remaining = 0;
  await start();
  await minutes(1);
  // The rest of the window, when the allowance is there again, by a cursor that GitHub has forgotten.
  github.state.remaining = 1700;
  await minutes(11);
  github.state.forgets = false;
  await minutes(12);
  expect(new Set(await inLog())).toEqual(new Set(ids));
  github.state.refuse = { status: 404 };
  await minutes(3);
  expect(await health()).toMatchObject({ state: 'broken', detail: expect.stringContaining('read:audit_log') });
});

test('what tells of another organisation than was asked for is left out', async () => {
  const ids = [record()];
  record({ org: 'others' });
  await start();
  await minutes(1);
  expect(await inLog()).toEqual(ids);
});

test('what cannot be read is refused at the start, in words', () => {
  const faultsOf = (polled: unknown[], more: object = {}) =>
    wholeSettings
      .safeParse({ 'github-audit': { polled }, ...more })
      .error?.issues.map(({ path, message }) => `${path.join('.')} ${message}`);
  const acme = { id: 'acme', github: { organizations: ['acme'] } };
  const byToken = { workspaces: [acme], 'github-audit': { pollToken: token } };
  expect(faultsOf([{ organization: 'acme' }])).toEqual([expect.stringContaining('set github.app or github-audit')]);
  expect(faultsOf([{ enterprise: 'acme-inc', workspace: 'acme' }], { workspaces: [acme] })).toEqual([
    expect.stringContaining('github-audit.pollToken alone'),
  ]);
  const polled = [
    { organization: 'Acme' },
    { organization: 'acme' },
    { organization: 'b' },
    { enterprise: 'e', workspace: 'w' },
  ];
  expect(faultsOf([], { ...byToken, 'github-audit': { pollToken: token, polled } })).toEqual([
    'github-audit.polled.1.organization is named twice',
    expect.stringContaining('github-audit.polled.2.organization belongs to no workspace'),
    expect.stringContaining('github-audit.polled.3.workspace is the id of none'),
  ]);
});
