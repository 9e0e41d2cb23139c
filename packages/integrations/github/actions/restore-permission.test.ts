import type { IntentOf } from '@tripline/contracts/response';
import type { Clock } from '@tripline/runtime/clock';
import { type FakeAnswer, type FakeService, startFakeService } from '@tripline/testing/integration.conformance';
import { afterEach, describe, expect, test } from 'vitest';
import { createGitHubClient } from '../client.ts';
import { restorePermission } from './restore-permission.ts';

type Step = Parameters<typeof restorePermission.ask>[0];
const place = { action: 'restore-permission', provider: 'github', instance: 'github.com' } as const;
const ada: Step = {
  ...{ ...place, grant: 'collaborator', repository: 'acme/app', user: 'ada', userId: '11' },
  ...{ permission: 'admin', formerPermission: 'write' },
};
const ops: Step = {
  ...{ ...place, grant: 'team-repository', organization: 'acme', team: 'ops', repository: 'acme/app' },
  formerPermission: 'read',
};
const owner: Step = { ...place, grant: 'org-member', organization: 'acme', user: 'ada', formerPermission: 'member' };

const clock: Clock = { nowMs: () => Date.parse('2026-05-01T12:00:00Z'), pause: async () => {} };
let github: FakeService | undefined;
afterEach(async () => {
  await github?.close();
  github = undefined;
});
async function playing(answer: (request: string) => FakeAnswer) {
  github = await startFakeService(({ method, path }) => answer(`${method} ${path.split('?', 1)[0]}`));
  return createGitHubClient({ apiUrl: github.url, authorization: 'token t', manner: 'once' });
}
const json = (body: unknown): FakeAnswer => ({ status: 200, body: JSON.stringify(body) });
const ask = async (step: Step, body: unknown) => {
  const client = await playing(() => json(body));
  const asked = await restorePermission.ask(step, { client, clock });
  expect(github!.requests.every(({ method }) => method === 'GET')).toBe(true);
  await github!.close();
  return asked;
};
const collaborator = (held: object, login = 'ada') => [{ login, id: 11, ...held }];
const all = { pull: true, triage: true, push: true, maintain: true, admin: true };
const upTo = (level: keyof typeof all) =>
  Object.fromEntries(Object.keys(all).map((name, at, names) => [name, at <= names.indexOf(level)]));

describe('asks whether more is held than before', () => {
  test.each([
    ['admin', upTo('admin'), 'write', 'so'],
    ['maintain', upTo('maintain'), 'push', 'so'],
    ['write', upTo('push'), 'write', 'not-so'],
    ['push', upTo('push'), 'write', 'not-so'],
    ['read', upTo('pull'), 'write', 'not-so'],
    // A role of one's own, built on write, allows more than write; what it allows beside maintain nobody knows.
    ['deployer', upTo('push'), 'write', 'so'],
    ['deployer', upTo('push'), 'admin', 'not-so'],
    ['deployer', upTo('push'), 'deployer', 'not-so'],
    ['admin', upTo('admin'), 'deployer', 'so'],
  ])('%s (%o), and %s before: %s', async (role_name, permissions, formerPermission, result) => {
    const step = { ...ada, formerPermission };
    const asked = await ask(step, collaborator({ role_name, permissions }));
    expect(asked).toMatchObject({ result });
    expect(asked).not.toHaveProperty('alive');
  });

  test('and leaves to a person what cannot be compared', async () => {
    const step = { ...ada, formerPermission: 'deployer' };
    expect(await ask(step, collaborator({ role_name: 'maintain', permissions: upTo('maintain') }))).toMatchObject({
      ...{ result: 'not-so', alive: true },
    });
  });

  test('of who is there no more it is not so: nobody is invited', async () => {
    expect(await ask(ada, [])).toMatchObject({ result: 'not-so' });
    // Another account took the login.
    expect(await ask(ada, [{ login: 'ada', id: 99, role_name: 'admin', permissions: all }])).toMatchObject({
      result: 'not-so',
    });
  });

  test('of who was renamed it is asked by number, and sent by the present login', async () => {
    const asked = await ask(ada, collaborator({ role_name: 'admin', permissions: all }, 'countess'));
    expect(asked).toMatchObject({ result: 'so', people: [{ login: 'countess', id: '11' }], now: { user: 'countess' } });
  });

  test('of a team by the permission on this repository, of an owner by the role', async () => {
    const team = { id: 5, slug: 'ops', permission: 'admin', permissions: all };
    expect(await ask(ops, [team])).toMatchObject({ result: 'so', detail: 'team ops has admin on acme/app' });
    expect(await ask(ops, [{ ...team, permission: 'pull', permissions: upTo('pull') }])).toMatchObject({
      result: 'not-so',
    });
    expect(await ask(owner, { role: 'admin', state: 'active', user: { login: 'ada', id: 11 } })).toMatchObject({
      result: 'so',
    });
    expect(await ask(owner, { role: 'member', state: 'active' })).toMatchObject({ result: 'not-so' });
  });
});

test.each([
  [ada, 'PUT /repos/acme/app/collaborators/ada', { permission: 'push' }],
  [ops, 'PUT /orgs/acme/teams/ops/repos/acme/app', { permission: 'pull' }],
  [owner, 'PUT /orgs/acme/memberships/ada', { role: 'member' }],
  [{ ...ada, formerPermission: 'deployer' }, 'PUT /repos/acme/app/collaborators/ada', { permission: 'deployer' }],
] as [Step, string, object][])(
  'gives the former permission back in the words of GitHub: %o',
  async (step, sent, body) => {
    const client = await playing(() => ({ status: 204 }));
    const gate = async () => {};
    expect(await restorePermission.act(step, { client, clock, gate })).toMatchObject({
      kind: 'done',
      reason: 'accepted',
    });
    expect(github!.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([sent]);
    expect(JSON.parse(github!.requests[0]!.body)).toEqual(body);
  },
);

test('says afterwards whether more is held than before, by GitHub’s word', async () => {
  const check = async (answer: FakeAnswer) => {
    const client = await playing(() => answer);
    const { result } = await restorePermission.check(ada, { client });
    await github!.close();
    return result;
  };
  expect(await check(json(collaborator({ role_name: 'write', permissions: upTo('push') })))).toBe('dead');
  expect(await check(json(collaborator({ role_name: 'admin', permissions: all })))).toBe('alive');
  expect(await check(json([]))).toBe('dead');
  expect(await check({ status: 403 })).toBe('unknown');
});

test('touches whom it names, and says how to give back what it took', () => {
  expect(restorePermission.targets(ada)).toMatchObject({
    people: [{ login: 'ada', id: '11' }],
    repositories: ['acme/app'],
  });
  expect(restorePermission.targets(ops as IntentOf<'restore-permission'> & Step)).toMatchObject({ people: [] });
  expect(restorePermission.undo(ada)).toBe('give ada admin on acme/app again');
});
