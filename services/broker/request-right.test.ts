import type { Attributes } from '@tripline/contracts/attributes';
import type { TriplineEvent } from '@tripline/contracts/event';
import { rule as outsideJob } from '@tripline/rules/privilege-grant-outside-job';
import { findCanaries } from '@tripline/testing/postgres/every-table';
import {
  type Change,
  mallory,
  minute,
  one,
  type PeopleRequests,
  startPeopleRequests,
} from '@tripline/testing/services/people-requests';
import { at, playTimeline } from '@tripline/testing/timeline/play';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { workRequests } from './requests.ts';

let s: PeopleRequests;
beforeEach(async () => {
  s = await startPeopleRequests();
});
afterEach(() => s.close());

test('nobody is merely invited, nor given what they have by any way', async () => {
  const denied = async (change: Change, why: string) => {
    const id = await s.given(change);
    expect(await s.stateOf(id)).toMatchObject({ state: 'denied', why: expect.stringContaining(why) });
  };
  await denied({ grantee: 'stranger' }, 'is no member of acme');
  s.github.held.set('11', 'admin');
  await denied({}, 'ada has admin on acme/api already');
  s.github.held.set('11', 'pull');
  s.github.byTeam.set('11', 'admin');
  await denied({}, 'ada has admin on acme/api by team sre already');
  s.github.byTeam.clear();
  s.github.held.clear();
  s.github.invitations.set('3', '11');
  await denied({}, 'has an invitation to acme/api that they have not accepted yet');
  s.github.invitations.clear();
  s.github.owners.add('11');
  await denied({}, 'is an owner of acme');
  await denied({ kind: 'team-member', target: 'acme/responders', permission: 'member' }, 'is an owner of acme');
  s.github.owners.clear();
  s.github.beneath.add('11');
  await denied(
    { kind: 'team-member', target: 'acme/responders', permission: 'member' },
    'ada has member of team acme/responders by a team beneath responders already',
  );
  s.github.roleByTeam.add('11');
  await denied(
    { kind: 'org-role', target: 'acme/security_manager', permission: 'holder' },
    'ada has role acme/security_manager by team security already',
  );
  expect([s.github.changes, s.github.alive()]).toEqual([[], 0]);
});

test('whoever GitHub would only invite after all is not invited either', async () => {
  const id = await s.ask();
  await s.work();
  await s.answer(id);
  s.nowMs += 3000;
  await workRequests(s.parts, one);
  // Left the organisation since what they held was read.
  s.github.members.delete('11');
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({
    ...{ state: 'ended', ending_why: 'not-given', why: expect.stringContaining('is no member of acme') },
  });
  expect(s.github.invitations.size).toBe(0);
});

test('by a team they have more than by themselves: what they had by themselves is given back', async () => {
  s.github.held.set('11', 'pull');
  s.github.byTeam.set('11', 'write');
  const id = await s.given();
  s.nowMs += 30 * minute;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'ended', former: 'read', why: null });
  expect(s.github.held.get('11')).toBe('pull');
});

test('a role of the organisation’s own is given back by its name', async () => {
  s.github.held.set('11', 'release-manager');
  const id = await s.given();
  expect(s.github.held.get('11')).toBe('maintain');
  s.nowMs += 30 * minute;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'ended', former: 'release-manager', why: null });
  expect(s.github.held.get('11')).toBe('release-manager');
});

