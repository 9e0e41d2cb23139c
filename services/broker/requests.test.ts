import { readLock } from '@tripline/access/lock';
import { readPolicies } from '@tripline/access/policy';
import type { TriplineEvent } from '@tripline/contracts/event';
import type { Db } from '@tripline/db/database';
import { createCollaborators } from '@tripline/integrations/github/collaborators';
import { createLogger } from '@tripline/runtime/logger';
import { type FakeCollaborators, startFakeCollaborators } from '@tripline/testing/fakes/github-collaborators';
import { forEachTest } from '@tripline/testing/postgres/for-each-test';
import { type Provider, startProvider, startStepUps } from '@tripline/testing/services/step-ups';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { PoliciesInForce } from './local-policies.ts';
import { answerWithinMs, type RequestParts, workRequests } from './requests.ts';
import { answerPrompt } from './store/approvals.ts';

const [one, another] = ['00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-00000000000b'];
const minute = 60_000;
const lock = readLock(
  "github: { acme/api: { id: '74', owner: '65' } }\npeople: { ada: { id: '11' }, mallory: { id: '12' }, stranger: { id: '99' } }",
);
const policiesOf = (more = ''): PoliciesInForce => ({
  file: readPolicies(`audience: https://access.acme.example
tiers: {}
policies: {}
people:
  fixing: { who: [ada, mallory, stranger], repositories: [acme/api], permission: admin, for: 60m, approvedBy: [ada, mallory] }
${more}`),
  ...{ lock, sha256: 'a'.repeat(64), revision: 'b'.repeat(40) },
});

let db: Db;
let cli: Db;
forEachTest((database) => {
  db = database.as('broker');
  cli = database.as('cli');
});
let github: FakeCollaborators;
let nowMs: number;
let inForce: PoliciesInForce | { fault: string };
let isLogAway: boolean;
let isStopped: boolean;
let appended: Map<string, TriplineEvent>;
let parts: RequestParts;
const lines: string[] = [];
beforeEach(async () => {
  github = await startFakeCollaborators();
  nowMs = Date.now();
  inForce = policiesOf();
  isLogAway = false;
  isStopped = false;
  appended = new Map();
  lines.length = 0;
  parts = {
    ...{ db, instance: 'github.com', policies: () => inForce, isStopped: async () => isStopped },
    clock: { nowMs: () => nowMs, pause: async () => {} },
    logger: createLogger({ service: 'broker', level: 'trace' }, { write: (line: string) => void lines.push(line) }),
    collaborators: createCollaborators(
      { id: '7', apiUrl: github.url, privateKey: github.privateKey, timeoutMs: 500 },
      { nowMs: () => nowMs, onLeftAlive: (reason) => lines.push(reason) },
    ),
    async append(events) {
      if (isLogAway) throw new Error('the log is away');
      for (const event of events) if (!appended.has(event.id)) appended.set(event.id, event);
    },
  };
});
afterEach(() => github.close());

let asked = 0;
async function ask(change: { permission?: string; grantee?: string; forMs?: number; repository?: string } = {}) {
  asked += 1;
  const id = `ask-${asked}`;
  const { permission = 'maintain', grantee = 'ada', forMs = 30 * minute, repository = 'acme/api' } = change;
  await cli.pool.query(
    `INSERT INTO access_requests (id, workspace, repository, permission, grantee, for_ms, reason, asked_by, asked_at)
     VALUES ($1, 'acme', $2, $3, $4, $5, 'INC-12', '{"name":"root"}', $6)`,
    [id, repository, permission, grantee, forMs, new Date(nowMs)],
  );
  return id;
}
const end = (id: string) =>
  cli.pool.query(`INSERT INTO access_request_ends (request, by, at) VALUES ($1, '{}', now())`, [id]);
