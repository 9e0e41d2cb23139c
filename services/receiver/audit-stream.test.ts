import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { loadConfig } from '@tripline/config/config';
import { fromEventRecord } from '@tripline/contracts/event-record';
import { drillTokenOf } from '@tripline/sources/github-audit/tokens';
import { fakeStream } from '@tripline/testing/fakes/stream';
import { drillKey, secret, startReceiver } from '@tripline/testing/services/receiver';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

/** GitHub's audit log as it streams it to a Splunk HTTP Event Collector, over HTTP. */
const token = 'a-token-of-the-stream';
const ofAcme = 'a-token-of-acme-alone';
const settings = {
  'github-audit': { tokens: [token] },
  workspaces: [
    { id: 'acme', github: { organizations: ['acme'] }, 'github-audit': { tokens: [ofAcme] } },
    { id: 'beta', github: { organizations: ['beta'] } },
  ],
};
const record = (id: string, more: object = {}) => ({
  ...{ '@timestamp': Date.parse('2026-11-28T04:00:00Z'), _document_id: id, action: 'repo.access' },
  ...{ actor: 'mona', actor_id: 7, org: 'acme', org_id: 77, repo: 'acme/app', ...more },
});
const json = (...objects: object[]) => objects.map((one) => JSON.stringify(one));

let stream: ReturnType<typeof fakeStream>;
let receiver: Awaited<ReturnType<typeof startReceiver>>;
beforeEach(async () => {
  stream = fakeStream();
  receiver = await startReceiver(stream, { settings });
});
afterEach(() => receiver.close());

const send = (body: string | Buffer, headers: Record<string, string> = {}, path = '/services/collector') =>
  receiver.send(path, body, { authorization: `Splunk ${ofAcme}`, ...headers });
const keptEvents = () =>
  stream.appended
    .filter(({ headers }) => headers['ce_id']?.startsWith('github-audit:'))
    .map((kept, offset) => fromEventRecord(kept, { partition: 0, offset, appendedAtMs: 0 }, { checkWhole: true }));
const kept = () => keptEvents().map(({ id }) => id.slice('github-audit:'.length));
const success = { status: 200, body: { text: 'Success', code: 0 } };

