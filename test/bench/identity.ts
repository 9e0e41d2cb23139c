import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { trustGitHub } from '@tripline/identity/github/issuer';
import { gitHubIssuerSettings } from '@tripline/identity/github/settings';
import { createVerifier } from '@tripline/identity/verify';
import { type IssuerKey, makeIssuerKey, verifierByJose } from '@tripline/testing/id-tokens';

type Claims = Record<string, unknown> & { aud: string; iss: string };
const fixture = join(import.meta.dirname, '../../packages/identity/github/fixtures/job.json');
const { claims } = JSON.parse(readFileSync(fixture, 'utf8')) as { claims: Claims };

/** Ms a token, one after another, each its own; `jose` with the key at hand does what every verifier must. */
export type Verified = { genuineMs: number[]; forgedMs: number[]; garbageMs: number[]; joseMs: number[] };

/** What it costs to say who asks, of genuine tokens of GitHub, of forged ones under a known key’s id, and of garbage. */
export async function benchIdentity({ tokens }: { tokens: number }): Promise<Verified> {
  const [key, other] = await Promise.all([makeIssuerKey('1'), makeIssuerKey('1')]);
  const verify = createVerifier(
    {
      audience: claims.aud,
      issuers: [trustGitHub(gitHubIssuerSettings.parse({ owners: [String(claims['repository_owner_id'])] }))],
    },
    {
      clock: { nowMs: Date.now, pause: () => new Promise(() => {}) },
      openOutbound: () => async () => new Response(JSON.stringify({ keys: [key.publicJwk] })),
    },
  );
  const expect = (name: 'workload' | 'refusal') => async (token: string) => {
    const verdict = await verify(token);
    if (!(name in verdict)) throw new Error(`a token was taken for another: ${JSON.stringify(verdict)}`);
  };
  const byJose = await verifierByJose(key, { audience: claims.aud, issuer: claims.iss });
  const genuine = await tokensOf(key, tokens);
  return {
    genuineMs: await timed(genuine, expect('workload')),
    forgedMs: await timed(await tokensOf(other, Math.min(tokens, 200)), expect('refusal')),
    garbageMs: await timed([`${'A'.repeat(4000)}.${'A'.repeat(4000)}.AAAA`, 'x'.repeat(2 ** 20)], expect('refusal')),
    joseMs: await timed(genuine, byJose),
  };
}

function tokensOf(key: IssuerKey, count: number): Promise<string[]> {
  const nowS = Math.floor(Date.now() / 1000);
  const times = { iat: nowS, nbf: nowS - 600, exp: nowS + 300 };
  return Promise.all(Array.from({ length: count }, (_, nth) => key.sign({ ...claims, ...times, jti: `token-${nth}` })));
}

/** Each token ten times after as many to warm up. */
async function timed(tokens: readonly string[], verify: (token: string) => Promise<unknown>): Promise<number[]> {
  const ms: number[] = [];
  for (let round = 0; round < 20; round += 1) {
    for (const token of tokens) {
      const startMs = performance.now();
      await verify(token);
      if (round >= 10) ms.push(performance.now() - startMs);
    }
  }
  return ms;
}
