import { type Stream, StreamUnavailableError } from '@tripline/stream/stream';
import { appendTimeoutMs } from './append-events.ts';

export type WatchedLog = {
  stream: Stream;
  /**
   * To be awaited before anything is minted that the log must name. Asks the log only where it did not take what it was last told.
   * @throws {StreamUnavailableError} it is still away.
   */
  takesEvents: () => Promise<void>;
};

/**
 * A log that remembers whether it took what it was last told. While Kafka is away jobs go on asking: each time a credential would be
 * minted for nobody, and revoked.
 */
export function watchLog(stream: Stream): WatchedLog {
  let isAway = false;
  let asking: Promise<void> | undefined;
  return {
    stream: {
      ...stream,
      async append(records) {
        const late = setTimeout(() => (isAway = true), appendTimeoutMs);
        try {
          const appended = await stream.append(records);
          isAway = false;
          return appended;
        } catch (error) {
          if (error instanceof StreamUnavailableError) isAway = true;
          throw error;
        } finally {
          clearTimeout(late);
        }
      },
    },
    async takesEvents() {
      if (!isAway) return;
      // All that ask meanwhile wait for one answer.
      asking ??= stream.check().finally(() => (asking = undefined));
      await asking;
    },
  };
}