/** Steps until nothing is due. */
async function work(by = one!) {
  for (let steps = 0; steps < 10; steps += 1) if ((await workRequests(parts, by)) === 0) return;
}
const stateOf = async (id: string) => {
  const { rows } = await db.pool.query(
    'SELECT state, why, ending_why, former, last_fault FROM access_rights WHERE request = $1',
    [id],
  );
  return rows[0];
};
const promptOf = async (id: string) => {
  const { rows } = await db.pool.query(`SELECT id, number FROM access_step_ups WHERE asked = $1 AND state = 'open'`, [
    `request ${id}`,
  ]);
  return rows[0] as { id: string; number: string };
};
const mallory = { id: '12', name: 'mallory' };
async function answer(
  id: string,
  is: 'approved' | 'refused' = 'approved',
  account = mallory,
  open?: { id: string; number: string },
) {
  const prompt = open ?? (await promptOf(id));
  const by = { account, method: 'oidc' as const, isPhishingResistant: true, provedAtMs: nowMs, restsOn: null };
  const given = is === 'approved' ? { is, number: prompt.number } : { is };
  return answerPrompt(db, prompt.id, given, by, { nowMs, record: async () => {} });
}
/** Asked for, approved and given. */
async function given(change: Parameters<typeof ask>[0] = {}) {
  const id = await ask(change);
  await work();
  expect(await answer(id)).toBe('taken');
  nowMs += 3000;
  await work();
  return id;
}
const told = (id: string) =>
  [...appended.keys()].filter((key) => key.startsWith(`access:request:${id}:`)).map((key) => key.split(':').at(-1));

let provider: Provider;
beforeAll(async () => {
  provider = await startProvider();
});
afterAll(() => provider.close());

test('asked for, approved by another on the page, given, ended: who had write has it again', async () => {
  github.held.set('11', 'push');
  const stage = await startStepUps(db, provider);
  const id = await ask();
  await work();
  expect(await stateOf(id)).toMatchObject({ state: 'asked' });
  const prompt = await promptOf(id);
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

  expect(github.changes).toEqual([]);
  nowMs += 3000;
  await work();
  expect(await stateOf(id)).toMatchObject({ state: 'given', former: 'write' });
  expect(github.changes).toEqual(['ada maintain']);
  expect(appended.get(`access:request:${id}:granted`)!.data).toMatchObject({
    ...{ 'tripline.grant.kind': 'collaborator', 'tripline.grant.grantee_id': '11', 'tripline.grant.target_id': '74' },
    ...{ 'tripline.grant.permission': 'maintain', 'tripline.access.policy': 'fixing', 'user.id': '12' },
    'tripline.grant.expires_at': new Date(nowMs + 30 * minute).toISOString(),
  });
  nowMs += 30 * minute - 1;
  await work();
  expect(await stateOf(id)).toMatchObject({ state: 'given' });
  nowMs += 1;
  await work();
  expect(await stateOf(id)).toMatchObject({ state: 'ended', ending_why: 'longest', why: null });
  expect(github.changes).toEqual(['ada maintain', 'ada push']);
  expect(appended.get(`access:request:${id}:ended`)!.data).toMatchObject({ 'tripline.access.end': 'longest' });
  expect(told(id)).toEqual(['requested', 'granted', 'ended']);
  await expect.poll(() => github.alive()).toBe(0);
});

test('who had nothing has nothing again, at once where somebody ends it', async () => {
  const id = await given();
  expect(github.held.get('11')).toBe('maintain');
  await end(id);
  await work();
  expect(await stateOf(id)).toMatchObject({ state: 'ended', ending_why: 'by-hand' });
  expect(github.held.has('11')).toBe(false);
});

test('what policies do not allow is denied with every reason, and GitHub is not asked', async () => {
  const id = await ask({ grantee: 'eve', repository: 'acme/web', forMs: 90 * minute });
  await work();
  expect(await stateOf(id)).toMatchObject({
    state: 'denied',
    why: 'people.fixing: eve is none of who; acme/web is none of its repositories; 90 min is longer than 60 min',
  });
  expect(told(id)).toEqual(['denied']);
  expect(github.requests).toEqual([]);
});

