import { createHash } from 'node:crypto';
import { type FakeGate, startFakeGate } from '@tripline/testing/fakes/github-gate';
import { checkIntegration } from '@tripline/testing/integration.conformance';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Outcome } from '../outcome.ts';
import { createGitHubGate, type GateQuestion } from './gate.ts';

const question: GateQuestion = { installation: '4711', repositoryId: '74', runId: '9', environment: 'Production' };
let github: FakeGate;
beforeEach(async () => {
  github = await startFakeGate();
});
afterEach(() => github.close());
const left: string[] = [];
const gateOf = (
  apps: readonly string[] = ['1'],
  url = github.url,
  onLeftAlive = (reason: string) => void left.push(reason),
) =>
  createGitHubGate(
    apps.map((id) => ({ id, apiUrl: url, privateKey: github.privateKey, timeoutMs: 2000 })),
    { nowMs: Date.now, onLeftAlive },
  );

test('the run is told, what waits in any case, and each word is taken; the access ends with the work', async () => {
  const told = await gateOf().ask(question, async (access) => [
    await access.run(),
    await access.waits(),
    await access.say({ comment: 'x'.repeat(5000) }),
  ]);
  expect(told).toEqual({
    result: 'answered',
    value: [
      { result: 'answered', value: { attempt: 1, isOver: false, ownerId: '65', actor: { id: '3', name: 'ada' } } },
      { result: 'answered', value: true },
      { kind: 'give-up', reason: 'rejected', message: 'nothing waits' },
    ],
  });
  await expect.poll(() => github.alive()).toBe(0);
  const said = await gateOf().ask({ ...question, environment: 'production' }, (access) =>
    access.say({ state: 'approved', comment: 'x'.repeat(5000) }),
  );
  expect(said).toEqual({ result: 'answered', value: { kind: 'done' } });
  expect(github.words).toEqual([{ environment: 'production', state: 'approved', comment: 'x'.repeat(1024) }]);
});

test.each([
  ['GitHub’s', 'Bad credentials', []],
  ['a gateway’s', 'Unauthorized', ['GitHub answered 401']],
])('an access whose end is answered by %s 401 is told of unless it is dead', async (_, message, told) => {
  const heard: string[] = [];
  github.instead = ({ method }) =>
    method === 'DELETE' ? { status: 401, body: JSON.stringify({ message }) } : undefined;
  await gateOf(['1'], github.url, (reason) => void heard.push(reason)).ask(question, async () => {});
  await expect.poll(() => github.requests.filter(({ method }) => method === 'DELETE').length).toBe(1);
  await expect.poll(() => heard).toEqual(told);
});

test('the App is the one whose installation was asked, and the others are not asked again', async () => {
  const other = await startFakeGate();
  other.instead = ({ path }) => (path.includes('/app/') ? { status: 404, body: '{}' } : undefined);
  const gate = createGitHubGate(
    [other, github].map(({ url, privateKey }, at) => ({ id: String(at), apiUrl: url, privateKey })),
    { nowMs: Date.now, onLeftAlive: (reason) => left.push(reason) },
  );
  for (let times = 0; times < 3; times += 1) await gate.ask(question, async () => {});
  expect(other.requests).toHaveLength(1);
  expect(github.minted()).toBe(3);
  await other.close();
});

test.each<[string, object, string]>([
  ['another repository', { token: 'ghs_x', repositories: [{ id: 75, full_name: 'acme/api' }] }, 'unexpected'],
  [
    'several',
    {
      token: 'ghs_x',
      repositories: [
        { id: 74, full_name: 'acme/api' },
        { id: 75, full_name: 'acme/web' },
      ],
    },
    'unexpected',
  ],
  ['none', { token: 'ghs_x' }, 'unexpected'],
  [
    'all',
    { token: 'ghs_x', repository_selection: 'all', repositories: [{ id: 74, full_name: 'acme/api' }] },
    'unexpected',
  ],
])('a token for %s is not used but revoked, and named', async (_, body, reason) => {
  let revoking = 204;
  github.instead = ({ path }) =>
    path.endsWith('/access_tokens') ? { status: 201, body: JSON.stringify(body) } : { status: revoking };
  let isCalled = false;
  const told = await gateOf().ask(question, async () => {
    isCalled = true;
  });
  expect(told).toMatchObject({ result: 'refused', outcome: { kind: 'give-up', reason } });
  expect(isCalled).toBe(false);
  const hash = createHash('sha256').update('ghs_x').digest('base64');
  const messageOf = (answer: typeof told) => (answer.result === 'refused' ? answer.outcome.message : '');
  expect(messageOf(told)).toContain(`sha256:${hash}, was revoked`);
  expect(
    github.requests.filter(({ method }) => method === 'DELETE').map(({ headers }) => headers.authorization),
  ).toEqual(['token ghs_x']);
  revoking = 502;
  expect(messageOf(await gateOf().ask(question, async () => {}))).toContain(
    `sha256:${hash}, could not be revoked (GitHub answered 502)`,
  );
});

