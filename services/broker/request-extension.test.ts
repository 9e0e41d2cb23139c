import {
  another,
  minute,
  one,
  type PeopleRequests,
  startPeopleRequests,
} from '@tripline/testing/services/people-requests';
import { afterEach, beforeEach, expect, test } from 'vitest';

let s: PeopleRequests;
beforeEach(async () => {
  s = await startPeopleRequests();
});
afterEach(() => s.close());

const answerOf = async (extension: string) => {
  const { rows } = await s.db.pool.query('SELECT state, why FROM access_extension_answers WHERE extension = $1', [
    extension,
  ]);
  return rows[0];
};

test('more time by a second person again, once, and in all no more than the policy allows', async () => {
  const id = await s.given();
  const untilMs = (await s.stateOf(id)).given_until.getTime();
  const more = await s.askForMore(id);
  await s.work();
  expect(await answerOf(more)).toMatchObject({ state: 'asked' });
  expect((await s.stateOf(id)).given_until.getTime()).toBe(untilMs);
  expect(await s.answer(more)).toBe('taken');
  for (let turn = 0; turn < 3; turn += 1) {
    s.nowMs += 3000;
    await s.work(turn === 1 ? another : one);
  }
  expect(await answerOf(more)).toMatchObject({ state: 'given' });
  expect((await s.stateOf(id)).given_until.getTime()).toBe(untilMs + 20 * minute);
  expect(s.appended.get(`access:request:${id}:extension:${more}:granted`)).toMatchObject({
    type: 'dev.cdeventsx.tripline-access.granted',
    data: { 'tripline.access.grant': id, 'tripline.grant.expires_at': new Date(untilMs + 20 * minute).toISOString() },
  });
  const tooMuch = await s.askForMore(id);
  await s.work();
  expect(await answerOf(tooMuch)).toMatchObject({
    state: 'denied',
    why: expect.stringContaining('longer than 60 min'),
  });
  const refused = await s.askForMore(id, 5 * minute);
  await s.work();
  await s.answer(refused, 'refused');
  s.nowMs += 3000;
  await s.work();
  expect(await answerOf(refused)).toMatchObject({ state: 'denied', why: 'mallory denied it' });
  const late = await s.askForMore(id, 5 * minute);
  await s.work();
  s.nowMs = untilMs + 20 * minute;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'ended', ending_why: 'longest' });
  expect(await answerOf(late)).toMatchObject({ state: 'expired' });
  expect(s.github.changes).toEqual(['ada maintain', 'ada none']);
});

test('an approver who may no more extends nothing, nor does the kill switch let anybody', async () => {
  const id = await s.given();
  const more = await s.askForMore(id);
  await s.work();
  await s.answer(more, 'approved', { id: '99', name: 'stranger' });
  s.isStopped = true;
  s.nowMs += 3000;
  await s.work();
  expect(await answerOf(more)).toMatchObject({ state: 'asked' });
  s.isStopped = false;
  s.nowMs += 3000;
  await s.work();
  expect(await answerOf(more)).toMatchObject({ state: 'denied', why: 'stranger approved it, and may not any more' });
});

test('whoever has it is reminded ten minutes before the end, once an end', async () => {
  const reminded: string[] = [];
  let isAway = true;
  s.parts.remind = async ({ id }, untilMs) => {
    if (isAway) throw new Error('Slack is away');
    reminded.push(`${id} ${(untilMs - s.nowMs) / minute}`);
  };
  const id = await s.given();
  s.nowMs += 20 * minute - 1;
  await s.work();
  expect(reminded).toEqual([]);
  s.nowMs += 1;
  await s.work();
  isAway = false;
  s.nowMs += minute;
  await s.work();
  s.nowMs += minute;
  await s.work();
  expect(reminded).toEqual([`${id} 9`]);
  const more = await s.askForMore(id);
  await s.work();
  await s.answer(more);
  s.nowMs += 3000;
  await s.work();
  s.nowMs += 18 * minute;
  await s.work();
  expect(reminded).toHaveLength(2);
  s.nowMs += 10 * minute;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'ended' });
});