test('a denial by one stands, and nobody answers within an hour: nothing is given', async () => {
  const [denied, slow] = [await ask(), await ask({ grantee: 'mallory' })];
  await work();
  await answer(denied, 'refused');
  nowMs += answerWithinMs - 1;
  await work();
  expect(await stateOf(denied)).toMatchObject({ state: 'denied', why: 'mallory denied it' });
  expect(await stateOf(slow)).toMatchObject({ state: 'asked' });
  nowMs += 3000;
  await work();
  expect(await stateOf(slow)).toMatchObject({ state: 'expired' });
  expect(github.requests).toEqual([]);
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
  const id = await ask();
  await work();
  // The page lets in nobody but those who are asked; what stands in the table is looked at all the same.
  await answer(id, 'approved', account);
  inForce = policiesWith(approvedBy);
  nowMs += 3000;
  await work();
  expect(await stateOf(id)).toMatchObject({ state: 'denied', why });
  expect(github.requests).toEqual([]);
});
const policiesWith = (approvedBy: string): PoliciesInForce => ({
  ...policiesOf(),
  file: readPolicies(
    `audience: https://access.acme.example\ntiers: {}\npolicies: {}\npeople: { fixing: { who: [ada], repositories: [acme/api], permission: admin, for: 60m, ${approvedBy} } }`,
  ),
});

test('two answers at once are one, and two brokers give it once', async () => {
  const id = await ask();
  await work();
  const prompt = await promptOf(id);
  const answers = [1, 2, 3].map(() => answer(id, 'approved', mallory, prompt));
  expect((await Promise.all(answers)).toSorted()).toEqual(['late', 'late', 'taken']);
  nowMs += 3000;
  for (let turn = 0; turn < 4; turn += 1) await Promise.all([workRequests(parts, one!), workRequests(parts, another!)]);
  expect(await stateOf(id)).toMatchObject({ state: 'given' });
  expect(github.changes).toEqual(['ada maintain']);
});

test('killed between giving and recording: it is given again, and the former right is still known', async () => {
  github.held.set('11', 'triage');
  const id = await ask();
  await work();
  await answer(id);
  nowMs += 3000;
  await workRequests(parts, one!);
  // Given, and nothing noted any more.
  const dying = { ...parts, db: { ...db, pool: Object.assign(Object.create(db.pool), { query: dyingQuery() }) } };
  await workRequests(dying, one!);
  expect(github.changes).toEqual(['ada maintain']);
  expect(await stateOf(id)).toMatchObject({ state: 'giving', former: 'triage' });
  nowMs += 10_000;
  await work(another);
  expect(await stateOf(id)).toMatchObject({ state: 'giving' });
  // The claim of who died is over by the database's clock.
  await db.pool.query('UPDATE access_rights SET claimed_until = clock_timestamp() WHERE claimed_by IS NOT NULL');
  nowMs += 2 * minute;
  await work(another);
  expect(await stateOf(id)).toMatchObject({ state: 'given', former: 'triage' });
  nowMs += 30 * minute;
  await work();
  expect(github.changes).toEqual(['ada maintain', 'ada maintain', 'ada triage']);
});
/** Claims and looks; whatever would be noted fails, as if the process had died. */
function dyingQuery() {
  return (text: string, values: unknown[]) =>
    /UPDATE access_rights SET/.test(text) ? Promise.reject(new Error('dead')) : db.pool.query(text, values);
}

test('while GitHub is away at the end it is tried until it is so; the log is told then', async () => {
  const id = await given();
  github.instead = () => ({ status: 503, body: '{}' });
  nowMs += 30 * minute;
  await work();
  expect(await stateOf(id)).toMatchObject({ state: 'ending', last_fault: expect.stringContaining('503') });
  expect(told(id)).not.toContain('ended');
  github.instead = undefined;
  isLogAway = true;
  nowMs += minute;
  await work();
  expect(github.held.has('11')).toBe(false);
  expect(await stateOf(id)).toMatchObject({ state: 'ending', last_fault: 'the log is away' });
  isLogAway = false;
  nowMs += minute;
  await work();
  expect(await stateOf(id)).toMatchObject({ state: 'ended', why: null });
  expect(told(id)).toEqual(['requested', 'granted', 'ended']);
});

