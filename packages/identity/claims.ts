import { z } from 'zod';
import { type IdentityRefusal, refuseToken } from './refusal.ts';

/** Building blocks of claims. All are bounded, since whoever may start a run chooses branches, names and environments. */

/** A number that names something, as text: GitHub and GitLab write nearly all of theirs so. */
export const numericId = z.string().regex(/^[1-9]\d{0,19}$/);
/** One that is written as a number. */
export const numberId = z.int().min(1).transform(String);
export const uuid = z.string().regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);
/** Text without control characters, of 1 to 1,024 UTF-16 units. */
export const claimText = z
  .string()
  .min(1)
  .max(1024)
  .refine((text) => !control.test(text));
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this looks for.
const control = /[\u0000-\u001f\u007f]/;
/** A commit: SHA-1 or SHA-256 in full. A branch, tag or `HEAD` in its place says nothing that stays. */
export const commitSha = z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/);
/** Branch, tag or request, in full. */
export const fullRef = claimText.refine((ref) => ref.startsWith('refs/'));

/** Seconds since the epoch, up to the year 9999. */
const instant = z.int().min(0).max(253_402_300_799);
const standardClaims = z.object({
  sub: claimText,
  exp: instant,
  iat: instant,
  nbf: instant.optional(),
  jti: claimText.optional(),
});
export type StandardClaims = z.output<typeof standardClaims>;

/** Claims as a schema reads them, or each that is missing, or each that is of another form, by name. */
export function readClaims<Schema extends z.ZodType>(
  schema: Schema,
  claims: Record<string, unknown>,
  hint = '',
): { claims: z.output<Schema> } | { refusal: IdentityRefusal } {
  const parsed = schema.safeParse(claims);
  if (parsed.success) return { claims: parsed.data };
  const names = [...new Set(parsed.error.issues.map(({ path }) => String(path[0])))];
  const missing = names.filter((name) => !Object.hasOwn(claims, name) || claims[name] === null);
  const more = hint === '' ? '' : `: ${hint}`;
  if (missing.length > 0)
    return { refusal: refuseToken('claim-missing', `The token lacks ${missing.join(', ')}${more}`) };
  const message = `The token’s ${names.join(', ')} ${names.length === 1 ? 'has' : 'have'} another form than the issuer documents`;
  return { refusal: refuseToken('claim-malformed', message) };
}

/** How far clocks may differ. */
const skewMs = 5000;

/**
 * Checks what every token says of itself: for whom it is, and when.
 * @param required of `nbf` and `jti`, those that this issuer always writes.
 * @param maxAgeMs how long ago it may have been issued, where a job can ask for a fresh one at any time.
 */
export function checkStandardClaims(
  claims: Record<string, unknown>,
  expected: { audiences: readonly string[]; required: readonly ('nbf' | 'jti')[]; maxAgeMs: number | null },
  nowMs: number,
): { standard: StandardClaims } | { refusal: IdentityRefusal } {
  const { aud } = claims;
  if (Array.isArray(aud))
    return {
      refusal: refuseToken(
        'audience-is-list',
        'The token is for a list of audiences: ask the issuer for one that is for this service alone',
      ),
    };
  if (typeof aud !== 'string') {
    const message = 'The token’s aud is missing or no text: ask the issuer for a token for this service';
    return { refusal: refuseToken(aud === undefined ? 'claim-missing' : 'claim-malformed', message) };
  }
  if (!expected.audiences.includes(aud)) {
    const wanted = expected.audiences.join(' or ');
    const message = `The token is for another service: ask the issuer for one with the audience ${wanted}`;
    return { refusal: refuseToken('audience-other', message) };
  }
  const absent = expected.required.filter((name) => !Object.hasOwn(claims, name));
  if (absent.length > 0)
    return {
      refusal: refuseToken('claim-missing', `The token lacks ${absent.join(', ')}, which its issuer always writes`),
    };
  const read = readClaims(standardClaims, claims);
  if ('refusal' in read) return read;
  const { exp, iat, nbf } = read.claims;
  const refusal = faultOfTimes(
    { expMs: exp * 1000, iatMs: iat * 1000, nbfMs: (nbf ?? 0) * 1000 },
    expected.maxAgeMs,
    nowMs,
  );
  return refusal === undefined ? { standard: read.claims } : { refusal };
}

function faultOfTimes(
  { expMs, iatMs, nbfMs }: Record<'expMs' | 'iatMs' | 'nbfMs', number>,
  maxAgeMs: number | null,
  nowMs: number,
): IdentityRefusal | undefined {
  const at = (ms: number) => new Date(ms).toISOString();
  const here = `and it is ${at(nowMs)} here`;
  if (nowMs - skewMs >= expMs)
    return refuseToken('expired', `The token ended at ${at(expMs)}, ${here}: ask the issuer for a fresh one`);
  const startMs = Math.max(iatMs, nbfMs);
  if (startMs > nowMs + skewMs)
    return refuseToken('not-yet-valid', `The token begins at ${at(startMs)}, ${here}: one of the clocks is wrong`);
  if (maxAgeMs !== null && nowMs - iatMs > maxAgeMs + skewMs)
    return refuseToken(
      'too-old',
      `The token was issued at ${at(iatMs)}, ${here}: ask the issuer for a fresh one right before it is used`,
    );
  return undefined;
}
