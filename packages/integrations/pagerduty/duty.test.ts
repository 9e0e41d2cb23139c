import { type FakeAnswer, startFakeService } from '@tripline/testing/integration.conformance';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createDutyReader, faultOfDuty } from './duty.ts';

const token = 'y_canary-of-a-key-0123';
let answer: FakeAnswer;
let pagerduty: Awaited<ReturnType<typeof startFakeService>>;
beforeEach(async () => {
  pagerduty = await startFakeService(() => answer);
});
afterEach(() => pagerduty.close());

const told = (...oncalls: [user: string, schedule: string | null][]): FakeAnswer => ({
  status: 200,
  body: JSON.stringify({
    oncalls: oncalls.map(([user, schedule]) => ({
      ...{ user: { id: user, type: 'user_reference' }, escalation_level: 1, start: null, end: null },
      schedule: schedule === null ? null : { id: schedule, type: 'schedule_reference' },
    })),
    ...{ limit: 100, offset: 0, more: false, total: null },
  }),
});
const reader = (timeoutMs?: number) =>
  createDutyReader({ token, apiUrl: pagerduty.url, ...(timeoutMs === undefined ? {} : { timeoutMs }) });

test('asks for one person by id, and counts what is of them and of these schedules alone', async () => {
  answer = told(['PADA', 'SCHED1']);
  expect(await reader()('PADA', ['SCHED1', 'SCHED2'])).toEqual({ is: 'on' });
  const { method, path, headers } = pagerduty.requests[0]!;
  expect([method, decodeURIComponent(path)]).toEqual([
    'GET',
    '/oncalls?limit=100&schedule_ids[]=SCHED1&schedule_ids[]=SCHED2&user_ids[]=PADA',
  ]);
  expect(headers['authorization']).toBe(`Token token=${token}`);
  for (const others of [told(), told(['PEVE', 'SCHED1']), told(['PADA', 'SCHED9']), told(['PADA', null])]) {
    answer = others;
    expect(await reader()('PADA', ['SCHED1'])).toEqual({ is: 'off' });
  }
});

test.each<[string, FakeAnswer, string]>([
  ['refuses the key', { status: 401, body: '{}' }, 'PagerDuty answered 401: check broker.duty.token'],
  ['is asked too often', { status: 429, body: '{}' }, 'PagerDuty answered 429'],
  ['fails', { status: 503, body: token }, 'PagerDuty answered 503'],
  [
    'answers something else',
    { status: 200, body: '{"oncalls":[{}]}' },
    'PagerDuty answered something else than who is on duty',
  ],
  ['answers no JSON', { status: 200, body: '<html>' }, 'PagerDuty answered something else than who is on duty'],
  ['fills our memory', { status: 200, body: 'x'.repeat(1_000_001) }, 'PagerDuty cannot be reached'],
  ['answers half', { status: 200, manner: 'half' }, 'PagerDuty cannot be reached'],
  ['does not answer', { status: 200, manner: 'silent' }, 'PagerDuty did not answer in time'],
  ['sends elsewhere', { status: 302, headers: { location: 'http://127.0.0.1:1/' } }, 'PagerDuty cannot be reached'],
])('nobody is known to be on duty where it %s', async (_, given, why) => {
  answer = given;
  expect(await reader(200)('PADA', ['SCHED1'])).toEqual({ is: 'unknown', why });
});

test('one that has more than it tells at once does not say that somebody is off duty', async () => {
  answer = { status: 200, body: '{"oncalls":[],"more":true}' };
  expect(await reader()('PADA', ['SCHED1'])).toMatchObject({ is: 'unknown' });
});

test('the doctor is told whether the key is taken', async () => {
  answer = told();
  expect(await faultOfDuty({ token, apiUrl: pagerduty.url })).toBeUndefined();
  answer = { status: 403, body: '{}' };
  expect(await faultOfDuty({ token, apiUrl: pagerduty.url })).toBe('PagerDuty answered 403: check broker.duty.token');
});
