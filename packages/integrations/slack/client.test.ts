import { checkIntegration, type FakeService, startFakeService } from '@tripline/testing/integration.conformance';
import { afterEach, expect, test } from 'vitest';
import { createSlackClient } from './client.ts';

const botToken = 'xoxb-canary-5c1b7f0a9d3e';
const message = { text: 'hello', blocks: [] };
const ok = (more: object) => JSON.stringify({ ok: true, channel: 'C1', ts: '1.2', ...more });
const refused = (error: string) => ({ status: 200, body: JSON.stringify({ ok: false, error }) });
let service: FakeService | undefined;
afterEach(() => service?.close());

checkIntegration({
  name: 'Slack',
  secrets: [botToken],
  call: async ({ url, timeoutMs }) => {
    const client = createSlackClient({ botToken, channel: 'C1', apiUrl: `${url}/api/`, timeoutMs });
    return (await client.post(message)).outcome;
  },
  answers: [
    { when: '200 ok', answer: { status: 200, body: ok({}) }, outcome: { kind: 'done' } },
    {
      when: '429 with Retry-After',
      answer: { status: 429, headers: { 'retry-after': '7' } },
      outcome: { kind: 'retry', reason: 'rate-limited', afterMs: 7000 },
    },
    { when: '429 without', answer: { status: 429 }, outcome: { kind: 'retry', reason: 'rate-limited' } },
    { when: '500', answer: { status: 500 }, outcome: { kind: 'retry', reason: 'provider-failed' } },
    { when: '503', answer: { status: 503 }, outcome: { kind: 'retry', reason: 'provider-failed' } },
    { when: '403', answer: { status: 403 }, outcome: { kind: 'give-up', reason: 'rejected' } },
    {
      when: 'internal_error',
      answer: refused('internal_error'),
      outcome: { kind: 'retry', reason: 'provider-failed' },
    },
    { when: 'invalid_auth', answer: refused('invalid_auth'), outcome: { kind: 'give-up', reason: 'unauthorised' } },
    { when: 'missing_scope', answer: refused('missing_scope'), outcome: { kind: 'give-up', reason: 'forbidden' } },
    { when: 'not_in_channel', answer: refused('not_in_channel'), outcome: { kind: 'give-up', reason: 'no-channel' } },
    {
      when: 'message_not_found',
      answer: refused('message_not_found'),
      outcome: { kind: 'give-up', reason: 'message-gone' },
    },
    { when: 'invalid_blocks', answer: refused('invalid_blocks'), outcome: { kind: 'give-up', reason: 'rejected' } },
    {
      when: 'a page of HTML',
      answer: { status: 200, body: '<html>' },
      outcome: { kind: 'retry', reason: 'broken-off' },
    },
    { when: 'ok without ts', answer: { status: 200, body: '{"ok":true}' }, outcome: { kind: 'retry' } },
  ],
});

test('posts to the channel, replies in the thread, updates in place', async () => {
  service = await startFakeService(() => ({ status: 200, body: ok({}) }));
  const client = createSlackClient({ botToken, channel: 'C9', apiUrl: service.url });
  const { reference } = await client.post(message);
  expect(reference).toEqual({ channel: 'C1', ts: '1.2' });
  await client.post(message, reference);
  await client.update(reference!, message);
  const sent = service.requests.map(({ path, body }) => [path, Object.fromEntries(new URLSearchParams(body))] as const);
  expect(sent[0]).toMatchObject(['/chat.postMessage', { channel: 'C9', text: 'hello', unfurl_links: 'false' }]);
  expect(sent[0]![1]).not.toHaveProperty('thread_ts');
  expect(sent[1]).toMatchObject(['/chat.postMessage', { channel: 'C1', thread_ts: '1.2' }]);
  expect(sent[2]).toMatchObject(['/chat.update', { channel: 'C1', ts: '1.2' }]);
  expect(service.requests[0]!.headers.authorization).toBe(`Bearer ${botToken}`);
});

test('whoever pressed is answered alone, and a form belongs to its press', async () => {
  service = await startFakeService(({ path }) =>
    path === '/views.open' ? refused('expired_trigger_id') : { status: 200, body: '{"ok":true,"message_ts":"1.2"}' },
  );
  const client = createSlackClient({ botToken, channel: 'C9', apiUrl: service.url });
  expect(await client.postEphemeral({ channel: 'C1', user: 'U7' }, message)).toMatchObject({ kind: 'done' });
  expect(await client.ask('1.2.3', { type: 'modal', blocks: [] })).toMatchObject({
    kind: 'give-up',
    reason: 'rejected',
  });
  const sent = service.requests.map(({ path, body }) => [path, Object.fromEntries(new URLSearchParams(body))] as const);
  expect(sent[0]).toMatchObject(['/chat.postEphemeral', { channel: 'C1', user: 'U7', text: 'hello' }]);
  expect(sent[1]).toMatchObject(['/views.open', { trigger_id: '1.2.3', view: '{"type":"modal","blocks":[]}' }]);
});

test('a former channel that is gone takes its messages with it; the configured one is to be mended', async () => {
  service = await startFakeService(() => refused('is_archived'));
  const client = createSlackClient({ botToken, channel: 'C9', apiUrl: service.url });
  const reasons = [
    await client.update({ channel: 'C1', ts: '1.2' }, message),
    await client.post(message, { channel: 'C1', ts: '1.2' }),
    await client.update({ channel: 'C9', ts: '1.2' }, message),
    await client.post(message),
  ].map(({ outcome }) => outcome.reason);
  expect(reasons).toEqual(['message-gone', 'message-gone', 'no-channel', 'no-channel']);
});

test('a redirect is not followed: the token stays where it was sent', async () => {
  const other = await startFakeService(() => ({ status: 200, body: ok({}) }));
  service = await startFakeService(() => ({ status: 307, headers: { location: `${other.url}/chat.postMessage` } }));
  const client = createSlackClient({ botToken, channel: 'C1', apiUrl: service.url });
  expect((await client.post(message)).outcome.kind).not.toBe('done');
  expect(other.requests).toHaveLength(0);
  await other.close();
});
