import type { Db } from '@tripline/db/database';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import { forget } from './store/forgetting.ts';

const everyMs = 3_600_000;
/** A broker that starts has ends to note, and jobs that wait: what may be deleted can wait too. */
const firstAfterMs = 60_000;

/**
 * Deletes each hour what is of no more use, until `close`; in a dry run too, whose tokens are spent as well. `grantsKeptMs`: how long
 * what was given is kept after its end.
 */
export function startForgetting(
  { db, clock, logger }: { db: Db; clock: Clock; logger: Logger },
  grantsKeptMs: number,
): { close: () => Promise<void> } {
  const closing = new AbortController();
  const forgetting = (async () => {
    await clock.pause(firstAfterMs, closing.signal);
    while (!closing.signal.aborted) {
      try {
        await forget(db, { nowMs: clock.nowMs(), grantsKeptMs });
      } catch (error) {
        logger.warn({ err: error }, 'deleting what the broker no longer needs failed; retrying in an hour');
      }
      await clock.pause(everyMs, closing.signal);
    }
  })();
  return {
    async close() {
      closing.abort();
      await forgetting;
    },
  };
}
