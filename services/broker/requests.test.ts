import {
  another,
  mallory,
  minute,
  one,
  type PeopleRequests,
  policiesOf,
  startPeopleRequests,
  usualAnd,
} from '@tripline/testing/services/people-requests';
import { type Provider, startProvider, startStepUps } from '@tripline/testing/services/step-ups';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { answerWithinMs } from './request-approval.ts';
import { workRequests } from './requests.ts';

let s: PeopleRequests;
beforeEach(async () => {
  s = await startPeopleRequests();
});
afterEach(() => s.close());

let provider: Provider;
beforeAll(async () => {
  provider = await startProvider();
});
afterAll(() => provider.close());

test('asked for, approved by another on the page, given, ended: who had write has it again', async () => {
  s.github.held.set('11', 'push');
  const stage = await startStepUps(s.db, provider);
  const id = await s.ask();
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'asked' });
  const prompt = await s.promptOf(id);
  const link = { url: `https://access.acme.example/step-up/${prompt.id}`, number: prompt.number };

  const self = await stage.signedIn(link.url, { subject: 'ada@acme' });
  expect([self.page.response.status, self.page.text]).toEqual([403, expect.stringContaining('asked is mallory')]);
  const { page } = await stage.signedIn(link.url, { subject: 'mallory@acme' });
  for (const said of ['ada', 'maintain', 'acme/api', '30 min', 'INC-12', 'people.fixing'])
    expect(page.text).toContain(said);
  expect(page.text).not.toContain(prompt.number);
  const done = await stage.approved(link, { subject: 'mallory@acme' });
  expect([done.response.status, done.text]).toEqual([200, expect.stringContaining('They are given it')]);
  expect(stage.appended).toMatchObject([
    {
      ...{ type: 'dev.cdeventsx.tripline-access.approved', workspace: 'acme' },
      data: { 'user.id': '12', 'tripline.access.grant': id, 'tripline.access.decision': 'granted' },
    },
  ]);
  await stage.close();

  expect(s.github.changes).toEqual([]);
  s.nowMs += 3000;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'given', former: 'write' });
  expect(s.github.changes).toEqual(['ada maintain']);
  expect(s.appended.get(`access:request:${id}:granted`)!.data).toMatchObject({
    ...{ 'tripline.grant.kind': 'collaborator', 'tripline.grant.grantee_id': '11', 'tripline.grant.target_id': '74' },
    ...{ 'tripline.grant.permission': 'maintain', 'tripline.access.policy': 'fixing', 'user.id': '12' },
    'tripline.grant.expires_at': new Date(s.nowMs + 30 * minute).toISOString(),
  });
  s.nowMs += 30 * minute - 1;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'given' });
  s.nowMs += 1;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'ended', ending_why: 'longest', why: null });
  expect(s.github.changes).toEqual(['ada maintain', 'ada push']);
  expect(s.appended.get(`access:request:${id}:ended`)!.data).toMatchObject({ 'tripline.access.end': 'longest' });
  expect(s.told(id)).toEqual(['requested', 'granted', 'ended']);
  await expect.poll(() => s.github.alive()).toBe(0);
});

test('where nobody answers the page says to whoever asked that they would be alone, and takes their word', async () => {
  s.inForce = policiesOf(
    '  fixing: { who: [ada], repositories: [acme/api], permission: admin, for: 60m, approvedBy: [mallory], breakGlass: 5m }',
  );
  const stage = await startStepUps(s.db, provider);
  const id = await s.ask();
  await s.work();
  s.nowMs += 5 * minute;
  await s.work();
  const prompt = await s.promptOf(id);
  const link = { url: `https://access.acme.example/step-up/${prompt.id}`, number: prompt.number };
  const { page } = await stage.signedIn(link.url, { subject: 'ada@acme' });
  expect([page.response.status, page.text]).toEqual([200, expect.stringContaining('Nobody has answered')]);
  const done = await stage.approved(link, { subject: 'ada@acme' });
  expect(done.response.status).toBe(200);
  await stage.close();
  s.nowMs += 3000;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'given' });
});

