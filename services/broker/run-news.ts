import type { Db } from '@tripline/db/database';
import { knownRunPayload, knownRunsChannel } from '@tripline/db/known-runs';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import { openListener } from '@tripline/stream/postgres/listener';

/** Tells whoever waits for it that something was told of a run. */
export type RunNews = {
  /**
   * To be called before what is known of a run is read: `signal` is aborted once anything was told of it since, or may have been.
   * `forget` ends it, and must be called.
   */
  of: (workspace: string, run: string) => { signal: AbortSignal; forget: () => void };
  close: () => Promise<void>;
};

/** Listens for what the detector tells of runs, in the transactions in which it does. */
export function openRunNews({ db, clock, logger }: { db: Db; clock: Clock; logger: Logger }): RunNews {
  const waiting = new Map<string, Set<AbortController>>();
  const wake = (some: Iterable<AbortController>) => {
    for (const one of some) one.abort();
  };
  const listener = openListener({
    connection: db.pool.options,
    channels: [knownRunsChannel],
    onNotify(channel, payload) {
      // While the connection was lost anything may have been told.
      if (channel === null) for (const some of waiting.values()) wake(some);
      else wake(waiting.get(payload) ?? []);
    },
    clock,
    logger,
  });
  return {
    of(workspace, run) {
      const key = knownRunPayload(workspace, run);
      const one = new AbortController();
      const some = waiting.get(key) ?? new Set();
      waiting.set(key, some.add(one));
      return {
        signal: one.signal,
        forget() {
          some.delete(one);
          if (some.size === 0 && waiting.get(key) === some) waiting.delete(key);
        },
      };
    },
    close: () => listener.close(),
  };
}
