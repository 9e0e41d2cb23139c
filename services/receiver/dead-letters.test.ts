import { topics } from '@tripline/stream/stream';
import { fakeStream } from '@tripline/testing/fakes/stream';
import { startReceiver } from '@tripline/testing/services/receiver';
import { afterEach, beforeEach, expect, test } from 'vitest';

/** What is genuine and cannot be read: an outline of it is kept in the dead-letter topic, and no secret in it. */
const token = 'a-token-of-the-stream';
const canary = 'canary-without-a-form-81f3a0c2d947';
const settings = { 'github-audit': { tokens: [token] } };
const good = (id: string) => ({ action: 'repo.create', _document_id: id, org: 'acme', org_id: 77, repo: 'acme/app' });

let stream: ReturnType<typeof fakeStream>;
let receiver: Awaited<ReturnType<typeof startReceiver>>;
beforeEach(async () => {
  stream = fakeStream();
  receiver = await startReceiver(stream, { settings });
});
afterEach(() => receiver.close());

const send = (body: string) => receiver.send('/services/collector', body, { authorization: `Splunk ${token}` });
const lines = (...objects: object[]) => objects.map((one) => JSON.stringify(one)).join('\n');
const lettersIn = () =>
  stream.appended
    .filter(({ topic }) => topic === topics.deadLetters)
    .map(({ headers, value }) => ({ ...headers, outline: JSON.parse(value.toString()) }));
const kept = () =>
  stream.appended.flatMap(({ topic, headers }) => (topic === topics.events ? (headers['ce_id'] ?? []) : []));

test('a record of the audit log: by its place and reason, as an outline without what it said', async () => {
  const body = [
    lines(good('a'), { event: canary }, { event: { [canary]: canary, user_id: 9 } }),
    `{"event":{"action":"${canary}"`,
    lines({ ...good('b'), repo: '../..' }, { ...good('c'), action: '' }, good('d')),
  ].join('\n');
  expect(await send(body)).toMatchObject({ status: 200 });
  expect(kept()).toEqual(['github-audit:a', 'github-audit:d']);
  expect(lettersIn()).toMatchObject([
    {
      tripline_reason: 'unexpected-shape: it holds no record: none names its action',
      ...{ tripline_feed: 'github-audit', tripline_place: 'record 2 of 7' },
      tripline_body_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      outline: { event: `text of ${canary.length} characters` },
    },
    { tripline_place: 'record 3 of 7', outline: { event: { user_id: 9 } } },
    { tripline_place: 'record 4 of 7', tripline_reason: 'unexpected-shape: The record is no JSON object' },
    {
      tripline_reason: expect.stringContaining('impossible-name'),
      tripline_organization: 'acme',
      outline: { action: 'repo.create', org: 'acme', org_id: 77, repo: 'text of 5 characters' },
    },
    { tripline_place: 'record 6 of 7', tripline_reason: expect.stringContaining('1 to 200 characters') },
  ]);
  expect(stream.appended.map(({ value, headers }) => `${value} ${JSON.stringify(headers)}`).join()).not.toContain(
    canary,
  );
  expect(receiver.logged()).not.toContain(canary);
  expect(await receiver.metric('dead_letters_total{source="github-audit",outcome="kept",service="receiver"} 5')).toBe(
    true,
  );
});

test('what can be read and is not ours, or concerns nobody, leaves no letter', async () => {
  await send(lines({ action: 'repo.create' }, good('a')));
  await receiver.github('star', { action: 'created', starred_at: 'now' });
  await receiver.github('ping', { zen: 'z', hook_id: 1, hook: {} });
  expect(lettersIn()).toEqual([]);
});

test('a webhook’s delivery that has not the form of its event, once however often it is delivered', async () => {
  const odd = { [canary]: canary, deep: { secret: canary }, organization: { login: 'acme', id: 2 } };
  for (let nth = 0; nth < 2; nth += 1)
    expect(await receiver.github('push', odd, { 'x-github-delivery': 'd-1' })).toMatchObject({
      status: 202,
      body: { status: 'ignored', reason: 'unexpected-shape' },
    });
  expect(lettersIn()).toMatchObject([
    {
      ...{ tripline_feed: 'github', tripline_place: 'd-1, push', tripline_organization: 'acme' },
      outline: { deep: { secret: `text of ${canary.length} characters` } },
    },
  ]);
  expect(JSON.stringify(lettersIn())).not.toContain(canary);
});

test('ten thousand bad records in a body: twenty letters, and the rest is counted', async () => {
  const bad = Array.from({ length: 9999 }, (_, nth) => ({ event: { nth } }));
  expect(await send(lines(...bad, good('last')))).toMatchObject({ status: 200 });
  expect(lettersIn()).toHaveLength(20);
  expect(kept()).toEqual(['github-audit:last']);
  expect(await receiver.metric('outcome="over-rate",service="receiver"} 9979')).toBe(true);
});

test('a letter that is not on disk leaves the body unacknowledged; sent again, it is kept once', async () => {
  await receiver.close();
  receiver = await startReceiver(stream, { settings: { ...settings, receiver: { spoolLimitBytes: 0 } } });
  const body = lines(good('a'), { event: 'odd' });
  stream.away = true;
  expect(await send(lines({ event: 'odd' }))).toMatchObject({ status: 503, body: { code: 9 } });
  expect(await receiver.github('push', { odd: 1 })).toMatchObject({ status: 503 });
  stream.away = false;
  for (let nth = 0; nth < 3; nth += 1) expect(await send(body)).toMatchObject({ status: 200 });
  expect(kept()).toEqual(['github-audit:a']);
  expect(lettersIn()).toHaveLength(1);
});

test('while the log is away letters wait in the spool, behind what came before them', async () => {
  stream.away = true;
  expect(await send(lines(good('a'), { event: 'odd' }))).toMatchObject({ status: 200 });
  stream.away = false;
  await expect.poll(() => lettersIn().length, { interval: 20, timeout: 10_000 }).toBe(1);
  expect(kept()).toEqual(['github-audit:a']);
});

test('an event that the log never takes, at once or once it is back, leaves a letter', async () => {
  const names = Array.from({ length: 300 }, (_, nth) => `SECRET_${nth}`);
  const long = {
    ...good('long'),
    action: 'workflows.prepared_workflow_job',
    secrets_passed: names,
    user_agent: canary,
  };
  stream.maxRecordBytes = 1200;
  expect(await send(lines(long))).toMatchObject({ status: 200 });
  stream.away = true;
  expect(await send(lines({ ...long, _document_id: 'later' }))).toMatchObject({ status: 200 });
  stream.away = false;
  await expect.poll(() => lettersIn().length, { interval: 20, timeout: 10_000 }).toBe(2);
  expect(kept()).toEqual([]);
  expect(lettersIn()).toMatchObject([
    { tripline_reason: expect.stringContaining('event-too-large'), tripline_place: 'github-audit:long' },
    { tripline_reason: expect.stringContaining('event-too-large'), tripline_place: 'github-audit:later' },
  ]);
  expect(JSON.stringify(lettersIn())).not.toContain(canary);
});
