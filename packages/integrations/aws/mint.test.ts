import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fakeAws } from '@tripline/testing/fakes/minters/aws';
import { checkMinter, type ProviderRequest } from '@tripline/testing/minter.conformance';
import { describe, expect, test } from 'vitest';
import type { MintOrder } from '../minter.ts';
import { createAwsApi } from './api.ts';
import { checkAws } from './doctor.ts';
import { createAwsMinter } from './mint.ts';

const accessKey = { id: 'AKIAEXAMPLEEXAMPLE01', secret: 'canarySecretKeyOfTheBroker/0123456789abc' };
const role = 'arn:aws:iam::111122223333:role/deploys/deploy-api';
const other = 'arn:aws:iam::111122223333:role/other';
const pause = async () => {};
const order: MintOrder<'aws'> = {
  ...{ grantId: 'g-1', tier: 'production', run: 'acme/api#9', pins: {}, untilMs: Date.now() + 2_700_000 },
  give: { role, for: 1_800_000, policy: 'aws/deploy-api.json' },
  files: { 'aws/deploy-api.json': '{"Version":"2012-10-17","Statement":[]}' },
};
const action =
  (name: string) =>
  ({ body }: ProviderRequest) =>
    body.includes(`Action=${name}&`);
const settingsAt = (url: string) => ({
  ...{ region: 'eu-central-1', stsUrl: url, iamUrl: url, iamRegion: 'us-east-1', accessKey },
});
const answered = (status: number, code: string) => ({
  ...{ status, body: `<ErrorResponse><Error><Code>${code}</Code><Message>no</Message></Error></ErrorResponse>` },
});

checkMinter<'aws'>({
  name: 'AWS',
  secrets: { 'own secret key': accessKey.secret },
  provider: async () => fakeAws({ accessKeyId: accessKey.id, roles: [role] }),
  open: async ({ url, timeoutMs, nowMs }) => {
    const clock = { nowMs, pause };
    return createAwsMinter(createAwsApi(settingsAt(url), { clock, timeoutMs }), { clock });
  },
  order,
  mints: action('AssumeRole'),
  revokes: action('PutRolePolicy'),
  checks: action('GetRolePolicy'),
  ends: 'denied',
  refusals: [
    { when: '400', answer: answered(400, 'ValidationError'), reason: 'rejected', retry: false },
    {
      when: 'a policy that AWS cannot read',
      answer: answered(400, 'MalformedPolicyDocument'),
      reason: 'rejected',
      retry: false,
    },
    { when: '403', answer: answered(403, 'AccessDenied'), reason: 'forbidden', retry: false },
    { when: 'an unknown key', answer: answered(403, 'InvalidClientTokenId'), reason: 'forbidden', retry: false },
    { when: 'throttled', answer: answered(400, 'Throttling'), reason: 'rate-limited', retry: true, afterMs: 5000 },
    {
      when: '429',
      answer: answered(429, 'TooManyRequestsException'),
      reason: 'rate-limited',
      retry: true,
      afterMs: 5000,
    },
    { when: '307', answer: { status: 307, headers: { location: '/elsewhere' } }, reason: 'moved', retry: false },
  ],
  wider: [
    {
      when: 'a session of another role',
      edit: (text) => text.replace('assumed-role/deploy-api', 'assumed-role/admin'),
    },
    { when: 'a session of another account', edit: (text) => text.replace('sts::111122223333', 'sts::999999999999') },
    { when: 'a session of another name', edit: (text) => text.replace('/g-1</Arn>', '/g-2</Arn>') },
    {
      when: 'an id that does not bear the grant',
      edit: (text) => text.replace(':g-1</AssumedRoleId>', ':g-2</AssumedRoleId>'),
    },
    {
      when: 'a longer life',
      edit: (text) =>
        text.replace(/<Expiration>[^<]+/, `<Expiration>${new Date(Date.now() + 7_200_000).toISOString()}`),
    },
  ],
  unasked: [
    { when: 'a policy that was not read', order: { files: {} }, reason: 'policy-not-read' },
    { when: 'a grant that is no name of a session', order: { grantId: 'g/1' }, reason: 'unusable-name' },
  ],
});

