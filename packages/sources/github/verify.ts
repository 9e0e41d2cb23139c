import { createHmac, timingSafeEqual } from 'node:crypto';
import { refuse } from '../refusal.ts';
import type { FeedSecret, SecretScope } from '../secrets.ts';
import { headerOf, type RequestHeaders, type Verified } from '../source.ts';

/** The value of `X-Hub-Signature-256` for a body: what GitHub sends, and what `tripline attack` signs with. */
export function signGithub(body: Buffer | string, secret: string): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}

/**
 * The header by which `tripline attack` says that a delivery is a drill's. It is unsigned and only selects which
 * secrets are tried: the drill key or the provider's. So drills cost other deliveries nothing.
 */
export const drillHeader = 'x-tripline-drill';

/**
 * HMAC-SHA256 over the raw bytes. Every secret that may fit is tried, so that the answer's time does not tell which one
 * did.
 */
export function verifyGithub(rawBody: Buffer, headers: RequestHeaders, secrets: readonly FeedSecret[]): Verified {
  const given = headerOf(headers, 'x-hub-signature-256');
  if (given === undefined) return missing;
  const digest = /^sha256=[0-9a-f]{64}$/.test(given) ? Buffer.from(given.slice(7), 'hex') : Buffer.alloc(32);
  const isDrill = headers[drillHeader] !== undefined;
  let fitting: SecretScope | undefined;
  for (const { secret, secretScope } of secrets) {
    if ((secretScope.kind === 'drills') !== isDrill) continue;
    const expected = createHmac('sha256', secret).update(rawBody).digest();
    if (timingSafeEqual(digest, expected)) fitting = secretScope;
  }
  if (fitting) return { secretScope: fitting };
  return isDrill ? badDrill : bad;
}

const missing: Verified = {
  refusal: refuse(401, 'missing-signature', 'X-Hub-Signature-256 is missing; set a secret on the webhook'),
};
const bad: Verified = {
  refusal: refuse(401, 'bad-signature', 'X-Hub-Signature-256 fits none of the configured webhook secrets'),
};
const badDrill: Verified = {
  refusal: refuse(401, 'bad-signature', 'A drill is signed with the drill key (TRIPLINE_DRILL_KEY), with drills on'),
};