test('nothing is said by an App that may not, that is not installed there, or that nobody configured', async () => {
  github.instead = ({ path }) => (path.endsWith('/access_tokens') ? { status: 422, body: '{}' } : undefined);
  expect(await gateOf().ask(question, async () => {})).toMatchObject({
    outcome: { reason: 'not-permitted', message: expect.stringContaining('deployments: write') },
  });
  github.instead = undefined;
  expect(await gateOf().ask({ ...question, installation: '1' }, async () => {})).toMatchObject({
    outcome: { reason: 'no-app' },
  });
  expect(await gateOf([]).ask(question, async () => {})).toMatchObject({ outcome: { reason: 'no-app' } });
});

const secret = `ghs_${'s'.repeat(36)}`;
checkIntegration({
  name: 'a word of the gate',
  secrets: [secret],
  async call({ url, timeoutMs }) {
    const minting = await startFakeGate();
    minting.instead = ({ path }) =>
      path.endsWith('/access_tokens')
        ? { status: 201, body: JSON.stringify({ token: secret, repositories: [{ id: 74, full_name: 'acme/api' }] }) }
        : undefined;
    // Tokens come from one place, and words go to another.
    const fetch: typeof globalThis.fetch = (input, init) => {
      const { pathname } = new URL(String(input));
      const isToken = pathname.startsWith('/app/') || pathname === '/installation/token';
      return globalThis.fetch(`${isToken ? minting.url : url}${pathname}`, init);
    };
    const { privateKey } = minting;
    const app = { id: '1', apiUrl: minting.url, privateKey, timeoutMs, fetch };
    const gate = createGitHubGate([app], { nowMs: Date.now, onLeftAlive: () => {} });
    const told = await gate.ask(question, (access) => access.say({ state: 'approved', comment: 'x' }));
    await minting.close();
    return (told.result === 'answered' ? told.value : told.outcome) as Outcome;
  },
  answers: [
    { when: '204', answer: { status: 204 }, outcome: { kind: 'done' } },
    { when: '401', answer: { status: 401, body: '{}' }, outcome: { kind: 'give-up', reason: 'unauthorised' } },
    { when: '403', answer: { status: 403, body: '{}' }, outcome: { kind: 'give-up', reason: 'forbidden' } },
    { when: '404', answer: { status: 404, body: '{}' }, outcome: { kind: 'give-up', reason: 'not-found' } },
    { when: '422', answer: { status: 422, body: '{}' }, outcome: { kind: 'give-up', reason: 'rejected' } },
    {
      when: '429',
      answer: { status: 429, headers: { 'retry-after': '7' }, body: '{}' },
      outcome: { kind: 'retry', reason: 'rate-limited', afterMs: 7000 },
    },
    { when: '502', answer: { status: 502, body: '{}' }, outcome: { kind: 'retry', reason: 'provider-failed' } },
  ],
});

test('what waits under the sign of Kelvin is not what is called with a k', async () => {
  github.waiting.clear();
  github.waiting.add('\u212Aube');
  const waits = (environment: string) => gateOf().ask({ ...question, environment }, (access) => access.waits());
  expect(await waits('kube')).toEqual({ result: 'answered', value: { result: 'answered', value: false } });
  github.waiting.add('Kube');
  expect(await waits('kube')).toEqual({ result: 'answered', value: { result: 'answered', value: true } });
});