describe('at AWS', () => {
  let now = Date.parse('2026-11-28T12:00:00Z');
  const clock = { nowMs: () => now, pause };
  function served(options: { mostCharacters?: number } = {}) {
    const provider = fakeAws({ accessKeyId: accessKey.id, roles: [role, other], nowMs: clock.nowMs, ...options });
    const asked: URLSearchParams[] = [];
    let delay = async () => {};
    const fetch: typeof globalThis.fetch = async (input, init) => {
      const body = String(init?.body);
      asked.push(new URLSearchParams(body));
      await delay();
      const headers = Object.fromEntries(new Headers(init?.headers));
      const { status, body: text } = await provider.answer({ method: 'POST', path: String(input), headers, body });
      return new Response(text, { status });
    };
    const api = createAwsApi(settingsAt('https://aws.example'), { clock, fetch });
    const minter = createAwsMinter(api, { clock });
    const minted = async (grantId: string, give: Partial<MintOrder<'aws'>['give']> = {}) => {
      const answer = await minter.mint({
        ...order,
        grantId,
        untilMs: now + 3_600_000,
        give: { ...order.give, ...give },
      });
      if (answer.result !== 'minted') throw new Error(answer.message);
      return answer.minted;
    };
    return {
      provider,
      asked,
      minter,
      minted,
      slowly: () => (delay = () => new Promise((done) => setTimeout(done, 5))),
    };
  }

  test('fixtures/minted.json: what is asked of STS, what it answers, and what is made of that', async () => {
    const { request, answer, minted } = JSON.parse(
      readFileSync(join(import.meta.dirname, 'fixtures/minted.json'), 'utf8'),
    ) as { request: { RoleArn: string }; answer: string; minted: object };
    let asked: URLSearchParams | undefined;
    const fetch: typeof globalThis.fetch = async (_, init) => {
      asked = new URLSearchParams(String(init?.body));
      return new Response(answer);
    };
    const at = { nowMs: () => Date.parse('2026-11-28T12:00:00Z'), pause };
    const minter = createAwsMinter(createAwsApi(settingsAt('https://aws.example'), { clock: at, fetch }), {
      clock: at,
    });
    const give = { role: request.RoleArn, for: 1_800_000 };
    expect(await minter.mint({ ...order, untilMs: at.nowMs() + 3_600_000, give })).toEqual({
      result: 'minted',
      minted,
    });
    expect(Object.fromEntries(asked!)).toEqual(request);
  });

  test('the broker takes its own role by its machine’s token, once, and what it gives lives for an hour at most', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tripline-aws-'));
    const file = join(folder, 'token');
    writeFileSync(file, 'canary-machine-token\n');
    const provider = fakeAws({ accessKeyId: 'ASIAOWNOWNOWNOWNOWN1', roles: [role], nowMs: () => now });
    const actions: string[] = [];
    const fetch: typeof globalThis.fetch = async (_, init) => {
      const form = new URLSearchParams(String(init?.body));
      const headers = Object.fromEntries(new Headers(init?.headers));
      actions.push(`${form.get('Action')} ${form.get('DurationSeconds') ?? ''}`.trim());
      if (form.get('Action') === 'AssumeRoleWithWebIdentity') {
        expect(form.get('WebIdentityToken')).toBe('canary-machine-token');
        expect(headers['authorization']).toBeUndefined();
        const expires = new Date(now + 3_600_000).toISOString();
        return new Response(
          `<R><AccessKeyId>ASIAOWNOWNOWNOWNOWN1</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>${expires}</Expiration></R>`,
        );
      }
      expect(headers['x-amz-security-token']).toBe('t');
      const { status, body } = await provider.answer({ method: 'POST', path: '/', headers, body: form.toString() });
      return new Response(body, { status });
    };
    const { accessKey: _, ...rest } = settingsAt('https://aws.example');
    const webIdentity = { role: 'arn:aws:iam::111122223333:role/tripline-broker', file };
    const minter = createAwsMinter(createAwsApi({ ...rest, webIdentity }, { clock, fetch }), { clock });
    const long = { ...order, untilMs: now + 20 * 3_600_000, give: { ...order.give, for: 4 * 3_600_000 } };
    expect(await minter.mint(long)).toMatchObject({ result: 'minted' });
    expect(await minter.mint(long)).toMatchObject({ result: 'minted' });
    now += 56 * 60_000;
    expect(await minter.mint(long)).toMatchObject({ result: 'minted' });
    expect(actions).toEqual([
      ...['AssumeRoleWithWebIdentity', 'AssumeRole 3600', 'AssumeRole 3600'],
      ...['AssumeRoleWithWebIdentity', 'AssumeRole 3600'],
    ]);
    rmSync(file);
    now += 56 * 60_000;
    expect(await minter.mint(long)).toMatchObject({ result: 'refused', reason: 'not-logged-in' });
    rmSync(folder, { recursive: true });
  });

  test('doctor: known, the account’s root, unknown', async () => {
    const look = (status: number, body: string) => {
      const fetch: typeof globalThis.fetch = async () => new Response(body, { status });
      return checkAws(
        { region: 'eu-central-1' },
        createAwsApi(settingsAt('https://aws.example'), { clock, fetch }),
      ).look();
    };
    expect(await look(200, '<Arn>arn:aws:iam::1:user/b</Arn>')).toEqual({
      state: 'ok',
      detail: 'known there as arn:aws:iam::1:user/b',
    });
    expect(await look(200, '<Arn>arn:aws:iam::1:root</Arn>')).toMatchObject({ state: 'broken' });
    expect(await look(403, answered(403, 'InvalidClientTokenId').body)).toMatchObject({
      ...{ state: 'broken', detail: 'it does not know the broker: AWS answered 403 InvalidClientTokenId' },
    });
  });

  test('a session is asked for by the grant’s name, of the run, for at least a quarter of an hour, narrowed', async () => {
    const { asked, minted } = served();
    const { scopes, tokenHash, credential } = await minted('g-1', { for: 60_000 });
    expect(Object.fromEntries(asked[0]!)).toEqual({
      ...{ Version: '2011-06-15', Action: 'AssumeRole', RoleArn: role, RoleSessionName: 'g-1' },
      ...{ DurationSeconds: '900', SourceIdentity: 'acme-api-9', Policy: order.files!['aws/deploy-api.json'] },
    });
    expect(scopes).toEqual([`role:${role}`, 'policy:aws/deploy-api.json']);
    // As CloudTrail names it.
    expect(tokenHash).toBe(credential['accessKeyId']);
  });

  test('twenty that end at once are all denied, and no other role is', async () => {
    const { provider, minter, minted, slowly } = served();
    const ended = await Promise.all(Array.from({ length: 20 }, (_, nth) => minted(`g-${nth}`)));
    const live = [await minted('live'), await minted('g-1', { role: other })];
    slowly();
    await Promise.all(ended.map(({ handle }) => minter.revoke({ handle })));
    for (const { credential, handle } of ended) {
      expect(provider.admits(credential)).toBe(false);
      expect(await minter.check({ handle })).toMatchObject({ result: 'dead' });
    }
    for (const { credential } of live) expect(provider.admits(credential)).toBe(true);
  });

  test('a lock that fails is tried again, and nothing is said to be dead', async () => {
    const { minted } = served();
    const { handle } = await minted('g-1');
    const fetch: typeof globalThis.fetch = async () => expect.unreachable();
    const exclusively = () => Promise.reject(new Error('Postgres is away'));
    const minter = createAwsMinter(createAwsApi(settingsAt('https://aws.example'), { clock, fetch }), {
      clock,
      exclusively,
    });
    expect(await minter.revoke({ handle })).toMatchObject({ result: 'not-yet', retry: true, reason: 'no-turn' });
  });

  test('what has expired is dropped, and is dead without a call', async () => {
    const { provider, asked, minter, minted } = served();
    const { handle } = await minted('early');
    await minter.revoke({ handle });
    now += 2 * 3_600_000;
    const calls = asked.length;
    expect(await minter.revoke({ handle })).toEqual({ result: 'dead', by: 'dead-already' });
    expect(await minter.check({ handle })).toMatchObject({ result: 'dead' });
    expect(asked.length).toBe(calls);
    await minter.revoke({ handle: (await minted('late')).handle });
    expect(provider.policies.get('deploy-api')).toContain('*:late');
    expect(provider.policies.get('deploy-api')).not.toContain('*:early');
  });

  test('where there is no room for names, all that were given are denied, and what is given after that is not', async () => {
    const { provider, minter, minted } = served({ mostCharacters: 400 });
    const all = [];
    for (let nth = 0; nth < 30; nth += 1) all.push(await minted(`grant-of-some-length-${nth}`));
    for (const { handle } of all) {
      expect(await minter.revoke({ handle })).toEqual({ result: 'dead', by: 'denied' });
      now += 100;
    }
    expect(all.filter(({ credential }) => provider.admits(credential))).toEqual([]);
    expect(provider.policies.get('deploy-api')!.length).toBeLessThanOrEqual(400);
    now += 2000;
    const later = await minted('later');
    expect(provider.admits(later.credential)).toBe(true);
    expect(await minter.check({ handle: later.handle })).toMatchObject({ result: 'alive' });
  });

  test('a policy of that name that somebody else wrote is left alone, and said', async () => {
    const { provider, minter, minted } = served();
    provider.policies.set('deploy-api', '{"Version":"2012-10-17","Statement":[]}');
    const { handle } = await minted('g-1');
    provider.policies.set('deploy-api', '{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}');
    expect(await minter.revoke({ handle })).toMatchObject({ result: 'not-yet', retry: false, reason: 'other-policy' });
    expect(provider.policies.get('deploy-api')).toContain('Allow');
  });
});
