import { join } from 'node:path';
import type { Config } from '@tripline/config/config';
import type { Clock } from '@tripline/runtime/clock';
import { ConfigError } from '@tripline/runtime/load-settings';
import type { Logger } from '@tripline/runtime/logger';
import type { Metrics } from '@tripline/runtime/metrics';
import { loadPosted } from '@tripline/sources/feed';
import { createLetters } from '@tripline/sources/letters';
import { feeds as registered } from '@tripline/sources/registry';
import type { Source } from '@tripline/sources/source';
import { createWorkspaces } from '@tripline/sources/workspace';
import type { Stream } from '@tripline/stream/stream';
import type { FastifyInstance } from 'fastify';
import { createAppender } from './appender.ts';
import { createDeliveries } from './deliveries.ts';
import { createDrainer } from './drainer.ts';
import { createMeasures } from './measures.ts';
import { openOrganizations } from './organizations.ts';
import { type Feed, type Receiving, receive } from './receive.ts';
import { openSpool } from './spool.ts';
import { createSummaries } from './summaries.ts';

export type Receiver = {
  /** Adds the routes of every feed of the registry. Call before `listen`. */
  routes: (app: FastifyInstance) => void;
  /** Resolves when a delivery would now be kept, in the log or in the spool; rejects with the reason. */
  ready: () => Promise<void>;
  /** Waits for deliveries on their way. What is in the spool stays there for the next start. */
  close: () => Promise<void>;
};

export type ReceiverParts = { config: Config; stream: Stream; logger: Logger; clock: Clock; metrics: Metrics };

/** An append that takes longer counts as a log that is unavailable: GitHub gives up after 10 s. */
const appendTimeoutMs = 5000;
const rememberedDeliveries = 20_000;
const rememberedLetters = 1000;

/**
 * Receives deliveries: verify the raw body → normalise → append → acknowledge. An answer of 2xx is given only when the
 * event is on disk, in the log or in the spool. Opens the spool and starts draining it.
 * @throws {ConfigError} without a webhook secret; {FolderInUseError} when another receiver has the data folder.
 */
export async function createReceiver(parts: ReceiverParts): Promise<Receiver> {
  const { config, stream, logger, clock, metrics } = parts;
  const sources: Source[] = await loadPosted(registered);
  const feeds = sources.map((source): Feed => ({ source, secrets: source.secrets(config) }));
  for (const { faultOf } of sources) {
    const fault = faultOf?.(config);
    if (fault !== undefined) throw new ConfigError(fault);
  }
  const spool = await openSpool({
    dir: join(config.dataDir, 'spool'),
    limitBytes: config.receiver.spoolLimitBytes,
    logger,
  });
  if (config.drills && config.drillKey === undefined) {
    logger.info('drills are disabled: drillKey (TRIPLINE_DRILL_KEY) is not set');
  }
  const organizations = openOrganizations(config.dataDir, logger);
  const workspaces = createWorkspaces(config, organizations);
  const measures = createMeasures(metrics, spool.bytes);
  const letters = createLetters();
  const drainer = createDrainer({ stream, spool, clock, logger, letters, timeoutMs: appendTimeoutMs });
  const appender = createAppender({
    stream,
    behind: () => !spool.empty(),
    async spool(records, cause) {
      if (spool.empty())
        logger.warn({ err: cause }, 'appending to the log failed; spooling events to disk until it works again');
      const accepted = await spool.write(records);
      drainer.ring();
      return accepted;
    },
    timeoutMs: appendTimeoutMs,
    observeAppend: measures.observeAppend,
  });
  const deliveries = createDeliveries(rememberedDeliveries);
  const summaries = createSummaries({ append: appender.append, behind: () => !spool.empty(), clock });

  // Asks neither log nor disk: a stranger may ask as often as they like.
  const isKeeping = () => spool.empty() || spool.hasRoom();

  const receiving: Receiving = {
    ...{ config, clock, logger, workspaces, measures, appender, deliveries, summaries },
    ...{ letters, keptLetters: createDeliveries(rememberedLetters) },
  };

  return {
    routes(app) {
      for (const feed of feeds) {
        for (const route of feed.source.routes) {
          app.postRaw(route, (request, response) => {
            void receive(receiving, feed, request, response);
          });
        }
        for (const { method, path, answer } of feed.source.asks ?? []) {
          app.route({
            ...{ method, url: path },
            handler: async ({ headers, url }, reply) => {
              const query = new URLSearchParams(url.split('?', 2)[1]);
              const { status, contentType, body } = answer({ headers, query, isKeeping: isKeeping() });
              return reply.code(status).header('content-type', contentType).send(body);
            },
          });
        }
      }
    },
    async ready() {
      try {
        await stream.check();
      } catch (error) {
        if (!spool.hasRoom()) throw new Error('the log is away and the spool is full', { cause: error });
      }
    },
    async close() {
      await summaries.close();
      await appender.settled();
      await drainer.stop();
      await spool.close();
      await organizations.settled();
    },
  };
}