test('records in every form that senders give them are events, on each of its paths', async () => {
  const [a, b, c, d] = [record('a'), record('b'), record('c', { event: 'push' }), record('d')];
  const runTogether = json({ event: a, time: '1795838400.5', host: 'h' }, { event: JSON.stringify(b) }, c).join('');
  expect(await send(runTogether, { 'content-type': 'application/x-www-form-urlencoded' })).toMatchObject(success);
  const oneALine = json({ event: { message: d, severity: 'info' } }, record('e')).join('\n');
  expect(await send(gzipSync(oneALine), { 'content-encoding': 'gzip' }, '/services/collector/event')).toMatchObject(
    success,
  );
  const wrapped = json({ event: { message: JSON.stringify(record('f')) } })[0]!;
  expect(await send(wrapped, {}, '/services/collector/event/1.0')).toMatchObject(success);
  expect(kept()).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  expect(keptEvents()[0]).toMatchObject({ workspace: 'acme', trust: 'medium', source: '//github.com/acme' });

  // Sent again, in another body: what was kept is not kept twice.
  expect(await send(json(record('a'), record('g')).join('\n'))).toMatchObject(success);
  expect(kept()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
});

test('one bad record keeps back no other, and is told by its place and reason', async () => {
  const lines = [
    ...json(record('a'), { event: 'plain text' }, { event: { 'no action': 1 } }, record('b', { repo: '../..' })),
    '{"event":{"action":"repo.access"',
    ...json(record('c', { org: 'beta', org_id: 78, repo: 'beta/app' }), record('d')),
  ];
  expect(await send(lines.join('\n'))).toMatchObject(success);
  expect(kept()).toEqual(['a', 'd']);
  for (const reason of ['unexpected-shape', 'impossible-name', 'unknown-organization'])
    expect(await receiver.metric(`source="github-audit",outcome="ignored",reason="${reason}"`)).toBe(true);
  await receiver.close();
  const told = stream.appended.map(({ value }) => value.toString()).join();
  for (const part of ['record 2 of 7', 'record 3 of 7', 'record 4 of 7', 'record 5 of 7', 'record 6 of 7'])
    expect(told).toContain(part);
  receiver = await startReceiver(stream, { settings });
});

test('a drill’s token speaks for drills alone, and no other token for a drill', async () => {
  const drill = { org: 'tripline-drill-x', org_id: 5, repo: 'tripline-drill-x/app' };
  const byDrill = { authorization: `Splunk ${drillTokenOf(drillKey)}` };
  const records = json(
    record('a'),
    record('b', drill),
    record('c', { ...drill, repo: 'acme/app' }),
    record('d', { ...drill, org: 'acme', org_id: 77 }),
    { ...record('e', { business: 'acme-inc' }), org: undefined, org_id: undefined, repo: undefined },
  ).join('\n');
  expect(await send(records, byDrill)).toMatchObject(success);
  expect(keptEvents()).toMatchObject([{ id: 'github-audit:b', workspace: 'tripline-drill-x' }]);

  for (const authorization of [`Splunk ${token}`, `Splunk ${ofAcme}`]) await send(records, { authorization });
  expect(keptEvents().flatMap(({ id, workspace }) => (workspace === 'acme' ? [id] : []))).toEqual([
    'github-audit:a',
    'github-audit:e',
  ]);
  expect(keptEvents().filter(({ workspace }) => workspace.startsWith('tripline-drill-'))).toHaveLength(1);

  expect(await send(records, { authorization: `Splunk ${drillKey}` })).toMatchObject({ status: 403 });
  for (const off of [{ drills: false }, { drillKey: undefined }]) {
    await receiver.close();
    receiver = await startReceiver(stream, { settings: { ...settings, ...off } });
    expect(await send(records, byDrill)).toMatchObject({ status: 403, body: { text: 'Invalid token', code: 4 } });
  }
});

test.each([
  ['no token', {}, 401, 'Token is required', 2],
  ['another scheme', { authorization: `Bearer ${ofAcme}` }, 401, 'Invalid authorization', 3],
  ['no token after the scheme', { authorization: 'Splunk ' }, 401, 'Invalid authorization', 3],
  ['a wrong token', { authorization: `Splunk ${ofAcme}x` }, 403, 'Invalid token', 4],
  ['the webhook’s secret', { authorization: `Splunk ${secret}` }, 403, 'Invalid token', 4],
])('%s is refused in HEC’s words', async (_, headers, status, text, code) => {
  const body = json(record('a'))[0]!;
  expect(await receiver.send('/services/collector', body, headers)).toMatchObject({ status, body: { text, code } });
  expect(kept()).toEqual([]);
});

test('no data, no JSON and half of a record are refused whole, with HEC’s codes', async () => {
  expect(await send('')).toMatchObject({ status: 400, body: { code: 5 } });
  expect(await send(' \n')).toMatchObject({ status: 400, body: { code: 5 } });
  for (const body of ['no json', `${json(record('a'))}{"event":`, '[]'])
    expect(await send(body)).toMatchObject({ status: 400, body: { text: 'Invalid data format', code: 6 } });
  expect(await send('x', { 'content-encoding': 'br' })).toMatchObject({ status: 415, body: { code: 6 } });
  expect(kept()).toEqual([]);
});

test('a token speaks for its workspaces alone; a record of another’s, or of nobody’s, is left out', async () => {
  const records = json(
    record('a'),
    record('b', { org: 'beta', org_id: 78, repo: 'beta/app' }),
    record('c', { org: 'gamma', org_id: 79 }),
  );
  expect(await send(records.join(''))).toMatchObject(success);
  expect(kept()).toEqual(['a']);
  expect(await send(records.join(''), { authorization: `Splunk ${token}` })).toMatchObject(success);
  expect(keptEvents().map(({ id, workspace }) => [id, workspace])).toEqual([
    ['github-audit:a', 'acme'],
    ['github-audit:b', 'beta'],
  ]);
  // A repository of another owner than the organisation's: both must be its own.
  await send(json(record('d', { repo: 'beta/app' }))[0]!);
  expect(kept()).not.toContain('d');
  // The enterprise's own records are those of the only workspace.
  const { org: _, org_id: __, repo: ___, ...enterprises } = record('e', { business: 'acme-inc' });
  await send(json(enterprises)[0]!);
  expect(keptEvents().at(-1)).toMatchObject({ id: 'github-audit:e', workspace: 'acme', source: '//github.com' });
});

test('an enterprise’s own records belong to the workspace that names it, where a stream is shared', async () => {
  const { org: _, org_id: __, repo: ___, ...enterprises } = record('e', { business: 'Acme-Inc' });
  const shared = { authorization: `Splunk ${token}` };
  const [acme, beta] = settings.workspaces.map(({ id, github }) => ({ id, github }));
  const start = async (workspaces: object[]) => {
    await receiver.close();
    receiver = await startReceiver(stream, { settings: { 'github-audit': { tokens: [token] }, workspaces } as never });
  };
  await start([acme!, beta!]);
  await send(json(enterprises)[0]!, shared);
  expect(await receiver.metric('outcome="ignored",reason="no-workspace"')).toBe(true);
  await start([acme!, { ...beta!, 'github-audit': { enterprises: ['acme-inc'] } }]);
  await send(json(enterprises)[0]!, shared);
  expect(keptEvents()).toMatchObject([{ id: 'github-audit:e', workspace: 'beta' }]);
  // A token that does not speak for that workspace says nothing of its enterprise.
  await start([
    { ...acme!, 'github-audit': { tokens: [ofAcme] } },
    { ...beta!, 'github-audit': { enterprises: ['acme-inc'] } },
  ]);
  await send(json({ ...enterprises, _document_id: 'f' })[0]!);
  expect(kept()).toEqual(['e']);
  const twice = [acme, beta].map((one) => ({ ...one, 'github-audit': { enterprises: ['acme-inc'] } }));
  await expect(start(twice)).rejects.toThrow(/is named twice/);
  receiver = await startReceiver(stream, { settings });
});

test('unless every record is kept, none is acknowledged; sent again, each is kept once', async () => {
  await receiver.close();
  receiver = await startReceiver(stream, { settings: { ...settings, receiver: { spoolLimitBytes: 0 } } });
  await send(json(record('a'))[0]!);
  stream.away = true;
  const body = json(record('a'), record('b'), record('c')).join('');
  expect(await send(body)).toMatchObject({ status: 503, body: { text: 'Server is busy', code: 9 } });
  stream.away = false;
  expect(await send(body)).toMatchObject(success);
  expect(kept()).toEqual(['a', 'b', 'c']);
});

test('it says whether it is healthy, as GitHub asks before it streams', async () => {
  for (const path of ['/services/collector/health', '/services/collector/health/1.0']) {
    const response = await fetch(`${receiver.base}${path}`);
    expect([response.status, await response.json()]).toEqual([200, { text: 'HEC is healthy', code: 17 }]);
  }
});

test('bodies of clients as they were recorded', async () => {
  await receiver.close();
  receiver = await startReceiver(stream, { settings: { 'github-audit': { tokens: [token] } } });
  const file = join(import.meta.dirname, '../../test/fixtures/hec-clients.jsonl');
  for (const line of readFileSync(file, 'utf8').trim().split('\n')) {
    const { path, headers, body } = JSON.parse(line) as { path: string; headers: object; body: string };
    expect(await send(body, { ...headers, authorization: `Splunk ${token}` }, path)).toMatchObject(success);
  }
  expect(kept()).toEqual([]);
  expect(await receiver.metric('outcome="ignored",reason="no-workspace"')).toBe(true);
  expect(await receiver.metric('outcome="ignored",reason="unexpected-shape"')).toBe(true);
});

describe('bad input takes bounded time and memory', () => {
  test('a gzip bomb is inflated to the limit alone, and not at all for a stranger', async () => {
    const bomb = gzipSync(Buffer.alloc(300 * 1024 * 1024));
    const gzip = { 'content-encoding': 'gzip' };
    expect(await send(bomb, { ...gzip, authorization: 'Splunk wrong' })).toMatchObject({ status: 403 });
    expect(await send(bomb, gzip)).toMatchObject({ status: 413, body: { code: 6 } });
    expect(await send('no gzip', gzip)).toMatchObject({ status: 400, body: { code: 6 } });
  });

  test('a body of a million records is refused, and a record of a megabyte is kept short', async () => {
    const million = gzipSync('{"action":"a","org":"acme"}'.repeat(900_000));
    expect(await send(million, { 'content-encoding': 'gzip' })).toMatchObject({ status: 400 });
    const many = gzipSync('{"action":"a"}'.repeat(20_000));
    expect(await send(many, { 'content-encoding': 'gzip' })).toMatchObject({ status: 413 });
    const long = record('long', { note: 'x'.repeat(1024 * 1024) });
    expect(await send(json(long, record('b')).join('\n'))).toMatchObject(success);
    expect(kept()).toEqual(['long', 'b']);
    expect(stream.appended[0]!.value.length).toBeLessThan(10_000);
  });
});

test('no token serves two feeds', () => {
  const shared = { TRIPLINE_GITHUB_AUDIT_TOKEN: token, TRIPLINE_GITHUB_WEBHOOK_SECRET: token };
  expect(() => loadConfig(shared, '/nonexistent')).toThrow(/github-audit.tokens .*: is also a secret of GitHub’s/);
});
