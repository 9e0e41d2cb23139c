import { constants, createHmac, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type IssuerKey, makeIssuerKey } from '@tripline/testing/id-tokens';
import fc from 'fast-check';
import { CompactEncrypt } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import { type IdentityRefusalReason, identityRefusals } from './refusal.ts';
import { trustedIssuers } from './registry.ts';
import { identitySettings } from './settings.ts';
import { createVerifier } from './verify.ts';

/**
 * What every issuer must hold, whatever it is: a genuine token gives its workload, and each way to forge, change, reuse or
 * confuse one is refused by the reason that names it, before anything is asked of anybody that need not be. A new issuer
 * is held by being in settings.ts with a `job.json` among its fixtures.
 */
type Fixture = {
  /** One of the issuer's entries in `identity`. */
  settings: Record<string, unknown>;
  audience: string;
  now: string;
  header?: Record<string, unknown>;
  claims: Record<string, unknown> & { iss: string; iat: number; exp: number };
  gives: Record<string, unknown>;
};

const kinds = Object.keys(identitySettings.shape).filter((name) => name !== 'audience');
const fixturesOf = (kind: string) => join(import.meta.dirname, kind, 'fixtures');
const read = (kind: string, file: string) => JSON.parse(readFileSync(join(fixturesOf(kind), file), 'utf8')) as Fixture;

let key: IssuerKey;
let other: IssuerKey;
let pss: IssuerKey;
beforeAll(async () => {
  [key, other, pss] = await Promise.all([
    makeIssuerKey('key-1'),
    makeIssuerKey('key-1'),
    makeIssuerKey('key-1', 'PS256'),
  ]);
});

/** A verifier under the settings of a fixture, over the key set that it is given; `asked` are the addresses it read. */
function verifierOf(
  kind: string,
  fixture: Fixture,
  { keys = [key.publicJwk] as unknown[], nowMs = Date.parse(fixture.now) } = {},
) {
  const asked: string[] = [];
  const settings = identitySettings.parse({ audience: fixture.audience, [kind]: [fixture.settings] });
  const issuers = trustedIssuers(settings).map(({ issuer }) => issuer);
  const verify = createVerifier(
    { audience: fixture.audience, issuers },
    {
      clock: { nowMs: () => nowMs, pause: () => new Promise(() => {}) },
      openOutbound: () => async (url) => {
        asked.push(String(url));
        return new Response(JSON.stringify({ keys }));
      },
    },
  );
  return { verify, asked };
}

const part = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
/** The sum of two numbers, most significant byte first: a signature and its key's modulus verify as the signature does, where length is not looked at. */
const plus = (a: Buffer, b: Buffer) => {
  const sum = (BigInt(`0x${a.toString('hex')}`) + BigInt(`0x${b.toString('hex')}`)).toString(16);
  return Buffer.from(sum.padStart(sum.length + (sum.length % 2), '0'), 'hex');
};
const without = (claims: Record<string, unknown>, name: string) =>
  Object.fromEntries(Object.entries(claims).filter(([one]) => one !== name));

test('there are four issuers', () => expect(kinds).toEqual(['github', 'gitlab', 'buildkite', 'circleci']));

