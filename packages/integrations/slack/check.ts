import { createOutbound } from '../outbound.ts';

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
  let answer: { ok?: boolean; error?: string; team?: string; team_id?: string; user?: string };
  try {
    const response = await createOutbound(options.apiUrl)(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${options.botToken}` },
      redirect: 'error',
      signal: AbortSignal.timeout(10_000),
    });
    answer = (await response.json()) as typeof answer;
  } catch {
    throw new Error(`Slack does not answer at ${url.origin}`);
  }
  if (!answer.ok) throw new Error(`Slack refuses the bot token: ${String(answer.error).slice(0, 100)}`);
  return { team: answer.team ?? '', teamId: answer.team_id ?? '', bot: answer.user ?? '' };
}
