import type { Entity, Severity } from '@tripline/contracts/finding';
import { resolve } from '@tripline/incidents/incidents';
import {
  mallory,
  minute,
  type PeopleRequests,
  policiesOf,
  startPeopleRequests,
} from '@tripline/testing/services/people-requests';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { recordFindings, someFinding } from '../../test/faults/recorded-findings.ts';
import { lookAgain } from './store/requests.ts';

let s: PeopleRequests;
beforeEach(async () => {
  s = await startPeopleRequests();
});
afterEach(() => s.close());

test('a right that GitHub does not take back for a minute is told once, and its end when it is over', async () => {
  const id = await s.given();
  s.github.instead = () => ({ status: 503, body: '{}' });
  s.nowMs += 30 * minute;
  await s.work();
  s.nowMs += minute - 1;
  await s.work();
  expect(s.told(id)).not.toContain('outlived');
  s.nowMs += 1 + 30_000;
  s.isLogAway = true;
  await s.work();
  s.isLogAway = false;
  for (let tries = 0; tries < 3; tries += 1) {
    s.nowMs += minute;
    await s.work();
  }
  expect(s.appended.get(`access:request:${id}:outlived`)).toMatchObject({
    type: 'dev.cdeventsx.tripline-access.outlived',
    data: { 'tripline.access.grant': id, 'tripline.access.end': 'longest', 'tripline.grant.grantee_id': '11' },
  });
  s.github.instead = undefined;
  s.nowMs += minute;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'ended' });
  expect(s.told(id)).toEqual(['requested', 'granted', 'outlived', 'ended']);
});

let found = 0;
/** An incident about an account or, without one, the repository. */
async function find(about: { user?: string; rule?: string; severity?: Severity }) {
  found += 1;
  const { user, rule = 'known-bad', severity = 'high' } = about;
  const key = `github:github.com:${user === undefined ? '74' : `user:${user}`}`;
  const entities: Entity[] = [{ kind: user === undefined ? 'repository' : 'user', id: 'somebody', key }];
  const finding = { ...someFinding(`found-${found}`, { person: `other-${found}` }), rule, severity, entities };
  await recordFindings(s.owner, [finding]);
  const { rows } = await s.owner.pool.query('SELECT incident FROM findings WHERE id = $1', [finding.id]);
  return rows[0].incident as string;
}

test('an open incident that names who has it, or who approved it, ends it and denies what comes; others do not', async () => {
  const id = await s.given();
  await find({ user: '11', severity: 'medium' });
  await find({});
  await find({ user: '11', rule: 'access-right-left-alive' });
  s.nowMs += minute;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'given' });
  const incident = await find({ user: '12' });
  s.nowMs += minute;
  await s.work();
  const why = `incident ${incident} is open and names ada or mallory`;
  expect(await s.stateOf(id)).toMatchObject({ state: 'ended', ending_why: 'incident', why });
  expect(s.github.held.size).toBe(0);
  expect(s.appended.get(`access:request:${id}:ended`)!.data).toMatchObject({ 'tripline.access.end': 'incident' });
  expect(await s.stateOf(await s.given())).toMatchObject({ state: 'denied', why });
  await resolve(s.owner, incident, 'false', { via: 'cli', id: 'ada', name: 'ada' }, 'no');
  expect(await s.stateOf(await s.given())).toMatchObject({ state: 'given' });
});

const breaking =
  '  fixing: { who: [ada], repositories: [acme/api], permission: admin, for: 60m, approvedBy: [mallory], breakGlass: 10m }';
const ada = { id: '11', name: 'ada' };