test('who had nothing has nothing again, at once where somebody ends it', async () => {
  const id = await s.given();
  expect(s.github.held.get('11')).toBe('maintain');
  await s.end(id);
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'ended', ending_why: 'by-hand' });
  expect(s.github.held.has('11')).toBe(false);
});

test('what policies do not allow is denied with every reason, and GitHub is not asked', async () => {
  const id = await s.ask({ grantee: 'eve', target: 'acme/web', forMs: 90 * minute });
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({
    state: 'denied',
    why: expect.stringContaining(
      'people.fixing: eve is none of who; acme/web is none of its repositories; 90 min is longer than 60 min. people.responding: ',
    ),
  });
  expect(s.told(id)).toEqual(['denied']);
  expect(s.github.requests).toEqual([]);
});

test('a denial by one stands, and nobody answers within an hour: nothing is given', async () => {
  const [denied, slow] = [await s.ask(), await s.ask({ grantee: 'mallory' })];
  await s.work();
  await s.answer(denied, 'refused');
  s.nowMs += answerWithinMs - 1;
  await s.work();
  expect(await s.stateOf(denied)).toMatchObject({ state: 'denied', why: 'mallory denied it' });
  expect(await s.stateOf(slow)).toMatchObject({ state: 'asked' });
  s.nowMs += 3000;
  await s.work();
  expect(await s.stateOf(slow)).toMatchObject({ state: 'expired' });
  expect(s.github.requests).toEqual([]);
});

test('nobody approves what was taken back: the page is closed with the request', async () => {
  const id = await s.ask();
  await s.work();
  const prompt = await s.promptOf(id);
  await s.end(id);
  s.nowMs += 3000;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'ended' });
  expect(await s.answer(id, 'approved', mallory, prompt)).toBe('late');
});

test.each([
  ['may approve no more', mallory, 'approvedBy: [ada, stranger]', 'mallory approved it, and may not any more'],
  [
    'is whoever has it',
    { id: '11', name: 'ada' },
    'approvedBy: [ada, mallory]',
    'ada approved it, and may not any more',
  ],
])('an approver who %s gives nothing', async (_, account, approvedBy, why) => {
  const id = await s.ask();
  await s.work();
  // The page lets in nobody but those who are asked; what stands in the table is looked at all the same.
  await s.answer(id, 'approved', account);
  s.inForce = policiesWith(approvedBy);
  s.nowMs += 3000;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'denied', why });
  expect(s.github.requests).toEqual([]);
});
const policiesWith = (approvedBy: string) =>
  policiesOf(`  fixing: { who: [ada], repositories: [acme/api], permission: admin, for: 60m, ${approvedBy} }`);

test('two answers at once are one, and two brokers give it once', async () => {
  const id = await s.ask();
  await s.work();
  const prompt = await s.promptOf(id);
  const answers = [1, 2, 3].map(() => s.answer(id, 'approved', mallory, prompt));
  expect((await Promise.all(answers)).toSorted()).toEqual(['late', 'late', 'taken']);
  s.nowMs += 3000;
  for (let turn = 0; turn < 4; turn += 1)
    await Promise.all([workRequests(s.parts, one), workRequests(s.parts, another)]);
  expect(await s.stateOf(id)).toMatchObject({ state: 'given' });
  expect(s.github.changes).toEqual(['ada maintain']);
});

test('killed between giving and recording: it is given again, and the former right is still known', async () => {
  s.github.held.set('11', 'triage');
  const id = await s.ask();
  await s.work();
  await s.answer(id);
  s.nowMs += 3000;
  await workRequests(s.parts, one);
  // Given, and nothing noted any more.
  const dying = { ...s.parts, db: { ...s.db, pool: Object.assign(Object.create(s.db.pool), { query: dyingQuery() }) } };
  await workRequests(dying, one);
  expect(s.github.changes).toEqual(['ada maintain']);
  expect(await s.stateOf(id)).toMatchObject({ state: 'giving', former: 'triage' });
  s.nowMs += 10_000;
  await s.work(another);
  expect(await s.stateOf(id)).toMatchObject({ state: 'giving' });
  // The claim of who died is over by the database's clock.
  await s.db.pool.query('UPDATE access_rights SET claimed_until = clock_timestamp() WHERE claimed_by IS NOT NULL');
  s.nowMs += 2 * minute;
  await s.work(another);
  expect(await s.stateOf(id)).toMatchObject({ state: 'given', former: 'triage' });
  s.nowMs += 30 * minute;
  await s.work();
  expect(s.github.changes).toEqual(['ada maintain', 'ada maintain', 'ada triage']);
});
/** Claims and looks; whatever would be noted fails, as if the process had died. */
function dyingQuery() {
  return (text: string, values: unknown[]) =>
    /UPDATE access_rights SET/.test(text) ? Promise.reject(new Error('dead')) : s.db.pool.query(text, values);
}

