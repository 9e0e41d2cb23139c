import { readFileSync } from 'node:fs';
import type { Intent } from '@tripline/contracts/response';
import type { Clock } from '@tripline/runtime/clock';
import { redactText } from '@tripline/runtime/redact';
import {
  checkIntegration,
  type FakeAnswer,
  type FakeRequest,
  type FakeService,
  startFakeService,
} from '@tripline/testing/integration.conformance';
import { heldIntents, keyIntent as key, runIntent as run } from '@tripline/testing/intents';
import { afterEach, describe, expect, test } from 'vitest';
import { createGitHubClient } from '../client.ts';
import { actionOf as actionFor } from '../resolve.ts';

const secret = 'ghs_canaryInstallationToken0123456789';
/** A clock on which waiting takes no time. */
const clock: Clock = { nowMs: () => Date.parse('2026-05-01T12:00:00Z'), pause: async () => {} };
const openGate = async () => {};
const likeToken = 'ghp_aRunnerThatIsCalledLikeAToken0123456';
/** The action of an intent that has one. */
const actionOf = (intent: Intent) => actionFor(intent, 'acme-inc')!;

const runner: Intent = {
  action: 'isolate-runner',
  provider: 'github',
  instance: 'github.com',
  organization: 'acme',
  repository: 'acme/app',
  runnerId: '9',
};
const pat: Intent = {
  action: 'revoke-credential',
  provider: 'github',
  instance: 'github.com',
  credential: 'personal-access-token',
  organization: 'acme',
  credentialId: '42',
};
const invitation: Intent = {
  action: 'revoke-grant',
  provider: 'github',
  instance: 'github.com',
  grant: 'org-invitation',
  organization: 'acme',
  invitationId: '5',
  user: 'mallory',
};
const collaborator: Intent = {
  action: 'revoke-grant',
  provider: 'github',
  instance: 'github.com',
  grant: 'collaborator',
  repository: 'acme/app',
  user: 'mallory',
};
const raised: Intent = {
  ...{ action: 'restore-permission', provider: 'github', instance: 'github.com', grant: 'collaborator' },
  ...{ repository: 'acme/app', user: 'mallory', formerPermission: 'write' },
};
const every: Intent[] = [key, run, runner, pat, invitation, collaborator, raised, ...Object.values(heldIntents)];

checkIntegration({
  name: 'GitHub',
  secrets: [secret],
  call: async ({ url, timeoutMs }) => {
    const client = createGitHubClient({ apiUrl: url, authorization: `token ${secret}`, manner: 'once', timeoutMs });
    return actionOf(key).act(key, { client, clock, gate: openGate });
  },
  answers: [
    { when: '204', answer: { status: 204 }, outcome: { kind: 'done', reason: 'accepted' } },
    { when: '202', answer: { status: 202, body: '{}' }, outcome: { kind: 'done', reason: 'accepted' } },
    {
      when: '404',
      answer: { status: 404, body: '{"message":"Not Found"}' },
      outcome: { kind: 'done', reason: 'already-gone' },
    },
    {
      when: '301',
      answer: { status: 301, headers: { location: 'http://127.0.0.1:1/elsewhere' } },
      outcome: { kind: 'give-up', reason: 'moved' },
    },
    { when: '401', answer: { status: 401 }, outcome: { kind: 'give-up', reason: 'unauthorised' } },
    {
      when: '403',
      answer: { status: 403, body: '{"message":"Resource not accessible"}' },
      outcome: { kind: 'give-up', reason: 'forbidden', message: 'Resource not accessible' },
    },
    {
      when: '403 of a rate limit',
      answer: {
        status: 403,
        headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(clock.nowMs() / 1000 + 30) },
      },
      outcome: { kind: 'retry', reason: 'rate-limited', afterMs: 30_000 },
    },
    { when: '409', answer: { status: 409 }, outcome: { kind: 'retry', reason: 'conflict' } },
    { when: '422', answer: { status: 422 }, outcome: { kind: 'give-up', reason: 'rejected' } },
    {
      when: '429',
      answer: { status: 429, headers: { 'retry-after': '7' } },
      outcome: { kind: 'retry', reason: 'rate-limited', afterMs: 7000 },
    },
    { when: '500', answer: { status: 500 }, outcome: { kind: 'retry', reason: 'provider-failed' } },
    { when: '503', answer: { status: 503 }, outcome: { kind: 'retry', reason: 'provider-failed' } },
  ],
});

let github: FakeService | undefined;
afterEach(async () => {
  await github?.close();
  github = undefined;
});

