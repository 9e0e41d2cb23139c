import { gzipSync } from 'node:zlib';
import { loadConfig } from '@tripline/config/config';
import { renderSettings } from '@tripline/config/settings-page';
import { fromEventRecord } from '@tripline/contracts/event-record';
import { createDedup } from '@tripline/engine/dedup';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { createEmbeddedStream } from '@tripline/stream/postgres/stream';
import { topics } from '@tripline/stream/stream';
import { fakeStream } from '@tripline/testing/fakes/stream';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { startReceiver } from '@tripline/testing/services/receiver';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

// The registry with one line more is all that this test changes.
vi.mock('@tripline/sources/registry', async (original) => {
  const { feeds } = await original<typeof import('@tripline/sources/registry')>();
  const { ledger } = await import('@tripline/testing/fakes/ledger/feed');
  return { feeds: [...feeds, ledger] };
});

const token = 'a token of the ledger';
const settings: object = { ledger: { tokens: [token] } };
const entries = [
  { id: '1', actor: 'mona', reads: 'acme/app', org: 'acme' },
  { id: '2', actor: 'mona', reads: 'acme/web', org: 'acme' },
  { id: '3', actor: 'eve', reads: 'other/app', org: 'other' },
];

let database: Awaited<ReturnType<typeof freshDatabase>>;
let stream: ReturnType<typeof createEmbeddedStream>;
let receiver: Awaited<ReturnType<typeof startReceiver>>;
beforeEach(async () => {
  database = await freshDatabase();
  const logger = createLogger({ service: 'test', level: 'silent' });
  stream = createEmbeddedStream({ db: database.as('receiver'), logger, clock: systemClock });
  const limits = { partitions: 1, retentionMs: 3_600_000, maxRecordBytes: 1024 * 1024 };
  await stream.ensureTopics([{ topic: topics.events, ...limits }]);
  receiver = await startReceiver(stream, { settings });
});
afterEach(async () => {
  await receiver.close();
  await stream.close();
  await database.close();
});

/** Records one after another, as a collector gathers them. */
const bodyOf = (...records: object[]) => gzipSync(records.map((one) => JSON.stringify(one)).join('\n'));
const send = (body: Buffer, headers: Record<string, string> = {}, path = '/ledger/entries') =>
  receiver.send(path, body, {
    'content-encoding': 'gzip',
    authorization: `Bearer ${token}`,
    ...headers,
  });
const kept = async () => {
  const records = await stream.read({ topic: topics.events, partition: 0, from: 0, limit: 100 });
  return records
    .map((record) => fromEventRecord(record, record, { checkWhole: true }))
    .filter(({ type }) => type === 'dev.cdeventsx.tripline-repository.read');
};

const success = { status: 200, body: { text: 'Success', code: 0 } };

test('a feed that is a folder and a line of the registry is received: its routes, its secrets, its words, many events a delivery', async () => {
  expect(await send(bodyOf(...entries))).toMatchObject(success);
  expect((await kept()).map(({ id, data }) => [id, data['vcs.repository.name']])).toEqual([
    ['ledger:1', 'acme/app'],
    ['ledger:2', 'acme/web'],
  ]);
  expect(await receiver.metric('source="ledger",outcome="ignored",reason="unknown-organization"')).toBe(true);

  // Sent again with one more, on its other route, as another type: what was kept is not kept twice.
  const more = bodyOf(...entries, { ...entries[0], id: '4' });
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  expect(await send(more, form, '/ledger/entries/form')).toMatchObject(success);
  expect((await kept()).map(({ id }) => id)).toEqual(['ledger:1', 'ledger:2', 'ledger:4']);
  expect(await send(more)).toMatchObject(success);
  expect(await kept()).toHaveLength(3);
});

test('records of one body are no repetitions of one another: each is judged as new', async () => {
  await send(bodyOf(...entries));
  const dedup = createDedup();
  expect((await kept()).map((event) => dedup.classify(event, 0))).toEqual(['new', 'new']);
});

