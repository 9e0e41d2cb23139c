import { createOutbound } from '../outbound.ts';

const neededScope = 'chat:write';

/**
 * Asks Slack whether a bot token is good, and as whom: `auth.test`.
 * @returns the team and the bot.
 * @throws {Error} with Slack's reason; never with the token.
 */
export async function checkSlack(options: {
  botToken: string;
  apiUrl: string;
}): Promise<{ team: string; teamId: string; bot: string }> {
  const url = new URL('auth.test', options.apiUrl.endsWith('/') ? options.apiUrl : `${options.apiUrl}/`);
  let status: number;
  let scopes: string | null;
  let answer: { ok?: boolean; error?: string; team?: string; team_id?: string; user?: string };
  try {
    const response = await createOutbound(options.apiUrl)(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${options.botToken}` },
      redirect: 'error',
      signal: AbortSignal.timeout(10_000),
    });
    status = response.status;
    scopes = response.headers.get('x-oauth-scopes');
    answer = ((await response.json().catch(() => null)) ?? {}) as typeof answer;
  } catch {
    throw new Error(`Slack does not answer at ${url.origin}`);
  }
  if (!answer.ok && answer.error === undefined) throw new Error(`Slack answers ${status} and not as its Web API does`);
  if (!answer.ok) throw new Error(`Slack refuses the bot token: ${String(answer.error).slice(0, 100)}`);
  // Not told by every kind of token.
  if (scopes !== null && !scopes.split(/[\s,]+/).includes(neededScope))
    throw new Error(`the bot token has not the scope ${neededScope}`);
  return { team: answer.team ?? '', teamId: answer.team_id ?? '', bot: answer.user ?? '' };
}
