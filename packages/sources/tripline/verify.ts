import { createHmac, timingSafeEqual } from 'node:crypto';
import { headerOf, type Refusal, type RequestHeaders, refuse } from '../contract.ts';

/** How far a signed time may lie from ours. */
const toleranceMs = 5 * 60_000;

/**
 * The value of `webhook-signature` by Standard Webhooks, over `{id}.{timestamp}.{body}`. The key is the secret's own
 * UTF-8 bytes, so that one secret serves both routes. `timestamp` is in seconds since the epoch.
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function signStandard(body: Buffer | string, secret: string, id: string, timestamp: number): string {
  return `v1,${createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body).digest('base64')}`;
}

/** Every secret and every signature in the header is tried, so that the answer's time does not tell which one fitted. */
export function verifyStandard(
  rawBody: Buffer,
  headers: RequestHeaders,
  secrets: readonly string[],
  nowMs: number,
): Refusal | undefined {
  const id = headerOf(headers, 'webhook-id');
  const timestamp = headerOf(headers, 'webhook-timestamp');
  const given = headerOf(headers, 'webhook-signature');
  if (id === undefined || timestamp === undefined || given === undefined) {
    return refuse(401, 'missing-signature', 'webhook-id, webhook-timestamp and webhook-signature must all be sent');
  }
  const signatures = given
    .split(' ')
    .slice(0, 10)
    .map((one) => Buffer.from(one));
  let fits = false;
  if (/^\d{1,12}$/.test(timestamp)) {
    for (const secret of secrets) {
      const expected = Buffer.from(signStandard(rawBody, secret, id, Number(timestamp)));
      for (const signature of signatures) {
        fits = (signature.length === expected.length && timingSafeEqual(signature, expected)) || fits;
      }
    }
  }
  if (!fits) return refuse(401, 'bad-signature', 'webhook-signature fits none of the configured webhook secrets');
  if (Math.abs(nowMs - Number(timestamp) * 1000) > toleranceMs) {
    const message = 'webhook-timestamp is more than 5 minutes from this server’s time; sign anew, or set the clocks';
    return refuse(401, 'timestamp-out-of-tolerance', message);
  }
  return undefined;
}
