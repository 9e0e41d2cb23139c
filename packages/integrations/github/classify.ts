import { waitableMs } from '../caller.ts';
import type { Outcome } from '../outcome.ts';
import { type GitHubAnswer, messageOf, NoAnswerError } from './client.ts';

/**
 * What an answer to a request that changes something means, by status:
 *
 * | answer | outcome |
 * |---|---|
 * | 2xx | done |
 * | 404, 410 | done, `already-gone`: what was to be ended is not there. The token was minted for just this target, so "not there" does not stand for "not allowed" |
 * | 403 or 429 with a rate limit | retry, `rate-limited`, after what GitHub asks |
 * | 409 | retry, `conflict` |
 * | 5xx | retry, `provider-failed` |
 * | 401, other 403 | give up, `unauthorised`, `forbidden` |
 * | 3xx | give up, `moved`: the target goes by another name now |
 * | 422 and the rest | give up, `rejected` |
 */
export function outcomeOf(answer: GitHubAnswer, nowMs: number): Outcome {
  const { status } = answer;
  const message = messageOf(answer);
  if (status >= 200 && status < 300) return { kind: 'done', reason: 'accepted', message: `GitHub answered ${status}` };
  if (status === 404 || status === 410) return { kind: 'done', reason: 'already-gone', message };
  const afterMs = rateLimitedForMs(answer, nowMs);
  if (afterMs !== undefined) return { kind: 'retry', reason: 'rate-limited', message, afterMs };
  if (status === 409) return { kind: 'retry', reason: 'conflict', message };
  if (status >= 500) return { kind: 'retry', reason: 'provider-failed', message };
  if (status === 401) return { kind: 'give-up', reason: 'unauthorised', message };
  if (status === 403) return { kind: 'give-up', reason: 'forbidden', message };
  if (status >= 300 && status < 400) return { kind: 'give-up', reason: 'moved', message };
  return { kind: 'give-up', reason: 'rejected', message };
}

/**
 * GitHub's own word that the token of a request is none: revoked, expired, never there. A gateway's 401 may have the same form,
 * `{"message":"Unauthorized"}`, and says nothing of the token.
 */
export function saysTokenIsNone({ status, data }: GitHubAnswer): boolean {
  return status === 401 && (data as { message?: unknown } | null)?.message === 'Bad credentials';
}

/** No answer: the request may have been carried out all the same, so it is retried after a check. */
export function outcomeOfError(error: unknown): Outcome {
  if (error instanceof NoAnswerError) return { kind: 'retry', reason: error.reason, message: error.message };
  throw error;
}

/** How long GitHub asks to wait, in ms, of what can be waited, or undefined when this is no rate limit. */
function rateLimitedForMs(answer: GitHubAnswer, nowMs: number): number | undefined {
  const { status, headers } = answer;
  if (status !== 429 && status !== 403) return undefined;
  const retryAfter = headers['retry-after'];
  if (retryAfter !== undefined && Number.isFinite(Number(retryAfter))) return waitableMs(Number(retryAfter) * 1000);
  if (String(headers['x-ratelimit-remaining']) === '0') {
    const leftMs = Number(headers['x-ratelimit-reset']) * 1000 - nowMs;
    return leftMs > 0 ? waitableMs(leftMs) : 60_000;
  }
  // GitHub's advice for a secondary limit without a header: at least a minute.
  return status === 429 || /\brate limit\b/i.test(messageOf(answer)) ? 60_000 : undefined;
}
