import { constants, createHash, type KeyObject, verify } from 'node:crypto';
import type { Clock } from '@tripline/runtime/clock';
import { checkStandardClaims } from './claims.ts';
import type { TrustedIssuer } from './issuer.ts';
import { algorithm, createKeySet, type KeyEvent, type KeySet } from './key-set.ts';
import { type IdentityRefusal, refuseToken } from './refusal.ts';
import { type ParsedToken, parseToken } from './token.ts';
import type { Workload } from './workload.ts';

/**
 * Says who asks, by the id token that a job shows; or why the token proves nobody. Never throws for what a token holds.
 * `alsoFor`: another audience that will do for this request.
 */
export type Verifier = (
  token: string,
  alsoFor?: string,
) => Promise<{ workload: Workload } | { refusal: IdentityRefusal }>;

export type VerifierDependencies = {
  clock: Clock;
  /** Makes the `fetch` that reads an issuer's keys: it calls that address and nothing else. */
  openOutbound: (jwksUri: string) => typeof globalThis.fetch;
  tell?: (event: KeyEvent) => void;
};

/**
 * Verifies tokens of `issuers` that are for `audience`. Cheap checks come before dear ones, and what is not configured
 * before anything is asked of anybody: size, form, issuer, algorithm, key, signature, audience and times, the issuer's
 * own claims. A token that passes is not spent by it: whoever acts on it must take `tokenId` once.
 */
export function createVerifier(
  { audience, issuers }: { audience: string; issuers: readonly TrustedIssuer[] },
  { clock, openOutbound, tell }: VerifierDependencies,
): Verifier {
  const trusted = new Map(
    issuers.map((issuer) => [
      issuer.iss,
      { issuer, keys: createKeySet(issuer, { clock, tell, ask: openOutbound(issuer.jwksUri) }) },
    ]),
  );
  return async (token, alsoFor) => {
    const parsed = parseToken(token);
    if ('refusal' in parsed) return parsed;
    const { iss } = parsed.claims;
    const known = typeof iss === 'string' ? trusted.get(iss) : undefined;
    if (known === undefined) return { refusal: unknownIssuer() };
    const refusal = faultOfHeader(parsed.header) ?? (await faultOfSignature(token, parsed, known.keys));
    if (refusal !== undefined) return { refusal };
    const { issuer } = known;
    const audiences = alsoFor === undefined ? [audience] : [audience, alsoFor];
    const checked = checkStandardClaims(parsed.claims, { ...issuer, audiences }, clock.nowMs());
    if ('refusal' in checked) return checked;
    const read = issuer.read(parsed.claims);
    if ('refusal' in read) return read;
    const { sub, iat, exp, jti } = checked.standard;
    const tokenId = { of: jti === undefined ? 'token' : 'jti', sha256: sha256(jti ?? token) } as const;
    const proof = { issuer: issuer.iss, tokenId, subject: sub, issuedAtMs: iat * 1000, expiresAtMs: exp * 1000 };
    return { workload: { ...proof, ...read.job } };
  };
}

function unknownIssuer(): IdentityRefusal {
  return refuseToken(
    'issuer-unknown',
    'The token’s issuer is none of those under `identity` in tripline.yaml, where it must stand exactly as tokens write `iss`',
  );
}

function isSignedBy(key: KeyObject, signed: Buffer, signature: Buffer): boolean {
  try {
    return verify(digest, signed, { key, padding: constants.RSA_PKCS1_PADDING }, signature);
  } catch {
    return false;
  }
}

/** What RS256 signs by, with padding of PKCS #1 v1.5 (RFC 7518, 3.3). */
const digest = 'sha256';

/** Names of other keys (`jku`, `jwk`, `x5u`, `x5c`) are not looked at: keys come from where the settings say. */
function faultOfHeader({ alg, typ, kid, crit, b64 }: ParsedToken['header']): IdentityRefusal | undefined {
  if (alg !== algorithm)
    return refuseToken('algorithm-not-allowed', `The token is not signed by ${algorithm}, as its issuer signs`);
  const isOther = typ !== undefined && (typeof typ !== 'string' || typ.toUpperCase() !== 'JWT');
  if (crit !== undefined || b64 !== undefined || isOther)
    return refuseToken('header-not-allowed', 'The token’s header names a type or an extension that no id token has');
  if (typeof kid !== 'string' || kid === '')
    return refuseToken('header-not-allowed', 'The token’s header names no key (kid)');
  return undefined;
}

async function faultOfSignature(
  token: string,
  { header, signature }: ParsedToken,
  keys: KeySet,
): Promise<IdentityRefusal | undefined> {
  const found = await keys.find(header['kid'] as string);
  if ('refusal' in found) return found.refusal;
  // On this thread: it takes 0.06 ms, and a thread of Node's pool would first have to get a core, which takes longer where all are busy.
  const signed = Buffer.from(token.slice(0, token.lastIndexOf('.')), 'ascii');
  if (isSignedBy(found.key, signed, signature)) return undefined;
  return refuseToken('bad-signature', 'The token is not signed by its issuer, or was changed: send it as it was given');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