test('where nobody answers they approve it alone, which the log says; others are asked first, and who denies is believed', async () => {
  s.inForce = policiesOf(breaking);
  const id = await s.ask();
  await s.work();
  const first = await s.promptOf(id);
  s.nowMs += 10 * minute - 1;
  await s.work();
  expect(await s.promptOf(id)).toEqual(first);
  s.nowMs += 2000;
  await s.work();
  const alone = await s.promptOf(id);
  expect(alone.id).not.toBe(first.id);
  expect(await s.answer(id, 'approved', mallory, first)).toBe('late');
  const shown = await s.db.pool.query('SELECT shown FROM access_step_ups WHERE id = $1', [alone.id]);
  expect(shown.rows[0].shown.asked.people.map(({ name }: { name: string }) => name)).toEqual(['mallory', 'ada']);
  await s.answer(id, 'approved', ada);
  s.nowMs += 3000;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'given' });
  expect(s.appended.get(`access:request:${id}:granted`)!.data).toMatchObject({
    ...{ 'user.id': '11', 'tripline.grant.grantee_id': '11' },
  });
  // Its own incident does not end it, and another does.
  await find({ user: '11', rule: 'access-break-glass', severity: 'critical' });
  s.nowMs += minute;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'given' });
  await find({ user: '11' });
  s.nowMs += minute;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'ended', ending_why: 'incident' });
});

test('nobody approves their own right before that, nor under a policy that lets nobody, and approvers can to the end', async () => {
  s.inForce = policiesOf(breaking);
  const early = await s.ask();
  await s.work();
  await s.answer(early, 'approved', ada);
  s.nowMs += 3000;
  await s.work();
  expect(await s.stateOf(early)).toMatchObject({ state: 'denied', why: expect.stringContaining('may not') });

  const changed = await s.ask();
  await s.work();
  s.nowMs += 16 * minute;
  await s.work();
  await s.answer(changed, 'approved', ada);
  s.inForce = policiesOf(breaking.replace(', breakGlass: 10m', ''));
  s.nowMs += 3000;
  await s.work();
  expect(await s.stateOf(changed)).toMatchObject({ state: 'denied', why: expect.stringContaining('may not') });

  s.inForce = policiesOf(breaking);
  for (const [is, state] of [
    ['approved', 'given'],
    ['refused', 'denied'],
  ] as const) {
    const id = await s.ask();
    await s.work();
    s.nowMs += 16 * minute;
    await s.work();
    await s.answer(id, is, mallory);
    s.nowMs += 3000;
    await s.work();
    expect(await s.stateOf(id)).toMatchObject({ state });
    if (is === 'approved') await s.end(id);
    s.nowMs += 3000;
    await s.work();
  }
});

test('what they approved alone ends where the policy lets them no more', async () => {
  s.inForce = policiesOf(breaking);
  const id = await s.ask();
  await s.work();
  s.nowMs += 16 * minute;
  await s.work();
  await s.answer(id, 'approved', ada);
  s.nowMs += 3000;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'given' });
  s.inForce = policiesOf(breaking.replace('10m', '30m'));
  s.nowMs += minute;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'given' });
  s.inForce = policiesOf(breaking.replace(', breakGlass: 10m', ''));
  s.nowMs += minute;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'ended', ending_why: 'policy' });
});

test.each([
  ['names them no more', 'who: [mallory], approvedBy: [mallory, stranger]', 'ada is none of who'],
  ['allows less', 'who: [ada], approvedBy: [mallory], permission: write', 'maintain is more than write'],
  ['asks others', 'who: [ada], approvedBy: [stranger]', 'whoever approved it may not any more'],
  ['allows less time', 'who: [ada], approvedBy: [mallory], for: 5m', '6 min is longer than 5 min'],
])('a policy that %s ends what it gave', async (_, change, why) => {
  const id = await s.given();
  const whole = `${change.includes('permission') ? '' : 'permission: admin, '}${change.includes('for:') ? '' : 'for: 60m, '}repositories: [acme/api], ${change}`;
  s.inForce = { fault: 'none can be read' };
  s.nowMs += 6 * minute;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'given' });
  s.inForce = policiesOf(`  fixing: { ${whole} }`);
  await lookAgain(s.db, s.nowMs - 1);
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({
    state: 'ended',
    ending_why: 'policy',
    why: expect.stringContaining(why),
  });
  expect(s.github.held.size).toBe(0);
});
