import { createHmac, timingSafeEqual } from 'node:crypto';
import { headerOf, type Refusal, type RequestHeaders, refuse } from '../contract.ts';

/** The value of `X-Hub-Signature-256` for a body: what GitHub sends, and what `tripline attack` signs with. */
export function signGithub(body: Buffer | string, secret: string): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}

/** HMAC-SHA256 over the raw bytes. Every secret is tried, so that the answer's time does not tell which one fitted. */
export function verifyGithub(
  rawBody: Buffer,
  headers: RequestHeaders,
  secrets: readonly string[],
): Refusal | undefined {
  const given = headerOf(headers, 'x-hub-signature-256');
  if (given === undefined) {
    return refuse(401, 'missing-signature', 'X-Hub-Signature-256 is missing; set a secret on the webhook');
  }
  const digest = /^sha256=[0-9a-f]{64}$/.test(given) ? Buffer.from(given.slice(7), 'hex') : Buffer.alloc(32);
  let fits = false;
  for (const secret of secrets) {
    const expected = createHmac('sha256', secret).update(rawBody).digest();
    fits = timingSafeEqual(digest, expected) || fits;
  }
  if (fits) return undefined;
  return refuse(401, 'bad-signature', 'X-Hub-Signature-256 fits none of the configured webhook secrets');
}