describe.each(kinds)('%s', (kind) => {
  const fixture = read(kind, 'job.json');
  const { claims, header = {} } = fixture;
  const genuine = () => key.sign(claims, header);
  const shortName = (token: string) => token.slice(0, 24);

  /** Shows `token`; its refusal must be of the table's status, say nothing of the token, and read keys only where it may. */
  async function refused(
    token: string,
    reason: IdentityRefusalReason,
    options: { isAsked?: boolean } & Parameters<typeof verifierOf>[2] = {},
  ) {
    const { verify, asked } = verifierOf(kind, fixture, options);
    const verdict = await verify(token);
    expect(verdict, shortName(token)).toMatchObject({ refusal: { reason, status: identityRefusals[reason] } });
    expect(asked).toHaveLength(options.isAsked ? 1 : 0);
    const said = JSON.stringify(verdict);
    for (const secret of [...token.split('.').filter((one) => one.length > 10), 'acme/api', 'ada'])
      expect(said).not.toContain(secret);
  }
  const refusedAfterKeys = (token: string, reason: IdentityRefusalReason, options = {}) =>
    refused(token, reason, { ...options, isAsked: true });

  test.each(readdirSync(fixturesOf(kind)))('fixture %s gives its workload', async (file) => {
    const one = read(kind, file);
    const { verify, asked } = verifierOf(kind, one);
    expect(await verify(await key.sign(one.claims, one.header))).toMatchObject({ workload: one.gives });
    expect(asked).toHaveLength(1);
    expect(asked[0]!.startsWith(one.claims.iss)).toBe(true);
  });

  test('a good token gives the same each time, with one look at the keys', async () => {
    const { verify, asked } = verifierOf(kind, fixture);
    const token = await genuine();
    const first = await verify(token);
    expect(first).toMatchObject({ workload: { tokenId: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) } } });
    expect(await verify(token)).toEqual(first);
    expect(asked).toHaveLength(1);
  });

  test('for another audience, or for a list that names ours', async () => {
    await refusedAfterKeys(await key.sign({ ...claims, aud: `${fixture.audience}/` }, header), 'audience-other');
    await refusedAfterKeys(
      await key.sign({ ...claims, aud: fixture.audience.toUpperCase() }, header),
      'audience-other',
    );
    await refusedAfterKeys(await key.sign({ ...claims, aud: [fixture.audience] }, header), 'audience-is-list');
    await refusedAfterKeys(await key.sign({ ...claims, aud: [fixture.audience, 'x'] }, header), 'audience-is-list');
    await refusedAfterKeys(await key.sign({ ...claims, aud: 7 }, header), 'claim-malformed');
    await refusedAfterKeys(await key.sign(without(claims, 'aud'), header), 'claim-missing');
  });

  test('expired, to five seconds of skew; without exp; with an exp that is no time', async () => {
    const { exp } = claims;
    const at = async (exactMs: number) => {
      const { verify } = verifierOf(kind, fixture, { nowMs: exactMs });
      return verify(await key.sign({ ...claims, iat: exp - 60 }, header));
    };
    expect(await at(exp * 1000 + 4999)).toHaveProperty('workload');
    expect(await at(exp * 1000 + 5000)).toMatchObject({ refusal: { status: 401, reason: 'expired' } });
    await refusedAfterKeys(await key.sign(without(claims, 'exp'), header), 'claim-missing');
    for (const wrong of [String(exp), exp + 0.5, -1, 1e300, true])
      await refusedAfterKeys(await key.sign({ ...claims, exp: wrong }, header), 'claim-malformed');
  });

  test('nbf or iat ahead of the clock', async () => {
    const soon = Math.floor(Date.parse(fixture.now) / 1000) + 10;
    await refusedAfterKeys(await key.sign({ ...claims, nbf: soon }, header), 'not-yet-valid');
    await refusedAfterKeys(await key.sign({ ...claims, iat: soon, exp: soon + 60 }, header), 'not-yet-valid');
    expect(
      await verifierOf(kind, fixture).verify(await key.sign({ ...claims, nbf: soon - 6, iat: soon - 6 }, header)),
    ).toHaveProperty('workload');
  });

  test('issued more than ten minutes ago, where a job can ask for a fresh one', async () => {
    const nowS = Date.parse(fixture.now) / 1000;
    const old = await key.sign({ ...claims, nbf: nowS - 700, iat: nowS - 606, exp: nowS + 300 }, header);
    if (kind === 'github' || kind === 'buildkite') await refusedAfterKeys(old, 'too-old');
    else expect(await verifierOf(kind, fixture).verify(old)).toHaveProperty('workload');
    const young = await key.sign({ ...claims, nbf: nowS - 700, iat: nowS - 605, exp: nowS + 300 }, header);
    expect(await verifierOf(kind, fixture).verify(young)).toHaveProperty('workload');
  });

  test('of an issuer that is not configured: nobody is asked', async () => {
    for (const iss of [
      'https://evil.example',
      `${claims.iss}/`,
      claims.iss.toUpperCase(),
      ` ${claims.iss}`,
      '',
      null,
      7,
      [claims.iss],
      '__proto__',
    ])
      await refused(await key.sign({ ...claims, iss }, header), 'issuer-unknown');
    await refused(await key.sign(without(claims, 'iss'), header), 'issuer-unknown');
  });

  test('alg none, HS256 with the public key, PS256: nobody is asked', async () => {
    const pem = createPublicKey({ key: key.publicJwk as never, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
    const hmac = (head: string, secret: string | Buffer) =>
      createHmac('sha256', secret).update(head).digest('base64url');
    for (const alg of ['none', 'None', 'HS256', 'RS512', 'rs256', undefined, 5]) {
      const head = `${part({ alg, kid: 'key-1', typ: 'JWT' })}.${part(claims)}`;
      await refused(`${head}.${hmac(head, pem)}`, 'algorithm-not-allowed');
    }
    await refused(await pss.sign(claims, header), 'algorithm-not-allowed');
    await refused(`${part({ alg: 'none' })}.${part(claims)}.`, 'token-malformed');
  });

  test('a signature of another length, of nothing, or padded as PS256 by the very key', async () => {
    const own = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const keys = [{ ...own.publicKey.export({ format: 'jwk' }), kid: 'key-1' }];
    const head = `${part({ ...header, alg: 'RS256', kid: 'key-1', typ: 'JWT' })}.${part(claims)}`;
    const signedBy = (padding: number) => sign('sha256', Buffer.from(head), { key: own.privateKey, padding });
    const good = signedBy(constants.RSA_PKCS1_PADDING);
    const shown = (signature: Buffer) => `${head}.${signature.toString('base64url')}`;
    expect(await verifierOf(kind, fixture, { keys }).verify(shown(good))).toHaveProperty('workload');
    for (const signature of [
      Buffer.alloc(1),
      Buffer.alloc(256),
      Buffer.alloc(512, 255),
      good.subarray(1),
      Buffer.concat([good, Buffer.alloc(1)]),
      Buffer.concat([Buffer.alloc(1), good]),
      signedBy(constants.RSA_PKCS1_PSS_PADDING),
      plus(good, Buffer.from(own.publicKey.export({ format: 'jwk' }).n!, 'base64url')),
    ])
      await refusedAfterKeys(shown(signature), 'bad-signature', { keys });
  });

  test('the same key id and another key; a key that the header brings along or points to', async () => {
    await refusedAfterKeys(await other.sign(claims, header), 'bad-signature');
    const jku = 'https://evil.example/keys';
    for (const extra of [{ jku }, { x5u: jku }, { jwk: other.publicJwk }, { x5c: ['MIIB'] }])
      await refusedAfterKeys(await other.sign(claims, { ...header, ...extra }), 'bad-signature');
    // Of the issuer itself they are passed over: they change nothing.
    const { verify } = verifierOf(kind, fixture);
    expect(await verify(await key.sign(claims, { ...header, jku, jwk: other.publicJwk }))).toHaveProperty('workload');
  });

  test('crit, b64, another type, no kid', async () => {
    const signed = (head: Record<string, unknown>) =>
      `${part({ alg: 'RS256', kid: 'key-1', ...head })}.${part(claims)}.${part('x'.repeat(256))}`;
    for (const head of [{ crit: ['exp'] }, { crit: [] }, { b64: false }, { b64: true }, { typ: 'at+jwt' }, { typ: 5 }])
      await refused(signed(head), 'header-not-allowed');
    for (const kid of [undefined, '', 7, ['key-1']]) await refused(signed({ kid }), 'header-not-allowed');
    await refusedAfterKeys(signed({ kid: 'key-2' }), 'key-unknown');
    await refusedAfterKeys(signed({ kid: '__proto__' }), 'key-unknown');
  });

  test('encrypted', async () => {
    const jwe = await new CompactEncrypt(Buffer.from(JSON.stringify(claims)))
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .encrypt(new Uint8Array(32));
    await refused(jwe, 'token-encrypted');
  });

  test('a payload that was changed, also to the same meaning', async () => {
    const [head, payload, signature] = (await genuine()).split('.') as [string, string, string];
    const spaced = part(` ${Buffer.from(payload, 'base64url').toString()}`);
    for (const changed of [
      spaced,
      part({ ...claims, sub: 'x' }),
      part(Object.fromEntries(Object.entries(claims).reverse())),
    ])
      await refusedAfterKeys(`${head}.${changed}.${signature}`, 'bad-signature');
  });

  test('a name that stands twice, at any depth, however it is spelled', async () => {
    const text = JSON.stringify(claims).slice(1, -1);
    const good = `${part({ alg: 'RS256', kid: 'key-1' })}`;
    for (const twice of [
      `{${text},"aud":${JSON.stringify(fixture.audience)}}`,
      `{"aud":"x",${text}}`,
      `{${text},"\\u0061ud" : "x"}`,
      `{${text},"deep":[{"a":{"b":1,"c":"\\"}","b":2}}]}`,
    ])
      await refused(`${good}.${part(twice)}.${part('s')}`, 'duplicate-names');
    await refused(
      `${part('{"alg":"RS256","kid":"key-1","alg":"none"}')}.${part(claims)}.${part('s')}`,
      'duplicate-names',
    );
    await refused(
      `${part('{"alg":"RS256","kid":"key-1"}')}.${part({ ...claims, iss: `"iss": "iss":`, also: '{"iss":1}' })}.${part('s')}`,
      'issuer-unknown',
    );
  });

  test('jti that is missing, or a number', async () => {
    const isWritten = Object.hasOwn(claims, 'jti');
    await refusedAfterKeys(await key.sign({ ...claims, jti: 12345 }, header), 'claim-malformed');
    await refusedAfterKeys(await key.sign({ ...claims, jti: '' }, header), 'claim-malformed');
    const token = await key.sign(without(claims, 'jti'), header);
    if (isWritten) return refusedAfterKeys(token, 'claim-missing');
    expect(await verifierOf(kind, fixture).verify(token)).toMatchObject({ workload: { tokenId: { of: 'token' } } });
  });

  test('a megabyte; what is no token', async () => {
    await refused(`${await genuine()}${'A'.repeat(1024 * 1024)}`, 'token-too-large');
    await refused('.'.repeat(1024 * 1024), 'token-too-large');
    const [head, payload, signature] = (await genuine()).split('.') as [string, string, string];
    for (const none of [
      '',
      '.',
      '..',
      'a.b.c',
      `${head}.${payload}`,
      `${head}.${payload}.`,
      `${head}..${signature}`,
      `${head}=.${payload}.${signature}`,
      ` ${head}.${payload}.${signature}`,
    ])
      await refused(none, 'token-malformed');
    for (const json of ['[]', 'null', '7', '"x"', '{', '\ufeff{}', `{"a":${'['.repeat(1500)}${']'.repeat(1499)}}`])
      await refused(`${head}.${part(json)}.${signature}`, 'token-malformed');
    await refused(
      `${head}.${Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]).toString('base64url')}.${signature}`,
      'token-malformed',
    );
  });

  test('each claim that the workload is read from: missing, null, or of another type', async () => {
    const { verify } = verifierOf(kind, fixture);
    const whole = await verify(await genuine());
    const standard = ['iss', 'aud'];
    let held = 0;
    for (const name of Object.keys(claims).filter((one) => !standard.includes(one))) {
      const gone = await verify(await key.sign(without(claims, name), header));
      for (const wrong of [{ of: 'an object' }, [['list']], '\u0000', '', typeof claims[name] === 'number' ? '7' : 7]) {
        const verdict = await verify(await key.sign({ ...claims, [name]: wrong }, header));
        if ('refusal' in verdict) expect(verdict.refusal.reason, name).toBe('claim-malformed');
        // What a wrong value does not change is not read.
        else expect({ name, ...withoutTokenId(verdict) }).toEqual({ name, ...withoutTokenId(whole) });
      }
      if ('refusal' in gone) {
        expect(gone.refusal, name).toMatchObject({
          status: 401,
          reason: 'claim-missing',
          message: expect.stringContaining(name),
        });
        held += 1;
      }
    }
    expect(held).toBeGreaterThanOrEqual(8);
  });

  test('of an owner that is not configured, before anything else of it is read', async () => {
    const strangers: Record<string, Record<string, unknown>> = {
      github: { repository_owner_id: '66', run_id: undefined },
      gitlab: { namespace_id: '73', job_id: undefined },
      buildkite: { organization_id: '0184990a-477b-4fa8-9968-496074483cf8', job_id: undefined },
    };
    const stranger = strangers[kind];
    if (stranger === undefined) return; // CircleCI's issuer is the organisation's own.
    await refusedAfterKeys(await key.sign({ ...claims, ...stranger }, header), 'owner-unknown');
  });

  test('any other spelling of a genuine token, and any other type of any claim, proves nobody or the same', async () => {
    const { verify } = verifierOf(kind, fixture);
    const token = await genuine();
    const whole = withoutTokenId(await verify(token));
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n';
    await fc.assert(
      fc.asyncProperty(
        fc.nat(token.length - 1),
        fc.constantFrom(...alphabet),
        fc.constantFrom('replace', 'insert', 'remove'),
        async (at, character, manner) => {
          const before = token.slice(0, at);
          const changed = {
            replace: `${before}${character}${token.slice(at + 1)}`,
            insert: `${before}${character}${token.slice(at)}`,
            remove: `${before}${token.slice(at + 1)}`,
          }[manner];
          fc.pre(changed !== token);
          expect(await verify(changed)).toHaveProperty('refusal');
        },
      ),
      { numRuns: 300 },
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...Object.keys(claims)), fc.jsonValue(), async (name, value) => {
        const verdict = await verify(await key.sign({ ...claims, [name]: value }, header));
        if ('refusal' in verdict) expect(verdict.refusal.status).toBe(401);
        else if (value === null) {
          // As if it were not there.
          const gone = await verify(await key.sign(without(claims, name), header));
          expect(withoutTokenId(verdict)).toEqual(withoutTokenId(gone));
        } else if (typeof value !== typeof claims[name]) expect(withoutTokenId(verdict)).toEqual(whole);
      }),
      { numRuns: 60 },
    );
  });
});

function withoutTokenId(verdict: object): Record<string, unknown> {
  const { workload, ...rest } = verdict as { workload?: Record<string, unknown> };
  return { ...rest, ...without(workload ?? {}, 'tokenId') };
}
