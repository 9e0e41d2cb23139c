import type { Intent } from '@tripline/contracts/response';
import { accessIntent, noGrants } from '@tripline/testing/intents';
import { expect, test } from 'vitest';
import type { Access, AccessGrants, GrantsOf, Step } from '../provider.ts';
import { tripline } from './provider.ts';

const options = { clock: { nowMs: () => 0, pause: async () => {} }, onLeftAlive: () => {} };
const resolve = (intent: Intent, grants: AccessGrants = noGrants) =>
  tripline.open({ broker: {} }, { ...options, grants }).resolve(intent);
const stepOf = (intent: Intent, grants?: AccessGrants) => resolve(intent, grants) as Step;
const inWorkspace = <T>(grants: AccessGrants, work: (access: Access) => Promise<T>, workspace = 'acme') =>
  stepOf(accessIntent, grants).withAccess(work, workspace);

/** Grants of which the broker's revoker ends each once it is set ending; `asked`: what was asked of them. */
function grantsOf(alive: { policy: string; tier: string }[], { revokes = true } = {}) {
  const asked: GrantsOf[] = [];
  const grants: AccessGrants = {
    async alive(of) {
      asked.push(of);
      return alive;
    },
    async end(of) {
      asked.push(of);
      return revokes ? alive.splice(0).length : alive.length;
    },
  };
  return { grants, asked };
}
const deploying = { policy: 'deploy-api', tier: 'production' };
const open = async () => {};

test('it is A16: asked for, ended, and asked for again, within the workspace and by the key alone', async () => {
  const { grants, asked } = grantsOf([deploying, { policy: 'deploy-api', tier: 'production' }]);
  expect(stepOf(accessIntent)).toMatchObject({ code: 'A16', notReady: null });
  const said = await inWorkspace(grants, async ({ ask, act, check }) => [await ask(), await act(open), await check()]);
  expect(said).toEqual([
    { result: 'so', detail: '2 grants are alive (deploy-api in production)' },
    { kind: 'done', message: '2 grants are set ending' },
    { result: 'dead', detail: 'the providers said of all that it was given that it is dead' },
  ]);
  expect(new Set(asked.map((of) => JSON.stringify(of)))).toEqual(
    new Set(['{"workspace":"acme","key":"github:github.com:74#9"}']),
  );
});

test('what the broker has yet to revoke is alive, and what nobody was given is nothing to end', async () => {
  const { grants } = grantsOf([deploying], { revokes: false });
  const said = await inWorkspace(grants, async ({ act, check }) => [await act(open), await check()]);
  expect(said).toMatchObject([
    { kind: 'done' },
    { result: 'alive', detail: expect.stringMatching(/^1 grant is alive .*goes on revoking/) },
  ]);
  expect(await inWorkspace(noGrants, ({ ask }) => ask())).toMatchObject({ result: 'not-so' });
  expect(await inWorkspace(noGrants, ({ act }) => act(open))).toMatchObject({ kind: 'done', reason: 'already-gone' });
});

test('a gate that closes lets nothing be ended', async () => {
  const { grants, asked } = grantsOf([deploying]);
  const closed = async () => {
    throw new Error('closed');
  };
  await expect(inWorkspace(grants, ({ act }) => act(closed))).rejects.toThrow('closed');
  expect(asked).toEqual([]);
});

test('a database that does not answer is no answer, and tried again', async () => {
  const away = () => Promise.reject(new Error('connection refused'));
  const grants: AccessGrants = { alive: away, end: away };
  const said = await inWorkspace(grants, async ({ ask, act, check }) => [await ask(), await act(open), await check()]);
  expect(said).toMatchObject([
    { result: 'unknown', reason: 'database', detail: expect.stringContaining('connection refused') },
    { kind: 'retry', reason: 'database' },
    { result: 'unknown' },
  ]);
});

test('whom and what it touches is what the guard holds against what is protected', () => {
  const { of: _of, ...rest } = accessIntent;
  const of = (which: 'run' | 'repository' | 'runner' | 'person', key: string, name: string) =>
    stepOf({ ...rest, of: which, key, name }).targets;
  const none = { people: [], runners: [], repositories: [] };
  expect(of('run', 'github:github.com:74#9', 'acme/api#9')).toEqual({ ...none, repositories: ['acme/api'] });
  expect(of('repository', 'github:github.com:74', 'acme/api')).toEqual({ ...none, repositories: ['acme/api'] });
  expect(of('person', 'github:github.com:user:5', 'ada')).toEqual({ ...none, people: [{ login: 'ada', id: '5' }] });
  expect(of('runner', 'github:github.com:runner:117:prod-1', 'prod-1')).toEqual({
    ...none,
    runners: [{ id: '117', name: 'prod-1' }],
  });
});

test('accounts of which the id is not known are not taken for others, where ids are protected', async () => {
  const known = await inWorkspace(noGrants, ({ identify }) => identify([{ login: 'ada', id: '5' }]));
  expect(known).toEqual({ result: 'known', value: [{ login: 'ada', id: '5' }] });
  expect(await inWorkspace(noGrants, ({ identify }) => identify([{ login: 'ada' }]))).toMatchObject({
    result: 'unknown',
    detail: expect.stringContaining('whether ada is among'),
  });
});

test('what is known by its name alone, or is not the broker’s, is for a person', () => {
  const named = { ...accessIntent, key: 'github:github.com:name:acme/api#9' };
  expect(resolve(named)).toEqual({ byHand: expect.stringContaining('tripline access revoke acme/api#9') });
  const run: Intent = {
    ...{ action: 'stop-run', provider: 'tripline', instance: 'github.com' },
    ...{ repository: 'acme/api', runId: '9' },
  };
  expect(resolve(run)).toEqual({ byHand: expect.stringContaining('stop the run') });
});

test('doctor says whether there is a broker', async () => {
  const [on] = tripline.doctor({ broker: { policy: { file: 'access.yaml' } } });
  const [off] = tripline.doctor({ broker: {} });
  expect(await on!.look()).toMatchObject({ state: 'ok' });
  expect(await off!.look()).toMatchObject({ state: 'off' });
});
