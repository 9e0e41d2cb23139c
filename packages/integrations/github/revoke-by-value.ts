import { type Clock, systemClock } from '@tripline/runtime/clock';
import type { Outcome } from '../outcome.ts';
import { outcomeOf, outcomeOfError } from './classify.ts';
import { createGitHubClient } from './client.ts';

/** GitHub's limit for one request. */
const mostTokens = 1000;

/** The kinds of token that GitHub revokes by value. It cannot revoke an App's own (`ghs_`), a deploy key or a password. */
const revocable = /^(?:gh[pour]_|github_pat_)\w{16,255}$/;

/**
 * A4b: revokes leaked tokens by their values, at most 1,000. Irreversible; GitHub tells their owners.
 *
 * Sent without any credential, as GitHub demands. The values go into the one request and nowhere else: no outcome or
 * error repeats them or what GitHub said about them. GitHub answers 202 before it acts, and the only way to check
 * afterwards would be to use the token, which would itself be an intrusion: `done` means "accepted".
 */
export async function revokeByValue(options: {
  apiUrl: string;
  tokens: readonly string[];
  fetch?: typeof globalThis.fetch;
  timeoutMs?: number;
  clock?: Clock;
}): Promise<Outcome> {
  const { apiUrl, tokens, fetch, timeoutMs, clock = systemClock } = options;
  if (tokens.length === 0 || tokens.length > mostTokens) {
    const message = `Give 1 to ${mostTokens} tokens at once; these are ${tokens.length}`;
    return { kind: 'give-up', reason: 'wrong-number', message };
  }
  const wrong = tokens.findIndex((token) => !revocable.test(token));
  if (wrong !== -1) {
    const message = `Token ${wrong + 1} is of no kind that GitHub revokes by value (ghp_, github_pat_, gho_, ghu_, ghr_)`;
    return { kind: 'give-up', reason: 'wrong-kind', message };
  }
  const client = createGitHubClient({
    apiUrl,
    fetch,
    manner: 'once',
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  try {
    const answer = await client.send({ route: 'POST /credentials/revoke', parameters: { credentials: [...tokens] } });
    const outcome = outcomeOf(answer, clock.nowMs());
    const message = `GitHub answered ${answer.status}`;
    // There is no "already gone" here: 404 means that this GitHub has no such endpoint.
    if (outcome.reason === 'already-gone') return { kind: 'give-up', reason: 'not-offered', message };
    return { ...outcome, message };
  } catch (error) {
    return outcomeOfError(error);
  }
}