test.each([
  [
    ...['a team', { kind: 'team-member', target: 'acme/responders', permission: 'maintainer' }],
    ...[{ 'tripline.grant.kind': 'team-member', 'tripline.grant.target_id': '9' }],
    ...[['ada maintainer of responders', 'ada out of responders'], { members: 'write' }],
  ],
  [
    ...['a role', { kind: 'org-role', target: 'acme/security_manager', permission: 'holder' }],
    ...[{ 'tripline.grant.kind': 'org-role', 'tripline.grant.target_id': '8136' }],
    ...[['ada security_manager', 'ada no security_manager'], { members: 'write' }],
  ],
] as const)('%s for minutes, by a second person', async (_, change, data, changes, permissions) => {
  const id = await s.given(change);
  expect(await s.stateOf(id)).toMatchObject({ state: 'given', former: 'none' });
  expect(s.appended.get(`access:request:${id}:granted`)!.data).toMatchObject({
    ...data,
    'tripline.grant.grantee_id': '11',
  });
  expect(s.appended.get(`access:request:${id}:granted`)!.data).not.toHaveProperty('vcs.repository.id');
  expect(await s.stateOf(await s.given(change))).toMatchObject({
    state: 'denied',
    why: expect.stringContaining('already'),
  });
  s.nowMs += 30 * minute;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'ended', why: null });
  expect([s.github.changes, s.github.alive()]).toEqual([changes, 0]);
  expect(s.github.asked).toEqual(s.github.asked.map(() => expect.objectContaining(permissions)));
});

test('a member of the team is a member of it again; a team that an identity provider keeps takes nobody', async () => {
  const inTeam = { kind: 'team-member', target: 'acme/responders', permission: 'maintainer' };
  s.github.team.set('11', 'member');
  const id = await s.given(inTeam);
  expect(s.github.team.get('11')).toBe('maintainer');
  s.nowMs += 30 * minute;
  await s.work();
  expect([await s.stateOf(id), s.github.team.get('11')]).toMatchObject([
    { state: 'ended', former: 'member' },
    'member',
  ]);
  s.github.isSynced = true;
  expect(await s.stateOf(await s.given(inTeam))).toMatchObject({
    ...{ state: 'ended', ending_why: 'not-given', why: expect.stringContaining('ask for a right on the repository') },
  });
  expect(s.github.team.get('11')).toBe('member');
});

test('what another organisation made of its name is left alone', async () => {
  s.github.organizationId = 66;
  expect(await s.stateOf(await s.given())).toMatchObject({
    state: 'denied',
    why: expect.stringContaining('is not the organisation'),
  });
  expect(s.github.changes).toEqual([]);
});

test('what the broker told excuses that right alone, and giving back what was before; one more in the same minute is found', async () => {
  s.github.held.set('11', 'release-manager');
  const id = await s.given();
  s.nowMs += 30 * minute;
  await s.work();
  expect(await s.stateOf(id)).toMatchObject({ state: 'ended', former: 'release-manager' });
  const told = ['granted', 'ended'].map((what) => s.appended.get(`access:request:${id}:${what}`)!);
  const [granted, ended] = told as [TriplineEvent, TriplineEvent];
  const [givenMs, endMs] = [Date.parse(granted.time), Date.parse(ended.time)];
  /** As GitHub tells what the broker's App does. */
  const byApp = (atMs: number, verb: 'added' | 'changed', change: Attributes) =>
    at(atMs, `dev.cdeventsx.tripline-grant.${verb}`, {
      ...{ 'vcs.provider.name': 'github', 'tripline.provider.instance': 'github.com', 'user.type': 'Bot' },
      ...{ 'user.name': 'acme-people[bot]', 'user.id': '901', 'tripline.grant.kind': 'collaborator' },
      ...{ 'tripline.grant.grantee': 'ada', 'tripline.grant.grantee_id': '11' },
      ...{ 'tripline.grant.target': 'acme/api', 'tripline.grant.target_id': '74', ...change },
    } as never);
  const permission = (to: string, before: string): Attributes => ({
    ...{ 'tripline.grant.permission': to, 'tripline.grant.permission_before': before },
  });
  const role = 'custom role release-manager (write)';
  const events = [
    ...told.map(({ id: event, time, type, data }) =>
      at(Date.parse(time), type as 'dev.cdeventsx.tripline-access.granted', data as never, { id: event }),
    ),
    byApp(givenMs + 1000, 'changed', permission('maintain', role)),
    byApp(endMs - 500, 'changed', permission(role, 'maintain')),
  ];
  const found = (more: typeof events) =>
    playTimeline({
      ...{ rules: [outsideJob], untilMs: endMs + 3_600_000 },
      events: [...events, ...more].toSorted((a, b) => a.atMs - b.atMs),
      settings: { 'privilege-grant-outside-job': { accessApps: ['acme-people[bot]'] } },
    }).findings.map(({ subject, severity }) => `${subject} ${severity}`);
  expect(found([])).toEqual([]);
  const elsewhere = {
    'tripline.grant.target': 'acme/web',
    'tripline.grant.target_id': '75',
    'tripline.grant.permission': 'maintain',
  };
  expect(found([byApp(givenMs + 2000, 'added', elsewhere)])).toEqual(['collaborator:ada@acme/web critical']);
  expect(found([byApp(givenMs + 3000, 'changed', permission('admin', 'maintain'))])).toEqual([
    'collaborator:ada@acme/api critical',
  ]);
  // What was given back once is not given again later.
  expect(found([byApp(endMs + 30 * minute, 'changed', permission(role, 'read'))])).toEqual([
    'collaborator:ada@acme/api critical',
  ]);
});

