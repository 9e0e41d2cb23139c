import type { Db } from '@tripline/db/database';
import { tellEndedSilences } from '@tripline/incidents/silences';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';

/** Longest delay from a silence's end until findings that still stand are reported. */
const lookEveryMs = 5000;

/**
 * Reports findings that still stand after their silence has ended, until `stop`. Each is reported once, even with
 * several processes: the remaining work is in Postgres.
 */
export function startEndingSilences(parts: { db: Db; clock: Clock; logger: Logger }): { stop: () => Promise<void> } {
  const { db, clock, logger } = parts;
  const closing = new AbortController();
  const looking = (async () => {
    while (!closing.signal.aborted) {
      try {
        const incidents = await tellEndedSilences(db);
        if (incidents > 0)
          logger.info({ incidents }, 'silences ended with findings that still stand; opened an incident for each');
      } catch (error) {
        logger.warn({ err: error }, 'opening incidents for ended silences failed; retrying');
      }
      await clock.pause(lookEveryMs, closing.signal);
    }
  })();
  return {
    stop: async () => {
      closing.abort();
      await looking;
    },
  };
}
