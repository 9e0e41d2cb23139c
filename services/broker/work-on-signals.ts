import type { Db } from '@tripline/db/database';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import { createSignal } from '@tripline/runtime/signal';
import { openListener } from '@tripline/stream/postgres/listener';

/** `notify`: has the work done once more, as a signal does. */
export type Working = { notify: () => void; close: () => Promise<void> };

/**
 * Does `work` whenever Postgres signals on `channel`, and each `pollMs`, for what becomes due and what a broken connection missed;
 * until `close`, which waits for the work at hand. Where it throws, `failing` is logged once, until it succeeds again. A listener that
 * may have missed signals (null) counts as one, whatever `concerns` says of payloads.
 */
export function workOnSignals(
  parts: { db: Db; clock: Clock; logger: Logger },
  of: { channel: string; pollMs: number; failing: string; concerns?: (payload: string) => boolean },
  work: () => Promise<unknown>,
): Working {
  const { db, clock, logger } = parts;
  const { channel: own, pollMs, failing, concerns = () => true } = of;
  const signal = createSignal();
  const closing = new AbortController();
  const listener = openListener({
    connection: db.pool.options,
    channels: [own],
    onNotify: (channel, payload) => {
      if (channel === null || concerns(payload)) signal.notify();
    },
    clock,
    logger,
  });
  const running = (async () => {
    let isFailing = false;
    while (!closing.signal.aborted) {
      try {
        await work();
        isFailing = false;
      } catch (error) {
        if (!isFailing) logger.error({ err: error }, failing);
        isFailing = true;
      }
      await signal.wait(pollMs, closing.signal);
    }
  })();
  return {
    notify: () => signal.notify(),
    async close() {
      closing.abort();
      await running;
      await listener.close();
    },
  };
}
