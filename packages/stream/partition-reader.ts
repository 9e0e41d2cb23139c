import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { Batch, ConsumerHandlers, StreamRecord } from './stream.ts';

/** One partition as a backend reads it. */
export type PartitionSource = {
  /** Reads from `offset` on; earlier reads are discarded. Rejects when the offset is beyond the end of the log. */
  start: (offset: number) => Promise<void>;
  /** Waits for records, a tick or `signal`; null when there is nothing to hand over yet. */
  next: (signal: AbortSignal) => Promise<{ records: readonly StreamRecord[]; caughtUpAtMs: number | null } | null>;
};

/**
 * Reads one owned partition: asks where to start, passes on batch after batch, and starts over when a handler fails.
 */
export type PartitionReader = {
  /** Takes the partition from its handler: aborts `lost`, waits for the running call, then calls `onLost`. */
  end: () => Promise<void>;
};

const firstPauseMs = 50;
const longestPauseMs = 10_000;

export function openPartitionReader(options: {
  topic: string;
  partition: number;
  source: PartitionSource;
  handlers: ConsumerHandlers;
  restMs?: number | undefined;
  clock: Clock;
  logger: Logger;
}): PartitionReader {
  const { topic, partition, source, handlers, restMs, clock } = options;
  const logger = options.logger.child({ topic, partition });
  const ending = new AbortController();
  const lost = ending.signal;
  let failures = 0;

  async function work(): Promise<void> {
    const offset = await handlers.onAssigned({ topic, partition });
    await source.start(offset);
    while (!lost.aborted) {
      const found = await source.next(lost);
      if (found === null || lost.aborted) continue;
      const batch: Batch = { topic, partition, ...found, lost };
      await handlers.onBatch(batch);
      failures = 0;
      if (restMs !== undefined && batch.caughtUpAtMs !== null) await clock.pause(restMs, lost);
    }
  }

  async function run(): Promise<void> {
    while (!lost.aborted) {
      try {
        await work();
      } catch (error) {
        if (lost.aborted) break;
        const pauseMs = Math.min(firstPauseMs * 2 ** failures, longestPauseMs);
        failures += 1;
        logger.warn(
          { err: error, pauseMs },
          'processing the partition failed; reading it again from its committed offset after a pause',
        );
        await clock.pause(pauseMs, lost);
      }
    }
    try {
      await handlers.onLost({ topic, partition });
    } catch (error) {
      logger.error({ err: error }, 'cleaning up after a lost partition failed');
    }
  }

  const ended = run();
  return {
    end: () => {
      ending.abort();
      return ended;
    },
  };
}
