import { hash } from 'node:crypto';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { Letter, Letters } from '@tripline/sources/letters';
import { appendWithin } from '@tripline/stream/append-within';
import { type NewRecord, RecordTooLargeError, type Stream, topics } from '@tripline/stream/stream';
import type { Spool } from './spool.ts';

const longestPauseMs = 5000;

/** Appends the spool's records to the log, oldest first, as soon as the log accepts them again. Starts at once. */
export function createDrainer(options: {
  stream: Stream;
  spool: Spool;
  clock: Clock;
  logger: Logger;
  letters: Letters;
  timeoutMs: number;
}) {
  const { stream, spool, clock, logger, letters } = options;
  const stopping = new AbortController();
  let bell = Promise.withResolvers<void>();

  async function appendAll(records: readonly NewRecord[]): Promise<void> {
    try {
      await appendWithin(stream, records, options.timeoutMs);
    } catch (error) {
      if (!(error instanceof RecordTooLargeError)) throw error;
      if (records.length > 1) {
        for (const record of records) await appendAll([record]);
        return;
      }
      // The log was away when it came, so its sender could not be told.
      const letter = letterOf(records[0]!);
      logger.error(
        { event: records[0]!.headers['ce_id'] },
        `a spooled event is larger than the log accepts; ${letter ? 'dead-lettered' : 'dropped'} it`,
      );
      if (letter === undefined) return;
      try {
        await appendWithin(stream, [letter.record], options.timeoutMs);
      } catch (lost) {
        letter.takeBack();
        throw lost;
      }
    }
  }

  /** What is kept of an event that the log never takes; undefined where too many came, or it is a letter itself. */
  function letterOf({ topic, key, headers, value }: NewRecord): Letter | undefined {
    if (topic !== topics.events) return undefined;
    const id = headers['ce_id'] ?? '';
    return letters.write(
      { ignored: 'event-too-large', unread: { content: value } },
      {
        ...{ feed: id.split(':', 1)[0]!, workspace: key, place: id },
        ...{ bodySha256: headers['ce_bodysha256'] ?? hash('sha256', value), atMs: clock.nowMs() },
      },
    );
  }

  async function run(): Promise<void> {
    let pauseMs = 100;
    while (!stopping.signal.aborted) {
      // Armed before reading the spool, so that a write during the read wakes the drainer.
      const { promise: rung } = bell;
      try {
        const records = await spool.peek(500);
        if (records.length === 0) {
          await rung;
          bell = Promise.withResolvers();
          continue;
        }
        await appendAll(records);
        await spool.drop(records.length);
        pauseMs = 100;
        if (spool.empty()) logger.info('spool drained; appending to the log again');
      } catch (error) {
        // A log that was away for a moment was told of as the first event was spooled.
        const level = pauseMs < longestPauseMs ? 'debug' : 'warn';
        logger[level]({ err: error }, `appending what is spooled failed; retrying in ${pauseMs} ms`);
        await clock.pause(pauseMs, stopping.signal);
        pauseMs = Math.min(pauseMs * 2, longestPauseMs);
      }
    }
  }
  const running = run();

  return {
    /** Something was written to the spool. */
    ring: () => bell.resolve(),
    async stop(): Promise<void> {
      stopping.abort();
      bell.resolve();
      await running;
    },
  };
}
