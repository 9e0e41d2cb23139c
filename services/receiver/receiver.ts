import { hash } from 'node:crypto';
import { join } from 'node:path';
import { toEventRecord } from '@tripline/contracts/event-record';
import type { Clock } from '@tripline/runtime/clock';
import { type Config, ConfigError } from '@tripline/runtime/config';
import { errorBody } from '@tripline/runtime/http';
import type { Logger } from '@tripline/runtime/logger';
import type { Metrics } from '@tripline/runtime/metrics';
import { type Refusal, refuse, type Source } from '@tripline/sources/contract';
import { github } from '@tripline/sources/github/source';
import { tripline } from '@tripline/sources/tripline/source';
import { createWorkspaces } from '@tripline/sources/workspace';
import { RecordTooLarge, type Stream, topics } from '@tripline/stream/contract';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { createAppender, NotKept } from './appender.ts';
import { createDeliveries } from './deliveries.ts';
import { createDrainer } from './drainer.ts';
import { createMeasures } from './measures.ts';
import { openSpool } from './spool.ts';

export type Receiver = {
  /** Adds `POST /webhooks/<source>` for every source. Call before `listen`. */
  routes: (app: FastifyInstance) => void;
  /** Resolves when a delivery would now be kept, in the log or in the spool; rejects with the reason. */
  ready: () => Promise<void>;
  /** Waits for deliveries on their way. What is in the spool stays there for the next start. */
  close: () => Promise<void>;
};

export type ReceiverParts = { config: Config; stream: Stream; logger: Logger; clock: Clock; metrics: Metrics };

/** An append that takes longer counts as the log being away: GitHub gives up after 10 s. */
const appendTimeoutMs = 5000;
const rememberedDeliveries = 20_000;
const sources: readonly Source[] = [github, tripline];

/**
 * Hears deliveries: verify the raw body → normalise → append → acknowledge. An answer of 2xx is given only when the
 * event is on disk, in the log or in the spool. Creating it opens the spool and begins to drain it.
 * @throws {ConfigError} without a webhook secret; {FolderInUse} when another receiver has the data folder.
 */
export async function createReceiver(parts: ReceiverParts): Promise<Receiver> {
  const { config, stream, logger, clock, metrics } = parts;
  const secrets = config.github.webhookSecrets;
  if (!secrets) {
    throw new ConfigError('github.webhookSecrets (TRIPLINE_GITHUB_WEBHOOK_SECRET) is needed to verify deliveries');
  }
  const workspaces = createWorkspaces(config);
  const spool = await openSpool({
    dir: join(config.dataDir, 'spool'),
    limitBytes: config.receiver.spoolLimitBytes,
    logger,
  });
  const measures = createMeasures(metrics, spool.bytes);
  const drainer = createDrainer({ stream, spool, clock, logger, timeoutMs: appendTimeoutMs });
  const appender = createAppender({
    stream,
    behind: () => !spool.empty(),
    async spool(records, cause) {
      if (spool.empty()) logger.warn({ err: cause }, 'the log does not take events; they go to the spool');
      const accepted = await spool.write(records);
      drainer.ring();
      return accepted;
    },
    timeoutMs: appendTimeoutMs,
    observeAppend: measures.observeAppend,
  });
  const deliveries = createDeliveries(rememberedDeliveries);

  async function receive(source: Source, request: FastifyRequest, reply: FastifyReply) {
    const { headers } = request;
    const rawBody = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const receivedAtMs = clock.nowMs();
    const refusal = encodingFault(headers) ?? source.verify(rawBody, headers, secrets!, receivedAtMs);
    if (refusal) return answerRefusal(source, reply, refusal);

    const bodySha256 = hash('sha256', rawBody);
    const normalised = source.normalise({ headers, rawBody, bodySha256, receivedAtMs }, workspaces);
    if ('refusal' in normalised) return answerRefusal(source, reply, normalised.refusal);
    if ('aside' in normalised) {
      measures.count(source.name, 'set-aside', normalised.aside);
      return reply.code(202).send({ status: 'set-aside', reason: normalised.aside });
    }

    const { event } = normalised;
    try {
      const isNew = await deliveries.once([event.id, `sha256:${bodySha256}`], async () => {
        const kept = await appender.append({ topic: topics.events, ...toEventRecord(event) });
        measures.count(source.name, kept === 'log' ? 'kept' : 'spooled');
      });
      if (!isNew) measures.count(source.name, 'duplicate');
      return reply.code(202).send({ status: isNew ? 'kept' : 'duplicate', event: event.id });
    } catch (error) {
      return answerRefusal(source, reply, refusalOf(error as Error));
    }
  }

  function answerRefusal(source: Source, reply: FastifyReply, refusal: Refusal) {
    measures.count(source.name, 'refused', refusal.reason);
    if (refusal.status === 503) reply.header('retry-after', '30');
    return reply.code(refusal.status).send(errorBody(refusal.reason, refusal.message));
  }

  /** Neither in the log nor in the spool: the sender must know. */
  function refusalOf(error: Error): Refusal {
    if (error instanceof RecordTooLarge) {
      return refuse(413, 'event-too-large', 'What this delivery tells is larger than the log takes');
    }
    if (!(error instanceof NotKept)) logger.error({ err: error }, 'a delivery could not be kept');
    return refuse(503, 'spool-full', 'The log is away and the spool has no room; deliver again later');
  }

  /** Fastify's own refusals (too large, wrong type, cut off), in the form of ours. */
  function answerFault(source: Source, error: FastifyError, reply: FastifyReply) {
    if (error.statusCode === 413) {
      const message = `The body is larger than ${config.receiver.bodyLimitBytes} bytes`;
      return answerRefusal(source, reply, refuse(413, 'body-too-large', message));
    }
    if (error.statusCode === 415) {
      const message = `Only ${source.contentTypes.join(' or ')} is taken; ${source.contentTypeAdvice}`;
      return answerRefusal(source, reply, refuse(415, 'unsupported-content-type', message));
    }
    if (error.statusCode === 400) {
      return answerRefusal(source, reply, refuse(400, 'bad-request', 'The request’s body is not what its headers say'));
    }
    measures.count(source.name, 'refused', 'internal');
    logger.error({ code: error.code, name: error.name }, 'a delivery met a fault of ours');
    return reply.code(500).send(errorBody('internal', 'Tripline failed to answer; its log says why'));
  }

  return {
    routes(app) {
      for (const source of sources) {
        // A scope of its own, so that the parsers of raw bodies are nobody else's.
        app.register(async (scope) => {
          scope.removeAllContentTypeParsers();
          scope.addContentTypeParser([...source.contentTypes], { parseAs: 'buffer' }, (_request, body, done) =>
            done(null, body),
          );
          scope.setErrorHandler<FastifyError>((error, _request, reply) => answerFault(source, error, reply));
          scope.post(`/webhooks/${source.name}`, { bodyLimit: config.receiver.bodyLimitBytes }, (request, reply) =>
            receive(source, request, reply),
          );
        });
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
      await appender.settled();
      await drainer.stop();
      await spool.close();
    },
  };
}

/** Signatures are over the bytes as sent, and nothing is inflated here, so that a small body stays small. */
function encodingFault(headers: FastifyRequest['headers']): Refusal | undefined {
  const encoding = headers['content-encoding'];
  if (encoding === undefined || encoding === 'identity') return undefined;
  return refuse(415, 'unsupported-content-encoding', 'Send the body without a content encoding');
}
