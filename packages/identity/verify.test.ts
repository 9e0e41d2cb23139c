import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type IssuerKey, makeIssuerKey } from '@tripline/testing/id-tokens';
import { beforeAll, expect, test } from 'vitest';
import { trustedIssuers } from './registry.ts';
import { identitySettings } from './settings.ts';
import { createVerifier } from './verify.ts';

/** Several issuers at once: what one signs proves nothing of another. */
const kinds = ['github', 'gitlab', 'buildkite', 'circleci'] as const;
type Fixture = { audience: string; settings: object; claims: Record<string, unknown> & { iss: string; iat: number } };
const fixtures = Object.fromEntries(
  kinds.map((kind) => [kind, JSON.parse(readFileSync(join(import.meta.dirname, kind, 'fixtures/job.json'), 'utf8'))]),
) as Record<(typeof kinds)[number], Fixture>;
const { audience, claims } = fixtures.github;

const keys = new Map<string, IssuerKey>();
beforeAll(async () => {
  // All under one id, as two issuers may happen to name theirs.
  for (const kind of kinds) keys.set(fixtures[kind].claims.iss, await makeIssuerKey('key-1'));
});

function verifierOfAll({ isDown = (_iss: string): boolean => false } = {}) {
  const asked: string[] = [];
  const settings = identitySettings.parse({
    audience,
    ...Object.fromEntries(kinds.map((kind) => [kind, [fixtures[kind].settings]])),
  });
  const verify = createVerifier(
    { audience, issuers: trustedIssuers(settings).map(({ issuer }) => issuer) },
    {
      clock: { nowMs: () => claims.iat * 1000, pause: () => new Promise(() => {}) },
      openOutbound: (jwksUri) => async () => {
        const [iss, key] = [...keys].find(([one]) => jwksUri.startsWith(one))!;
        asked.push(iss);
        return isDown(iss)
          ? new Response('', { status: 500 })
          : new Response(JSON.stringify({ keys: [key.publicJwk] }));
      },
    },
  );
  return { verify, asked };
}

test('each issuer’s key signs for it alone, though all have the same id', async () => {
  const { verify, asked } = verifierOfAll();
  for (const by of kinds) {
    for (const of of kinds) {
      const token = await keys.get(fixtures[by].claims.iss)!.sign(fixtures[of].claims);
      const verdict = await verify(token);
      if (by === of) expect(verdict).toMatchObject({ workload: { provider: of } });
      else expect(verdict).toMatchObject({ refusal: { reason: 'bad-signature' } });
    }
  }
  expect(asked.sort()).toEqual(kinds.map((kind) => fixtures[kind].claims.iss).sort());
});

test('claims of one issuer under the name of another prove nobody', async () => {
  const { verify } = verifierOfAll();
  for (const by of kinds) {
    const { iss } = fixtures[by].claims;
    for (const of of kinds) {
      if (by === of) continue;
      const verdict = await verify(
        await keys.get(iss)!.sign({ nbf: claims.iat, jti: 'x', ...fixtures[of].claims, iss }),
      );
      expect(verdict, `${of}’s claims of ${by}`).toMatchObject({ refusal: { status: 401, reason: 'claim-missing' } });
    }
  }
});

test('an issuer whose keys cannot be read keeps back no other', async () => {
  const { verify } = verifierOfAll({ isDown: (iss) => iss === claims.iss });
  expect(await verify(await keys.get(claims.iss)!.sign(claims))).toMatchObject({
    refusal: { status: 503, reason: 'keys-unavailable', retryAfterS: 30 },
  });
  const { claims: others } = fixtures.gitlab;
  expect(await verify(await keys.get(others.iss)!.sign(others))).toHaveProperty('workload');
});

test('a token of any issuer is known by what it alone has', async () => {
  const { verify } = verifierOfAll();
  const idOf = async (kind: (typeof kinds)[number], changed: object) => {
    const of = fixtures[kind].claims;
    const verdict = await verify(await keys.get(of.iss)!.sign({ ...of, ...changed }));
    return 'workload' in verdict ? verdict.workload.tokenId : undefined;
  };
  for (const kind of kinds) {
    const first = await idOf(kind, {});
    expect(first).toEqual(await idOf(kind, {}));
    const isByJti = first?.of === 'jti';
    expect(await idOf(kind, { unread: 1 })).toSatisfy(
      (id) => isByJti === (JSON.stringify(id) === JSON.stringify(first)),
    );
    expect(await idOf(kind, { jti: 'another' })).toMatchObject({ of: 'jti' });
    expect(await idOf(kind, { jti: 'another' })).not.toEqual(first);
  }
});
