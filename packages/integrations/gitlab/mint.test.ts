import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fakeGitLab } from '@tripline/testing/fakes/minters/gitlab';
import { checkMinter } from '@tripline/testing/minter.conformance';
import { describe, expect, test } from 'vitest';
import type { MintOrder } from '../minter.ts';
import { checkGitLab } from './doctor.ts';
import { createGitLabMinter } from './mint.ts';

const token = 'glpat-canaryTokenOfTheBroker';
const pause = async () => {};
const order: MintOrder<'gitlab'> = {
  ...{ grantId: 'g-1', tier: 'production', run: 'acme/api#9', untilMs: Date.now() + 2_700_000 },
  give: { project: 'acme/api', scopes: ['read_repository', 'read_api'], level: 'reporter', for: 1_800_000 },
  pins: { 'acme/api': { id: '74', owner: '65' } },
};
const answered = (status: number, headers: Record<string, string> = {}) => ({
  ...{ status, headers, body: '{"message":"no"}' },
});
const far = '2099-01-01';

checkMinter<'gitlab'>({
  name: 'GitLab',
  secrets: { 'own token': token },
  provider: async () => fakeGitLab({ token, project: '74' }),
  open: async ({ url, timeoutMs, nowMs }) => createGitLabMinter({ url, token }, { clock: { nowMs, pause }, timeoutMs }),
  order,
  mints: ({ method }) => method === 'POST',
  revokes: ({ method }) => method === 'DELETE',
  checks: ({ method, path }) => method === 'GET' && /\/access_tokens\/\d+$/.test(path),
  ends: 'revoked',
  refusals: [
    { when: '400', answer: answered(400), reason: 'rejected', retry: false },
    { when: '401', answer: answered(401), reason: 'unauthorised', retry: false },
    { when: '403', answer: answered(403), reason: 'forbidden', retry: false },
    { when: '404', answer: answered(404), reason: 'not-found', retry: false },
    { when: '422', answer: answered(422), reason: 'rejected', retry: false },
    { when: '429', answer: answered(429), reason: 'rate-limited', retry: true, afterMs: 60_000 },
    {
      ...{ when: '429 with Retry-After', answer: answered(429, { 'retry-after': '9' }), reason: 'rate-limited' },
      ...{ retry: true, afterMs: 9000 },
    },
    { when: '302', answer: answered(302, { location: '/elsewhere' }), reason: 'moved', retry: false },
  ],
  wider: [
    { when: 'another scope', change: (body) => ({ ...(body as object), scopes: ['read_repository', 'api'] }) },
    { when: 'a higher level', change: (body) => ({ ...(body as object), access_level: 40 }) },
    { when: 'a later day', change: (body) => ({ ...(body as object), expires_at: far }) },
    { when: 'no day', change: (body) => ({ ...(body as object), expires_at: null }) },
    { when: 'another name', change: (body) => ({ ...(body as object), name: 'other' }) },
    { when: 'no word on its level', change: ({ access_level: _, ...body }) => body },
  ],
  unasked: [
    { when: 'a project without a pin', order: { pins: {} }, reason: 'not-pinned' },
    {
      when: 'a pin that is no number',
      order: { pins: { 'acme/api': { id: '74/x', owner: '65' } } },
      reason: 'not-pinned',
    },
  ],
});

describe('at GitLab', () => {
  const clock = { nowMs: () => Date.parse('2026-11-28T12:00:00Z'), pause };
  const url = 'https://gitlab.example';

  test('fixtures/minted.json: what is asked, what it answers, and what is made of that', async () => {
    const { request, answer, minted } = JSON.parse(
      readFileSync(join(import.meta.dirname, 'fixtures/minted.json'), 'utf8'),
    ) as { request: object; answer: object; minted: object };
    let asked: object | undefined;
    const fetch: typeof globalThis.fetch = async (input, init) => {
      expect(new Headers(init?.headers).get('private-token')).toBe(token);
      asked = { method: init?.method, path: new URL(String(input)).pathname, body: JSON.parse(String(init?.body)) };
      return new Response(JSON.stringify(answer), { status: 201 });
    };
    const minter = createGitLabMinter({ url, token }, { clock, fetch });
    expect(await minter.mint({ ...order, untilMs: clock.nowMs() + 3_600_000 })).toEqual({ result: 'minted', minted });
    expect(asked).toEqual(request);
  });

  test.each([
    ['12:00', 11 * 3600, '2026-11-29'],
    ['12:00', 12 * 3600, '2026-11-29'],
    ['12:00', 12 * 3600 + 1, '2026-11-30'],
    ['23:59', 600, '2026-11-30'],
    ['00:00', 600, '2026-11-29'],
  ])('at %s for %d s the day is %s: never shorter than was asked for', async (time, seconds, day) => {
    let said: unknown;
    const fetch: typeof globalThis.fetch = async (_, init) => {
      said = JSON.parse(String(init?.body)).expires_at;
      return new Response('{}', { status: 403 });
    };
    const at = { nowMs: () => Date.parse(`2026-11-28T${time}:00Z`), pause };
    const give = { ...order.give, for: seconds * 1000 };
    await createGitLabMinter({ url, token }, { clock: at, fetch }).mint({ ...order, give, untilMs: at.nowMs() + 1e9 });
    expect(said).toBe(day);
  });

  test('a project that the broker may not see is not a token that is gone', async () => {
    const answer = (message: string) => async () => new Response(JSON.stringify({ message }), { status: 404 });
    const one = { handle: { project: '74', token: '42' } };
    const unseen = createGitLabMinter({ url, token }, { clock, fetch: answer('404 Project Not Found') });
    expect(await unseen.revoke(one)).toMatchObject({ result: 'not-yet', reason: 'rejected' });
    expect(await unseen.check(one)).toMatchObject({ result: 'unknown' });
    const gone = createGitLabMinter(
      { url, token },
      { clock, fetch: answer('404 Could not find project access token with token_id: 42 Not Found') },
    );
    expect(await gone.revoke(one)).toEqual({ result: 'dead', by: 'dead-already' });
  });

  test('doctor: known, about to end, without its scope, unknown', async () => {
    const look = (status: number, body: object) => {
      const fetch: typeof globalThis.fetch = async () => new Response(JSON.stringify(body), { status });
      return checkGitLab({ url, token, tiers: ['production'] }, { clock, fetch }).look();
    };
    const good = { scopes: ['api'], active: true, expires_at: '2027-05-01' };
    expect(await look(200, good)).toEqual({ state: 'ok', detail: 'its token ends on 2027-05-01' });
    expect(await look(200, { ...good, expires_at: '2026-12-01' })).toMatchObject({
      state: 'broken',
      remedy: 'rotate it',
    });
    expect(await look(200, { ...good, scopes: ['read_api'] })).toMatchObject({ state: 'broken' });
    expect(await look(200, { ...good, active: false })).toMatchObject({ state: 'broken' });
    expect(await look(401, {})).toMatchObject({ state: 'broken', detail: expect.stringContaining('answers 401') });
  });
});
