import type { Config } from '@tripline/config/config';
import { NoTokenError, withAppAuthorization } from '@tripline/integrations/github/app-token';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { PollToken } from '@tripline/sources/polled';
import { NotReadError } from './poll-round.ts';

export type PollTokens = {
  /**
   * Has a token issued, calls `work` with the headers that bear it, and revokes it however `work` ends.
   * @throws {NotReadError} no token is issued; `work` is not called.
   */
  issue: <T>(asked: PollToken, work: (headers: Readonly<Record<string, string>>) => Promise<T>) => Promise<T>;
};

/** Tokens of the App that is configured, for feeds that ask with one a round. */
export function createPollTokens(
  { github: { app, apiUrl } }: { github: Pick<Config['github'], 'app' | 'apiUrl'> },
  { clock, logger, fetch }: { clock: Clock; logger: Logger; fetch: typeof globalThis.fetch | undefined },
): PollTokens {
  // One object for all rounds: ids of installations are remembered by it.
  const issuing = app && { apiUrl, id: app.id, privateKey: app.privateKey, fetch };
  const onLeftAlive = (reason: string) =>
    logger.error({ reason }, 'revoking a token for a polled feed failed; it expires within an hour');
  return {
    async issue({ owner, permissions }, work) {
      if (issuing === undefined) {
        const message = 'no GitHub App is configured to issue a token: set github.app, or a token for this feed';
        throw new NotReadError({ refused: 'give-up', message });
      }
      const use = (authorization: string) => work({ authorization });
      try {
        return await withAppAuthorization(issuing, { owner, permissions }, use, { nowMs: clock.nowMs, onLeftAlive });
      } catch (error) {
        throw error instanceof NoTokenError ? new NotReadError(refusedBy(error.outcome)) : error;
      }
    },
  };
}

function refusedBy({ kind, reason, message, afterMs }: NoTokenError['outcome']): NotReadError['refused'] {
  if (kind === 'give-up') return { refused: 'give-up', message };
  const refused = reason === 'rate-limited' ? 'rate-limited' : 'retry';
  return { refused, message, ...(afterMs === undefined ? {} : { afterMs }) };
}