test('what the log does not take is not given', async () => {
  const id = await ask();
  await work();
  await answer(id);
  isLogAway = true;
  nowMs += 3000;
  await work();
  expect(await stateOf(id)).toMatchObject({ state: 'giving', last_fault: 'the log is away' });
  expect(github.changes).toEqual([]);
});

test('what somebody else made of it meanwhile is left: who was removed is not put back', async () => {
  github.held.set('11', 'push');
  const id = await given();
  github.held.delete('11');
  nowMs += 30 * minute;
  await work();
  expect(await stateOf(id)).toMatchObject({
    state: 'ended',
    why: 'somebody else made it none meanwhile, and that was left',
  });
  expect(github.held.has('11')).toBe(false);
});

test('nobody is merely invited, and a role that could not be given back is not overwritten', async () => {
  const stranger = await given({ grantee: 'stranger' });
  expect(await stateOf(stranger)).toMatchObject({
    ...{ state: 'ended', ending_why: 'not-given', why: expect.stringContaining('is no member of acme') },
  });
  expect(github.invitations.size).toBe(0);
  github.held.set('11', 'push');
  github.roles.set('11', 'release-manager');
  expect(await stateOf(await given())).toMatchObject({
    state: 'denied',
    why: expect.stringContaining('release-manager'),
  });
  github.roles.clear();
  github.held.set('11', 'admin');
  expect(await stateOf(await given())).toMatchObject({ state: 'denied', why: 'ada has admin on acme/api already' });
  expect(github.changes).toEqual([]);
});

test('a renamed account and repository are still the same', async () => {
  const id = await given();
  github.logins.set('11', 'ada-lovelace');
  github.name = 'acme/api-two';
  nowMs += 30 * minute;
  await work();
  expect(await stateOf(id)).toMatchObject({ state: 'ended', why: null });
  expect(github.changes).toEqual(['ada maintain', 'ada-lovelace none']);
});

test('one right at a time of an account on a repository', async () => {
  github.held.set('11', 'pull');
  const first = await given({ permission: 'write' });
  const second = await given({ permission: 'admin' });
  expect(await stateOf(second)).toMatchObject({ state: 'denied', why: expect.stringContaining('end it first') });
  nowMs += 30 * minute;
  await work();
  expect(await stateOf(first)).toMatchObject({ state: 'ended' });
  expect(github.held.get('11')).toBe('pull');
});

test('reading is given without anybody’s word where the policy says so; the kill switch gives nothing', async () => {
  inForce = policiesOf('  reading: { who: [ada], repositories: [acme/api], permission: read, for: 60m, fast: true }');
  isStopped = true;
  const id = await ask({ permission: 'read' });
  await work();
  expect(await stateOf(id)).toMatchObject({ state: 'asked', last_fault: 'the kill switch is on' });
  isStopped = false;
  nowMs += minute;
  await work();
  expect(await stateOf(id)).toMatchObject({ state: 'given' });
  isStopped = true;
  nowMs += 30 * minute;
  await work();
  expect(await stateOf(id)).toMatchObject({ state: 'ended' });
  expect(github.changes).toEqual(['ada pull', 'ada none']);
});

test('whoever may only ask, as the command line’s role may, cannot say that anything was approved', async () => {
  const id = await ask();
  await work();
  for (const forged of [
    `UPDATE access_rights SET state = 'giving' WHERE request = '${id}'`,
    `UPDATE access_requests SET permission = 'admin' WHERE id = '${id}'`,
    `UPDATE access_step_ups SET state = 'approved'`,
  ])
    await expect(cli.pool.query(forged)).rejects.toThrow('permission denied');
});