/** GitHub as the test has it: `answer` for each request, in the tenor `METHOD /path`. */
async function playing(answer: (request: string, times: number) => FakeAnswer) {
  const times = new Map<string, number>();
  github = await startFakeService(({ method, path }: FakeRequest) => {
    const request = `${method} ${path.split('?', 1)[0]}`;
    times.set(request, (times.get(request) ?? 0) + 1);
    return answer(request, times.get(request)!);
  });
  return createGitHubClient({ apiUrl: github.url, authorization: `token ${secret}`, manner: 'once' });
}
const sent = () => github!.requests.map(({ method, path }) => `${method} ${path.split('?', 1)[0]}`);
const json = (status: number, body: unknown): FakeAnswer => ({ status, body: JSON.stringify(body) });

describe('every action', () => {
  test('stands in the catalogue with what its token may do', () => {
    const catalogue = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
      .replaceAll(/ +/g, ' ')
      .split('\n');
    for (const step of every) {
      const { code, reversible, scope } = actionOf(step);
      const row = catalogue.find((line) => line.startsWith(`| ${code} | \`${step.action}\` |`));
      expect(row, step.action).toContain(reversible ? '| yes' : '| no');
      for (const [name, level] of Object.entries(scope(step).permissions))
        expect(row).toContain(`\`${name}: ${level}\``);
    }
  });

  test('says how to undo it, or that nobody can', () => {
    for (const step of every) {
      const { undo, reversible } = actionOf(step);
      expect(undo(step).startsWith('irreversible'), step.action).toBe(!reversible);
    }
  });

  test('sends nothing once the gate is closed', async () => {
    const client = await playing(() => ({ status: 204 }));
    for (const step of every) {
      const closed = async () => Promise.reject(new Error('closed'));
      await expect(actionOf(step).act(step, { client, clock, gate: closed })).rejects.toThrow('closed');
    }
    expect(sent()).toEqual([]);
  });

  test('says `unknown`, never `dead`, when GitHub fails to answer the check', async () => {
    for (const answer of [{ status: 500 }, { status: 403 }, { status: 200, body: '[', manner: 'half' } as FakeAnswer]) {
      const client = await playing(() => answer);
      for (const step of every) {
        expect((await actionOf(step).check(step, { client })).result, step.action).toBe('unknown');
      }
      await github!.close();
    }
  });
});

describe('asked before anything is done', () => {
  const ask = async (step: Intent, answer: (request: string) => FakeAnswer) => {
    const client = await playing(answer);
    const asked = await actionOf(step).ask(step, { client, clock });
    await github!.close();
    return asked;
  };

  test('an answer that is none says neither yes nor no', async () => {
    for (const answer of [{ status: 500 }, { status: 403 }, { status: 200, body: '[', manner: 'half' } as FakeAnswer]) {
      for (const step of every) expect((await ask(step, () => answer)).result, step.action).toBe('unknown');
    }
    for (const step of [pat, invitation, collaborator]) {
      expect((await ask(step, () => json(404, {}))).result, `no listing: ${step.action}`).toBe('unknown');
    }
    expect(await ask(key, () => ({ status: 429, headers: { 'retry-after': '7' } }))).toMatchObject({ afterMs: 7000 });
  });

  test.each<[string, Intent, unknown, string]>([
    ['a run that goes on', run, { status: 'in_progress', actor: { login: 'eve', id: 5 } }, 'so'],
    ['a run that is over', run, { status: 'completed', conclusion: 'success' }, 'not-so'],
    ['a run without a state', run, {}, 'unknown'],
    ['a runner', runner, { id: 9, name: 'r', status: 'online', busy: false }, 'so'],
    ['a runner at work', runner, { id: 9, name: 'r', status: 'online', busy: true }, 'unknown'],
    [
      'a runner whose name looks like a credential, as events tell it',
      { ...runner, runnerName: redactText(likeToken) } as Intent,
      { id: 9, name: likeToken },
      'so',
    ],
    ['a key', key, { id: 3, title: 'deploy', added_by: 'eve' }, 'so'],
    ['a token', pat, [{ id: 7, token_id: 42, owner: { login: 'eve', id: 5 } }], 'so'],
    ['another token', pat, [{ id: 42, token_id: 7 }], 'not-so'],
    ['an invitation', invitation, [{ id: 5, login: 'mallory', inviter: { login: 'eve' } }], 'so'],
    ['another invitation', invitation, [{ id: 6, login: 'mallory' }], 'not-so'],
    ['a collaborator', collaborator, [{ login: 'Mallory', id: 6, permissions: { push: true } }], 'so'],
    ['a collaborator who may read', collaborator, [{ login: 'mallory', id: 6, permissions: { pull: true } }], 'not-so'],
    ['another collaborator', collaborator, [{ login: 'ada', id: 7, permissions: { push: true } }], 'not-so'],
    [
      'another account of that login',
      { ...collaborator, userId: '66' } as Intent,
      [{ login: 'mallory', id: 6, permissions: { push: true } }],
      'not-so',
    ],
  ])('%s', async (_what, step, body, result) => {
    const asked = await ask(step, (request) =>
      /^GET \/(user|orgs\/acme\/memberships)\//.test(request) ? json(404, {}) : json(200, body),
    );
    expect(asked.result).toBe(result);
  });

  test('tells since when and by whom, and whose it is by number', async () => {
    expect(
      await ask(invitation, () =>
        json(200, [{ id: 5, login: 'mallory', created_at: '2026-05-01T11:00:00Z', inviter: { login: 'eve', id: 5 } }]),
      ),
    ).toMatchObject({
      detail: 'the invitation is pending since 2026-05-01T11:00:00Z, by eve',
      people: [{ login: 'mallory' }],
    });
    expect(
      await ask(pat, () =>
        json(200, [{ id: 7, token_id: 42, owner: { login: 'eve', id: 5 }, access_granted_at: '2026-05-01T11:00:00Z' }]),
      ),
    ).toMatchObject({
      detail: 'the token of eve since 2026-05-01T11:00:00Z has access',
      people: [{ login: 'eve', id: '5' }],
    });
  });

  test('an invitation that is gone: nobody has access, or it was accepted', async () => {
    const gone = (access: number) => (request: string) =>
      request.endsWith('/invitations') ? json(200, []) : json(access, access === 200 ? { state: 'active' } : {});
    expect(await ask(invitation, gone(404))).toMatchObject({ result: 'not-so' });
    expect(await ask(invitation, gone(404))).not.toHaveProperty('alive');
    expect(await ask(invitation, gone(200))).toMatchObject({ result: 'not-so', alive: true });
    expect(await ask(invitation, gone(500))).toMatchObject({ result: 'unknown' });
  });

  test('changes nothing', async () => {
    for (const step of every) {
      const client = await playing((request) => json(200, request.endsWith('s') ? [] : {}));
      await actionOf(step).ask(step, { client, clock });
      expect(
        sent().filter((request) => !request.startsWith('GET ')),
        step.action,
      ).toEqual([]);
      await github!.close();
    }
  });
});

