import { createHmac, timingSafeEqual } from 'node:crypto';
import { refuse } from '../refusal.ts';
import type { FeedSecret, SecretScope } from '../secrets.ts';
import { headerOf, type RequestHeaders, type Verified } from '../source.ts';

/** Tolerance between the signed time and ours. */
const toleranceMs = 5 * 60_000;

/**
 * The value of `webhook-signature` by Standard Webhooks, over `{id}.{timestamp}.{body}`. The key is the secret's own
 * UTF-8 bytes. `timestamp` is in seconds since the epoch.
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function signStandard(body: Buffer | string, secret: string, id: string, timestamp: number): string {
  return `v1,${createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body).digest('base64')}`;
}

/** Every secret and every signature in the header is tried, so that the answer's time does not tell which one fitted. */
export function verifyStandard(
  rawBody: Buffer,
  headers: RequestHeaders,
  secrets: readonly FeedSecret[],
  nowMs: number,
): Verified {
  const id = headerOf(headers, 'webhook-id');
  const timestamp = headerOf(headers, 'webhook-timestamp');
  const given = headerOf(headers, 'webhook-signature');
  if (id === undefined || timestamp === undefined || given === undefined) {
    const message = 'webhook-id, webhook-timestamp and webhook-signature must all be sent';
    return { refusal: refuse(401, 'missing-signature', message) };
  }
  const signatures = given
    .split(' ')
    .slice(0, 10)
    .map((one) => Buffer.from(one));
  let fitting: SecretScope | undefined;
  if (/^\d{1,12}$/.test(timestamp)) {
    for (const { secret, secretScope } of secrets) {
      const expected = Buffer.from(signStandard(rawBody, secret, id, Number(timestamp)));
      for (const signature of signatures) {
        if (signature.length === expected.length && timingSafeEqual(signature, expected)) fitting = secretScope;
      }
    }
  }
  if (!fitting) return { refusal: refuse(401, 'bad-signature', fitsNone) };
  if (Math.abs(nowMs - Number(timestamp) * 1000) > toleranceMs) {
    const message = 'webhook-timestamp is more than 5 minutes from this server’s time; sign anew, or set the clocks';
    return { refusal: refuse(401, 'timestamp-out-of-tolerance', message) };
  }
  return { secretScope: fitting };
}

const fitsNone =
  'webhook-signature fits no key of this route: a break-glass record is signed with a key of its workspace ' +
  '(workspaces[].breakGlassKeys), a drill with the drill key (TRIPLINE_DRILL_KEY); no webhook secret is taken here';
