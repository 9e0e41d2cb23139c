import { retryAfterMs } from '../caller.ts';
import { createOutbound, type Outbound, withoutEndSlashes } from '../outbound.ts';
import type { Outcome } from '../outcome.ts';
import type { PagerDutyEvent } from './event.ts';

export type PagerDutyOptions = {
  routingKey: string;
  apiUrl: string;
  timeoutMs?: number;
  /** For tests; only the configured service may be called otherwise. */
  fetch?: Outbound | undefined;
};

/** Never rejects: the result of a call is in its outcome. Each event is sent once. */
export type PagerDutyClient = { send: (event: PagerDutyEvent) => Promise<Outcome> };

/** PagerDuty names no time with its 429; its limits are by the minute. */
const rateLimitedMs = 60_000;

/**
 * The Events API v2, by status: 202 done; 429 and 5xx retry; 400 (the event or the routing key is wrong) and the rest
 * give up. A missing answer is retried: the dedup key makes one alert of any number of events.
 * https://developer.pagerduty.com/docs/events-api-v2-overview
 */
export function createPagerDutyClient(options: PagerDutyOptions): PagerDutyClient {
  const { routingKey, apiUrl, timeoutMs = 10_000, fetch: outbound = createOutbound(apiUrl) } = options;
  const url = `${withoutEndSlashes(apiUrl)}/v2/enqueue`;

  async function send(event: PagerDutyEvent): Promise<Outcome> {
    try {
      const response = await outbound(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'user-agent': 'tripline/0.1' },
        body: JSON.stringify({ routing_key: routingKey, ...event }),
        // A redirect would carry the routing key to an address that nobody configured.
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      });
      // Read to its end, so that a truncated answer is noticed; its text is not passed on.
      const said = Buffer.from(await response.arrayBuffer());
      return outcomeOf(response, said.toString('latin1', 0, 4096));
    } catch (error) {
      return outcomeOfError(error);
    }
  }

  return { send };
}

function outcomeOf({ status, headers }: Response, said: string): Outcome {
  const message = `PagerDuty answered ${status}`;
  if (status >= 200 && status < 300) return { kind: 'done', reason: 'accepted' };
  if (status === 429) {
    return { kind: 'retry', reason: 'rate-limited', message, afterMs: retryAfterMs(headers, rateLimitedMs) };
  }
  if (status >= 500) return { kind: 'retry', reason: 'provider-failed', message };
  // A revoked key is a 400 like a malformed event; only the text distinguishes them.
  if (status === 401 || status === 403 || (status === 400 && /routing.key/i.test(said)))
    return { kind: 'give-up', reason: 'unauthorised', message: `${message}: check pagerduty.routingKey` };
  return {
    kind: 'give-up',
    reason: 'rejected',
    message: `${message}: it does not take the event; check that pagerduty.routingKey is an Events API v2 key`,
  };
}

function outcomeOfError(error: unknown): Outcome {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause.name === 'TimeoutError')
      return { kind: 'retry', reason: 'timeout', message: 'PagerDuty did not answer in time' };
    const { code = '' } = cause as NodeJS.ErrnoException;
    if (/^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/.test(code))
      return { kind: 'retry', reason: 'unreachable', message: 'PagerDuty cannot be reached' };
  }
  return { kind: 'retry', reason: 'broken-off', message: "PagerDuty's answer broke off" };
}