test('one record that is none, or that the log never takes, does not keep back its neighbours', async () => {
  const long = { ...entries[0], id: 'long', reads: 'x'.repeat(2 * 1024 * 1024) };
  expect(await send(bodyOf(entries[0]!, { id: 5 }, long, entries[1]!))).toMatchObject(success);
  expect((await kept()).map(({ id }) => id)).toEqual(['ledger:1', 'ledger:2']);
  expect(await receiver.metric('outcome="ignored",reason="unexpected-shape"')).toBe(true);
  expect(await receiver.metric('outcome="ignored",reason="event-too-large"')).toBe(true);
});

test('a delivery of which not all is kept is not acknowledged, and sent again it is kept whole, once', async () => {
  await receiver.close();
  const narrow = fakeStream();
  const config = { ...settings, receiver: { spoolLimitBytes: 0 } };
  receiver = await startReceiver(narrow, { settings: config });
  expect(await send(bodyOf(entries[0]!))).toMatchObject(success);
  narrow.away = true;
  const busy = { status: 503, body: { text: 'Server is busy', code: 9 } };
  expect(await send(bodyOf(...entries))).toMatchObject(busy);
  narrow.away = false;
  expect(await send(bodyOf(...entries))).toMatchObject(success);
  const ids = narrow.appended.map(({ headers }) => headers['ce_id']).filter((id) => id?.startsWith('ledger:'));
  expect(ids).toEqual(['ledger:1', 'ledger:2']);
});

test('it answers what delivers nothing, too, and says when nothing would be kept', async () => {
  const ask = async () => {
    const response = await fetch(`${receiver.base}/ledger/health?token=x`);
    return [response.status, response.headers.get('content-type'), await response.json()];
  };
  expect(await ask()).toEqual([200, 'application/json; charset=utf-8', { text: 'Healthy', code: 17 }]);
  expect((await fetch(`${receiver.base}/ledger/entries`)).status).toBe(404);
  expect(await kept()).toEqual([]);

  await receiver.close();
  const away = fakeStream();
  away.away = true;
  receiver = await startReceiver(away, { settings: { ...settings, receiver: { spoolLimitBytes: 64 * 1024 + 100 } } });
  expect(await send(bodyOf(entries[0]!))).toMatchObject(success);
  expect(await ask()).toEqual([503, 'application/json; charset=utf-8', { text: 'Queue is full', code: 18 }]);
});

test('nothing of it is taken by another feed’s secret, and nothing that nobody signed is inflated', async () => {
  const body = bodyOf(...entries);
  const refused = { status: 403, body: { text: 'Invalid token', code: 4 } };
  expect(await send(body, { authorization: 'Bearer a secret for tests' })).toMatchObject(refused);
  const bomb = gzipSync(Buffer.alloc(40 * 1024 * 1024));
  expect(await send(bomb, { authorization: 'Bearer wrong' })).toMatchObject(refused);
  expect(await send(bomb)).toMatchObject({ status: 413 });
  expect(await send(Buffer.from('no gzip'))).toMatchObject({ status: 400 });
  expect(await send(gzipSync('{"id":"1"'))).toMatchObject({
    ...{ status: 400, body: { text: 'Invalid data format', code: 6 } },
  });
  // GitHub's feed takes no encoding still, and no other type.
  const json = { 'content-type': 'application/json' };
  expect(await send(body, json, '/webhooks/github')).toMatchObject({ status: 415 });
  expect(await send(body, {}, '/webhooks/github')).toMatchObject({ status: 415 });
  expect(await kept()).toEqual([]);
});

test('its settings and variables are settings like any other', () => {
  const config: object = loadConfig({ TRIPLINE_LEDGER_TOKENS: token }, '/nonexistent');
  expect(config).toMatchObject({ ledger: { tokens: [token] } });
  expect(renderSettings()).toContain('| `ledger.tokens` |');
  const shared = { TRIPLINE_LEDGER_TOKENS: token, TRIPLINE_GITHUB_WEBHOOK_SECRET: token };
  expect(() => loadConfig(shared, '/nonexistent')).toThrow(/ledger.tokens .*: is also a secret of GitHub’s webhooks/);
});