describe('stop-run', () => {
  const at = '/repos/acme/app/actions/runs/77';

  test('cancels and waits for the run to stop', async () => {
    const client = await playing((request, times) =>
      request.startsWith('POST')
        ? json(202, {})
        : json(200, times < 3 ? { status: 'in_progress' } : { status: 'completed', conclusion: 'cancelled' }),
    );
    expect(await actionOf(run).act(run, { client, clock, gate: openGate })).toMatchObject({
      kind: 'done',
      message: 'the run is completed (cancelled)',
    });
    expect(sent()).toEqual([`POST ${at}/cancel`, `GET ${at}`, `GET ${at}`, `GET ${at}`]);
  });

  test('forces a run that does not stop', async () => {
    let forced = false;
    const client = await playing((request) => {
      forced ||= request.endsWith('/force-cancel');
      return request.startsWith('POST') ? json(202, {}) : json(200, { status: forced ? 'completed' : 'in_progress' });
    });
    expect(await actionOf(run).act(run, { client, clock, gate: openGate })).toMatchObject({ kind: 'done' });
    expect(sent().filter((request) => request.startsWith('POST'))).toEqual([
      `POST ${at}/cancel`,
      `POST ${at}/force-cancel`,
    ]);
  });

  test('asks to be tried again when not even force takes', async () => {
    const client = await playing((request) =>
      request.startsWith('POST') ? json(202, {}) : json(200, { status: 'in_progress' }),
    );
    expect(await actionOf(run).act(run, { client, clock, gate: openGate })).toMatchObject({
      kind: 'retry',
      reason: 'still-running',
    });
    expect((await actionOf(run).check(run, { client })).result).toBe('alive');
  });

  test('takes 409 for done only when the run is over', async () => {
    const over = await playing((request) =>
      request.startsWith('POST') ? json(409, { message: 'Cannot cancel' }) : json(200, { status: 'completed' }),
    );
    expect(await actionOf(run).act(run, { client: over, clock, gate: openGate })).toMatchObject({
      kind: 'done',
      reason: 'already-gone',
    });
    await github!.close();
    const running = await playing((request) =>
      request.startsWith('POST') ? json(409, { message: 'Cannot cancel' }) : json(200, { status: 'in_progress' }),
    );
    expect(await actionOf(run).act(run, { client: running, clock, gate: openGate })).toMatchObject({ kind: 'retry' });
  });

  test('does not force when the gate closes in between', async () => {
    let open = true;
    const client = await playing((request) => {
      if (request.startsWith('POST')) open = false;
      return request.startsWith('POST') ? json(202, {}) : json(200, { status: 'in_progress' });
    });
    const gate = async () => (open ? undefined : Promise.reject(new Error('closed')));
    await expect(actionOf(run).act(run, { client, clock, gate })).rejects.toThrow('closed');
    expect(sent().some((request) => request.endsWith('force-cancel'))).toBe(false);
  });
});

