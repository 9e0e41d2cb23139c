import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type IssuerKey, makeIssuerKey } from '@tripline/testing/id-tokens';
import { type FakeAnswer, type FakeService, startFakeService } from '@tripline/testing/integration.conformance';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { main } from '../main.ts';

/** `tripline access verify`, against an issuer on this machine. */
let key: IssuerKey;
let issuer: FakeService;
let answer: FakeAnswer;
let folder: string;
beforeAll(async () => {
  key = await makeIssuerKey('key-1');
  issuer = await startFakeService(() => answer);
  folder = mkdtempSync(join(tmpdir(), 'tripline-access-'));
  const identity = { audience: 'https://access.acme.example', github: [{ issuer: issuer.url, owners: ['65'] }] };
  writeFileSync(join(folder, 'tripline.yaml'), stringify({ identity }), { mode: 0o600 });
});
afterAll(async () => {
  await issuer.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  issuer.requests.length = 0;
  answer = { status: 200, body: JSON.stringify({ keys: [key.publicJwk] }) };
});

const { claims } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../identity/github/fixtures/job.json'), 'utf8'),
) as { claims: Record<string, unknown> };

function tokenOf(changed: Record<string, unknown> = {}): Promise<string> {
  const nowS = Math.floor(Date.now() / 1000);
  return key.sign({ ...claims, iss: issuer.url, iat: nowS, nbf: nowS, exp: nowS + 300, ...changed });
}

async function verify(token: string, args: string[] = [], { env = {}, cwd = folder } = {}) {
  let out = '';
  let err = '';
  const status = await main(['access', 'verify', ...args], {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    stdin: Readable.from([token]),
    env,
    cwd,
    isTerminal: false,
  });
  return { status, out, err };
}

it('says which job a token proves, and of what a policy should beware', async () => {
  const { status, out, err } = await verify(
    `${await tokenOf({ event_name: 'pull_request', environment: 'a\u202eb' })}\n`,
  );
  expect({ status, err }).toEqual({ status: 0, err: '' });
  expect(out).toMatch(/^repository\.id +74$/m);
  expect(out).toMatch(/^checkRunId +2832853555$/m);
  expect(out).toMatch(/^environment +a�b$/m);
  expect(out).toMatch(/^caution: the run may have been started by somebody without write access \(event_name\)$/m);
  expect(issuer.requests.map(({ path }) => path)).toEqual(['/.well-known/jwks']);
});

it('says by its reason why a token proves nothing, and repeats nothing of it', async () => {
  const token = await tokenOf({ aud: 'https://other.example' });
  const { status, out, err } = await verify(token);
  expect({ status, out }).toEqual({ status: 1, out: '' });
  expect(err).toBe(
    'tripline: The token is for another service: ask the issuer for one with the audience https://access.acme.example (audience-other)\n',
  );
  expect(await verify(token, ['--audience', 'https://other.example'])).toMatchObject({ status: 0 });
  const { out: json } = await verify(token, ['--json']);
  expect(JSON.parse(json)).toMatchObject({ refusal: { status: 401, reason: 'audience-other' } });
});

it('follows no redirect to other keys, and takes a key set that breaks off for none', async () => {
  const evil = await startFakeService(() => ({ status: 200, body: JSON.stringify({ keys: [key.publicJwk] }) }));
  const whole = answer.body!;
  for (const one of [
    { status: 302, headers: { location: evil.url } },
    { status: 200, body: whole, manner: 'half' },
    { status: 500 },
  ] as FakeAnswer[]) {
    answer = one;
    expect(await verify(await tokenOf())).toMatchObject({
      status: 1,
      err: expect.stringContaining('(keys-unavailable)'),
    });
  }
  expect(evil.requests).toEqual([]);
  await evil.close();
});

it('asks nobody about an issuer that is not configured, and needs an audience, an issuer and a token', async () => {
  expect(await verify(await tokenOf({ iss: 'https://evil.example' }))).toMatchObject({
    status: 1,
    err: expect.stringContaining('(issuer-unknown)'),
  });
  expect(issuer.requests).toEqual([]);
  expect(await verify(' ')).toMatchObject({ status: 2, err: expect.stringContaining('give the token') });
  const nowhere = { cwd: '/nonexistent' };
  expect(await verify('x', [], nowhere)).toMatchObject({
    status: 1,
    err: expect.stringContaining('identity.audience'),
  });
  expect(await verify('x', [], { ...nowhere, env: { TRIPLINE_IDENTITY_AUDIENCE: 'a' } })).toMatchObject({
    status: 1,
    err: expect.stringContaining('no issuer is configured'),
  });
});
