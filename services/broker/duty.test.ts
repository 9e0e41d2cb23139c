import {
  minute,
  type PeopleRequests,
  policiesOf,
  startPeopleRequests,
} from '@tripline/testing/services/people-requests';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createDuty } from './duty.ts';

let s: PeopleRequests;
beforeEach(async () => {
  s = await startPeopleRequests();
});
afterEach(() => s.close());

const fixing = (of: string) =>
  policiesOf(
    `  fixing: { who: [ada], repositories: [acme/api], permission: admin, for: 60m, approvedBy: [mallory], onDuty: { schedules: [SCHED1], of: [${of}] } }`,
  );

test('whoever is on duty may ask and have it, though their shift ends meanwhile; who is not is told why', async () => {
  s.inForce = fixing('who');
  s.onDuty = new Set(['PADA']);
  const id = await s.given();
  expect(await s.stateOf(id)).toMatchObject({ state: 'given' });
  s.onDuty = new Set();
  s.nowMs += minute;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'given' });
  await s.end(id);
  await s.work();

  const late = await s.ask();
  await s.work();
  expect(await s.stateOf(late)).toMatchObject({
    state: 'denied',
    why: 'people.fixing: ada is not on duty by SCHED1: have somebody who is ask or approve, or change the schedule',
  });
  expect(s.told(late)).toEqual(['denied']);
});

test('who is off duty by the time that it is approved is given nothing', async () => {
  s.inForce = fixing('who');
  s.onDuty = new Set(['PADA']);
  const id = await s.ask();
  await s.work();
  await s.answer(id);
  s.onDuty = new Set();
  s.nowMs += minute;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'denied', why: expect.stringContaining('ada is not on duty') });
  expect(s.github.changes).toEqual([]);
});

test('an approval counts of whoever is on duty, and of nobody else', async () => {
  s.inForce = fixing('approvedBy');
  const denied = await s.given();
  expect(await s.stateOf(denied)).toMatchObject({
    state: 'denied',
    why: expect.stringContaining('mallory approved it; mallory is not on duty by SCHED1'),
  });
  expect(s.github.changes).toEqual([]);
  s.onDuty = new Set(['PMAL']);
  s.nowMs += minute;
  const given = await s.given();
  expect(await s.stateOf(given)).toMatchObject({ state: 'given' });
});

test('where PagerDuty does not tell nobody is on duty: who asks is told, and what is approved waits until it does', async () => {
  s.inForce = fixing('who, approvedBy');
  s.onDuty = { why: 'PagerDuty did not answer in time' };
  const refused = await s.ask();
  await s.work();
  const why = 'whether ada is on duty is not known: PagerDuty did not answer in time; ask again once it answers';
  expect(await s.stateOf(refused)).toMatchObject({ state: 'denied', why });

  s.onDuty = new Set(['PADA', 'PMAL']);
  const id = await s.ask();
  await s.work();
  await s.answer(id);
  s.onDuty = { why: 'PagerDuty answered 503' };
  s.nowMs += minute;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({
    state: 'asked',
    last_fault: expect.stringContaining('PagerDuty answered 503'),
  });
  expect(s.github.changes).toEqual([]);
  s.onDuty = new Set(['PADA', 'PMAL']);
  s.nowMs += minute;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'given' });
});

test('more time is asked for on duty, too; where that is not known the end stays where it is', async () => {
  s.inForce = fixing('who');
  s.onDuty = new Set(['PADA']);
  const id = await s.given();
  const { given_until: until } = await s.stateOf(id);
  s.onDuty = { why: 'PagerDuty answered 503' };
  await s.askForMore(id);
  s.nowMs += minute;
  await s.work();
  expect((await s.stateOf(id)).given_until).toEqual(until);
  s.onDuty = new Set();
  s.nowMs += minute;
  await s.work();
  const { rows } = await s.db.pool.query('SELECT state, why FROM access_extension_answers');
  expect(rows).toEqual([{ state: 'denied', why: expect.stringContaining('ada is not on duty by SCHED1') }]);
  s.nowMs = until.getTime();
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'ended' });
});

test('a policy that minds no duty gives it as before, whatever another says of duty', async () => {
  s.inForce = policiesOf(`
  duty: { who: [ada], repositories: [acme/api], permission: admin, for: 60m, approvedBy: [mallory], onDuty: { schedules: [SCHED1], of: [who] } }
  day: { who: [ada], repositories: [acme/api], permission: admin, for: 60m, approvedBy: [mallory] }`);
  s.onDuty = { why: 'PagerDuty answered 503' };
  const id = await s.given();
  expect(await s.stateOf(id)).toMatchObject({ state: 'given' });
  expect(s.appended.get(`access:request:${id}:granted`)!.data).toMatchObject({ 'tripline.access.policy': 'day' });
});

test('who is nobody at PagerDuty is never on duty, nor anybody without the setting; an answer holds for half a minute', async () => {
  let [nowMs, asked] = [0, 0];
  const clock = { nowMs: () => nowMs };
  const none = createDuty(undefined, clock);
  const ada = { id: '11', name: 'ada' };
  expect(await none(ada, ['SCHED1'])).toMatchObject({ is: 'off', why: expect.stringContaining('set broker.duty') });
  const people = [{ account: '11', name: 'somebody', user: 'PADA' }];
  const duty = createDuty({ token: 'unused', apiUrl: 'https://api.pagerduty.com', people }, clock, async () => {
    asked += 1;
    return { is: 'on' };
  });
  // By id: a login proves nothing.
  expect(await duty({ id: '99', name: 'somebody' }, ['SCHED1'])).toMatchObject({
    is: 'off',
    why: expect.stringContaining('name account 99 in broker.duty.people'),
  });
  for (const atMs of [0, 29_999, 30_000]) {
    nowMs = atMs;
    expect(await duty(ada, ['SCHED1'])).toEqual({ is: 'on' });
  }
  expect(asked).toBe(2);
});