test('isolate-runner leaves alone a runner of the same number and another name', async () => {
  const named = { ...runner, runnerName: 'build-1' } as const;
  const asked = async (name: string) => {
    const client = await playing(() => json(200, { id: 9, name, status: 'online', busy: false }));
    const { result } = await actionOf(named).ask(named, { client, clock });
    await github!.close();
    return result;
  };
  expect(await asked('build-1')).toBe('so');
  expect(await asked('deploy-7')).toBe('not-so');
});

test('isolate-runner asks to be tried again while the runner is busy', async () => {
  const client = await playing(() => json(422, { message: 'Runner is busy' }));
  expect(await actionOf(runner).act(runner, { client, clock, gate: openGate })).toMatchObject({
    kind: 'retry',
    reason: 'busy',
  });
});

test('revoke-credential revokes the grant of the token that the feed named', async () => {
  const client = await playing((request) =>
    request.startsWith('POST')
      ? { status: 204 }
      : json(200, [
          { id: 6, token_id: 41 },
          { id: 7, token_id: 42 },
        ]),
  );
  expect(await actionOf(pat).act(pat, { client, clock, gate: openGate })).toMatchObject({
    kind: 'done',
    reason: 'accepted',
  });
  expect(sent().filter((request) => request.startsWith('POST'))).toEqual(['POST /orgs/acme/personal-access-tokens/7']);
});

test('revoke-credential never takes a refused listing for a dead token', async () => {
  for (const status of [403, 404]) {
    const client = await playing(() => json(status, { message: 'no' }));
    expect(await actionOf(pat).act(pat, { client, clock, gate: openGate })).toMatchObject({
      kind: 'give-up',
      reason: 'forbidden',
    });
    await github!.close();
  }
});

test('revoke-credential finds a token that survives, on whichever page', async () => {
  const page = (from: number) => Array.from({ length: 100 }, (_, index) => ({ id: from + index }));
  const client = await playing((request, times) =>
    request.startsWith('POST') ? { status: 204 } : json(200, times === 1 ? page(1000) : [{ id: 7, token_id: 42 }]),
  );
  expect((await actionOf(pat).check(pat, { client })).result).toBe('alive');
  expect(JSON.parse(JSON.stringify(actionOf(pat).request(pat).parameters))).toMatchObject({ action: 'revoke' });
});

test('revoke-grant calls an invitation alive that was accepted first', async () => {
  const accepted = await playing((request) =>
    request.endsWith('/invitations') ? json(200, []) : json(200, { state: 'active', role: 'admin' }),
  );
  expect(await actionOf(invitation).check(invitation, { client: accepted })).toEqual({
    result: 'alive',
    detail: 'the invitation is gone, but mallory has access to acme: it was accepted',
  });
  await github!.close();
  const cancelled = await playing((request) => (request.endsWith('/invitations') ? json(200, []) : json(404, {})));
  expect((await actionOf(invitation).check(invitation, { client: cancelled })).result).toBe('dead');
  await github!.close();
  const taken = await playing((request) =>
    request.endsWith('/invitations') ? json(200, []) : json(200, { state: 'active' }),
  );
  // A managed account's login, and such as GitHub gave out once.
  for (const invitee of ['mallory_acme', '-mallory-', 'mal--lory']) {
    const step = { ...invitation, user: invitee } as Intent;
    expect((await actionOf(step).check(step, { client: taken })).result, invitee).toBe('alive');
    expect(await actionOf(step).ask(step, { client: taken, clock }), invitee).toHaveProperty('alive', true);
  }
  const byMail = { ...invitation, user: 'm@evil.example' } as Intent;
  expect((await actionOf(byMail).check(byMail, { client: taken })).result).toBe('unknown');
});

test('names from a finding cannot reach another address', async () => {
  const client = await playing(() => ({ status: 204 }));
  const hostile: Intent = { ...collaborator, user: '../../acme?x=1#' } as Intent;
  await actionOf(hostile).act(hostile, { client, clock, gate: openGate });
  expect(github!.requests[0]!.path).toBe('/repos/acme/app/collaborators/..%2F..%2Facme%3Fx%3D1%23');
});
