import type { Config } from '@tripline/config/config';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import { topicsOf } from '@tripline/stream/open';
import { type Stream, StreamUnavailableError } from '@tripline/stream/stream';

/**
 * Creates the log's topics as soon as the log can be reached, so that a receiver may start before it. Meanwhile appends
 * fail, and deliveries go to the spool. `failed` rejects on any other error than an unreachable log: then a setting is
 * wrong.
 */
export function ensureTopics(parts: { config: Config; stream: Stream; logger: Logger; clock: Clock }) {
  const { config, stream, logger, clock } = parts;
  const stopping = new AbortController();

  async function run(): Promise<void> {
    for (let pauseMs = 250; !stopping.signal.aborted; pauseMs = Math.min(pauseMs * 2, 5000)) {
      try {
        return await stream.ensureTopics(topicsOf(config));
      } catch (error) {
        if (!(error instanceof StreamUnavailableError)) throw error;
        logger.warn({ reason: error.message }, `creating the topics failed; retrying in ${pauseMs} ms`);
        await clock.pause(pauseMs, stopping.signal);
      }
    }
  }
  const running = run();
  const failed = new Promise<never>((_, reject) => {
    running.catch(reject);
  });
  failed.catch(() => {});
  return {
    failed,
    async stop(): Promise<void> {
      stopping.abort();
      await running.catch(() => {});
    },
  };
}
