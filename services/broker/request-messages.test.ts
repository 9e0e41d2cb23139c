import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { type FakeAnswer, type FakeRequest, startFakeService } from '@tripline/testing/integration.conformance';
import { minute, type PeopleRequests, startPeopleRequests } from '@tripline/testing/services/people-requests';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { remindInSlack, sayRequests } from './request-messages.ts';

let s: PeopleRequests;
let slack: Awaited<ReturnType<typeof startFakeService>>;
let instead: ((request: FakeRequest) => FakeAnswer | undefined) | undefined;
let posted: number;
beforeEach(async () => {
  s = await startPeopleRequests();
  instead = undefined;
  posted = 0;
  slack = await startFakeService((request) => {
    const other = instead?.(request);
    if (other !== undefined) return other;
    posted += 1;
    const { channel = 'C1' } = Object.fromEntries(new URLSearchParams(request.body));
    return { status: 200, body: JSON.stringify({ ok: true, channel, ts: `1.${posted}` }) };
  });
});
afterEach(async () => {
  await slack.close();
  await s.close();
});
const settings = () => ({
  ...{
    botToken: 'xoxb-a-token-of-sixteen',
    channel: 'C1',
    signingSecret: 'a secret of sixteen',
    teamId: 'T1',
    appId: 'A1',
  },
  ...{ people: { U7: 'Ada' }, apiUrl: `${slack.url}/` },
});
const parts = () => ({
  ...{ db: s.db, clock: { ...systemClock, nowMs: () => s.nowMs }, slack: settings() },
  logger: createLogger({ service: 'broker', level: 'silent' }),
  publicUrl: 'https://access.acme.example',
});
const say = () => sayRequests(parts());
const sent = () =>
  slack.requests.map(({ path, body }) => ({
    method: path.split('/').at(-1)!,
    ...(Object.fromEntries(new URLSearchParams(body)) as {
      channel: string;
      ts?: string;
      blocks: string;
      text: string;
    }),
  }));

test('asked, approved on the page that the message names, given and ended, in one message', async () => {
  const id = await s.ask();
  await s.work();
  expect(await say()).toBe(1);
  expect(await say()).toBe(0);
  const { id: prompt, number } = await s.promptOf(id);
  const [asked] = sent();
  expect(asked).toMatchObject({ method: 'chat.postMessage', channel: 'C1' });
  for (const said of [
    'ada',
    'maintain on acme/api',
    '30 min',
    'INC-12',
    `https://access.acme.example/step-up/${prompt}`,
  ])
    expect(asked!.blocks).toContain(said);
  // Whoever reads the channel alone cannot approve.
  expect(JSON.stringify(sent())).not.toContain(number);
  await s.answer(id);
  s.nowMs += 3000;
  await s.work();
  await say();
  expect(sent().at(-1)).toMatchObject({ method: 'chat.update', channel: 'C1', ts: '1.1' });
  expect(sent().at(-1)!.blocks).toContain('Approved by `mallory` at ');
  s.nowMs += 30 * minute;
  await s.work();
  await say();
  expect(sent().at(-1)!.blocks).toContain('It has ended');
  expect(sent().at(-1)!.blocks).not.toContain('tripline.access.end');
  expect(await say()).toBe(0);
  expect(sent()).toHaveLength(3);
});

test('denied: by whom and when; and where nobody answers it says so: neither with a button or a link', async () => {
  const at = (ms: number) => new Date(ms).toISOString().slice(11, 16);
  const isPlain = () => expect(sent().at(-1)!.blocks).not.toMatch(/"button"|\/step-up\//);
  const id = await s.ask();
  await s.work();
  await say();
  await s.answer(id, 'refused');
  const answeredMs = s.nowMs;
  s.nowMs += 3 * minute;
  await s.work();
  await say();
  expect(sent().at(-1)).toMatchObject({ method: 'chat.update', ts: '1.1' });
  expect(sent().at(-1)!.blocks).toContain(`Denied by \`mallory\` at ${at(answeredMs)} UTC`);
  isPlain();
  await s.ask({ permission: 'write' });
  await s.work();
  await say();
  s.nowMs += 61 * minute;
  await s.work();
  await say();
  expect(sent().at(-1)).toMatchObject({ method: 'chat.update', ts: '1.3' });
  expect(sent().at(-1)!.blocks).toContain('Nobody approved it within an hour');
  isPlain();
});

test('who asked in Slack is sent the number, and nobody else; a new prompt changes the message', async () => {
  const id = await s.ask();
  await s.owner.pool.query(`UPDATE access_requests SET asked_by = '{"via":"slack","id":"U7","name":"ada"}'`);
  await s.work();
  await say();
  const first = await s.promptOf(id);
  expect(sent()).toMatchObject([{ channel: 'C1' }, { method: 'chat.postMessage', channel: 'U7' }]);
  expect(sent()[1]!.text).toContain(first.number);
  s.nowMs += 16 * minute;
  await s.work();
  await say();
  const second = await s.promptOf(id);
  expect(second.id).not.toBe(first.id);
  expect(sent().slice(2)).toMatchObject([{ method: 'chat.update' }, { channel: 'U7' }]);
  expect(sent()[2]!.blocks).toContain(second.id);
});

test('while Slack is away it is tried again; what it will never take is not', async () => {
  await s.ask();
  await s.work();
  instead = () => ({ status: 503, body: '' });
  await expect(say()).rejects.toThrow('Slack');
  instead = () => ({ status: 200, body: '{"ok":false,"error":"channel_not_found"}' });
  expect(await say()).toBe(1);
  expect(await say()).toBe(0);
});

test('a request that was denied before anybody was told of it is not told', async () => {
  await s.ask({ target: 'acme/web' });
  await s.work();
  expect(await say()).toBe(0);
});

test('whoever has it is reminded by a message to themselves', async () => {
  const id = await s.given();
  s.parts.remind = remindInSlack(parts());
  s.nowMs += 21 * minute;
  await s.work();
  expect(sent()).toMatchObject([{ method: 'chat.postMessage', channel: 'U7' }]);
  expect(sent()[0]!.blocks).toContain(`/tripline extend ${id}`);
  await s.work();
  expect(sent()).toHaveLength(1);
});
