import { gzipSync } from 'node:zlib';
import { loadConfig } from '@tripline/config/config';
import { renderSettings } from '@tripline/config/settings-page';
import { fromEventRecord } from '@tripline/contracts/event-record';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { createEmbeddedStream } from '@tripline/stream/postgres/stream';
import { topics } from '@tripline/stream/stream';
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

const send = (body: Buffer, headers: Record<string, string> = {}, path = '/services/collector') =>
  receiver.send(path, body, {
    'content-type': 'application/json',
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

test('a feed that is a folder and a line of the registry is received: its routes, its secrets, many events a delivery', async () => {
  const body = gzipSync(JSON.stringify({ entries }));
  expect(await send(body)).toMatchObject({ status: 202, body: { status: 'kept', events: 2 } });
  expect((await kept()).map(({ id, data }) => [id, data['vcs.repository.name']])).toEqual([
    ['ledger:1', 'acme/app'],
    ['ledger:2', 'acme/web'],
  ]);
  expect(await receiver.metric('source="ledger",outcome="ignored",reason="unknown-organization"')).toBe(true);

  // Sent again with one more, on its other route: what was kept is not kept twice.
  const more = gzipSync(JSON.stringify({ entries: [...entries, { ...entries[0], id: '4' }] }));
  expect(await send(more, {}, '/services/collector/event')).toMatchObject({ status: 202, body: { status: 'kept' } });
  expect((await kept()).map(({ id }) => id)).toEqual(['ledger:1', 'ledger:2', 'ledger:4']);
  expect(await send(body)).toMatchObject({ status: 202, body: { status: 'duplicate' } });
});

test('nothing of it is taken by another feed’s secret, and nothing that nobody signed is inflated', async () => {
  const body = gzipSync(JSON.stringify({ entries }));
  expect(await send(body, { authorization: 'Bearer a secret for tests' })).toMatchObject({
    ...{ status: 401, body: { error: { reason: 'bad-signature' } } },
  });
  const bomb = gzipSync(Buffer.alloc(40 * 1024 * 1024));
  expect(await send(bomb, { authorization: 'Bearer wrong' })).toMatchObject({ status: 401 });
  expect(await send(bomb)).toMatchObject({ status: 413, body: { error: { reason: 'body-too-large' } } });
  expect(await send(Buffer.from('no gzip'))).toMatchObject({ status: 400 });
  // GitHub's feed takes no encoding still.
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