test('a GitHub that asks for no pause at all is asked ever more seldom all the same', async () => {
  const id = await s.ask();
  await s.work();
  await s.answer(id, 'approved', mallory, (await s.promptOf(id))!);
  let asked = 0;
  s.github.instead = ({ path }) => {
    if (!path.endsWith('/access_tokens')) return undefined;
    asked += 1;
    return { status: 429, headers: { 'retry-after': '0' }, body: '{}' };
  };
  const fromMs = s.nowMs;
  for (let at = 0; at <= 20; at += 0.25) {
    s.nowMs = fromMs + at * 1000;
    await s.work();
  }
  expect(asked).toBeLessThanOrEqual(8);
  expect(asked).toBeGreaterThanOrEqual(3);
});

test('no token of the App of people is anywhere, though GitHub repeats it in its errors', async () => {
  let status = 500;
  let of = /nothing/;
  s.github.instead = ({ method, path }) =>
    !of.test(`${method} ${path}`)
      ? undefined
      : {
          ...{ status, headers: { 'x-echo': s.github.values.join() } },
          body: JSON.stringify({ message: `no: ${s.github.values.join(' ')}` }),
        };
  const faults: string[] = [];
  const failing = [
    /access_tokens/,
    /graphql/,
    /PUT .*collaborators/,
    /DELETE .*collaborators/,
    /DELETE .installation.token/,
  ];
  for (const answered of [401, 403, 422, 500]) {
    for (const route of failing) {
      [status, of] = [answered, route];
      const id = await s.ask();
      await s.work();
      const prompt = await s.promptOf(id);
      if (prompt !== undefined) await s.answer(id, 'approved', mallory, prompt);
      for (let steps = 0; steps < 3; steps += 1) {
        s.nowMs += 3000;
        await s.work();
        faults.push(JSON.stringify(await s.stateOf(id)));
        if (steps === 1) await s.end(id);
      }
      of = /nothing/;
      s.nowMs += 10 * minute;
      await s.work();
      expect((await s.stateOf(id)).state, `${route} ${answered}`).toMatch(/^(?:ended|denied)$/);
    }
  }
  // GitHub’s words are kept, without what they repeat.
  expect(faults.join()).toMatch(/no: (?:\[github-token sha256:|\[credential\])/);
  expect(s.github.values.length).toBeGreaterThan(10);
  const values = Object.fromEntries(s.github.values.map((value, nth) => [`token ${nth}`, value]));
  const places = { lines: s.lines.join('\n'), topics: JSON.stringify([...s.appended.values()]) };
  expect(await findCanaries(s.owner, { ...values, key: s.github.privateKey.split('\n')[10]! }, places)).toEqual([]);
});