test('while GitHub is away at the end it is tried until it is so; the log is told then', async () => {
  const id = await s.given();
  s.github.instead = () => ({ status: 503, body: '{}' });
  s.nowMs += 30 * minute;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'ending', last_fault: expect.stringContaining('503') });
  expect(s.told(id)).not.toContain('ended');
  s.github.instead = undefined;
  s.isLogAway = true;
  s.nowMs += minute;
  await s.work();
  expect(s.github.held.has('11')).toBe(false);
  expect(await s.stateOf(id)).toMatchObject({ state: 'ending', last_fault: 'the log is away' });
  s.isLogAway = false;
  s.nowMs += minute;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'ended', why: null });
  expect(s.told(id)).toEqual(['requested', 'granted', 'ended']);
});

test('what the log does not take is not given', async () => {
  const id = await s.ask();
  await s.work();
  await s.answer(id);
  s.isLogAway = true;
  s.nowMs += 3000;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'giving', last_fault: 'the log is away' });
  expect(s.github.changes).toEqual([]);
});

test('what somebody else made of it meanwhile is left: who was removed is not put back', async () => {
  s.github.held.set('11', 'push');
  const id = await s.given();
  s.github.held.delete('11');
  s.nowMs += 30 * minute;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({
    state: 'ended',
    why: 'somebody else made it none meanwhile, and that was left',
  });
  expect(s.github.held.has('11')).toBe(false);
});

test('a renamed account and repository are still the same', async () => {
  const id = await s.given();
  s.github.logins.set('11', 'ada-lovelace');
  s.github.name = 'acme/api-two';
  s.nowMs += 30 * minute;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'ended', why: null });
  expect(s.github.changes).toEqual(['ada maintain', 'ada-lovelace none']);
});

test('one right at a time of an account on a repository', async () => {
  s.github.held.set('11', 'pull');
  const first = await s.given({ permission: 'write' });
  const second = await s.given({ permission: 'admin' });
  expect(await s.stateOf(second)).toMatchObject({ state: 'denied', why: expect.stringContaining('end it first') });
  s.nowMs += 30 * minute;
  await s.work();
  expect(await s.stateOf(first)).toMatchObject({ state: 'ended' });
  expect(s.github.held.get('11')).toBe('pull');
});

test('reading is given without anybody’s word where the policy says so; the kill switch gives nothing', async () => {
  s.inForce = usualAnd('  reading: { who: [ada], repositories: [acme/api], permission: read, for: 60m, fast: true }');
  s.isStopped = true;
  const id = await s.ask({ permission: 'read' });
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'asked', last_fault: 'the kill switch is on' });
  s.isStopped = false;
  s.nowMs += minute;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'given' });
  s.isStopped = true;
  s.nowMs += 30 * minute;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'ended' });
  expect(s.github.changes).toEqual(['ada pull', 'ada none']);
});

test('whoever may only ask, as the command line’s role may, cannot say that anything was approved', async () => {
  const id = await s.ask();
  await s.work();
  for (const forged of [
    `UPDATE access_rights SET state = 'giving' WHERE request = '${id}'`,
    `UPDATE access_requests SET permission = 'admin' WHERE id = '${id}'`,
    `UPDATE access_step_ups SET state = 'approved'`,
  ])
    await expect(s.cli.pool.query(forged)).rejects.toThrow('permission denied');
});
