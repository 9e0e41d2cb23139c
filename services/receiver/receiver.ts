import { hash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Config } from '@tripline/config/config';
import type { TriplineEvent } from '@tripline/contracts/event';
import { type EventRecord, toEventRecord } from '@tripline/contracts/event-record';
import { internalEventTypes, signInternal } from '@tripline/contracts/internal';
import type { Clock } from '@tripline/runtime/clock';
import { answerJson, errorBody } from '@tripline/runtime/http';
import { ConfigError } from '@tripline/runtime/load-settings';
import type { Logger } from '@tripline/runtime/logger';
import type { Metrics } from '@tripline/runtime/metrics';
import { type Refusal, type RefusalReason, refuse } from '@tripline/sources/refusal';
import { feeds as registered } from '@tripline/sources/registry';
import type { FeedSecret, SpeaksFor } from '@tripline/sources/secrets';
import type { IgnoredReason, RequestHeaders, Source } from '@tripline/sources/source';
import { createWorkspaces } from '@tripline/sources/workspace';
import { RecordTooLargeError, type Stream, topics } from '@tripline/stream/stream';
import type { FastifyInstance } from 'fastify';
import { createAppender, NotKeptError } from './appender.ts';
import { inflate, isGzipped, readBody } from './body.ts';
import { createDeliveries } from './deliveries.ts';
import { createDrainer } from './drainer.ts';
import { createMeasures } from './measures.ts';
import { openOrganizations } from './organizations.ts';
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

/** An append that takes longer counts as the log being away: GitHub gives up after 10 s. */
const appendTimeoutMs = 5000;
const rememberedDeliveries = 20_000;
/** Each feed with its secrets: none serves two. */
type Feed = { source: Source; secrets: readonly FeedSecret[] };

/**
 * Hears deliveries: verify the raw body → normalise → append → acknowledge. An answer of 2xx is given only when the
 * event is on disk, in the log or in the spool. Creating it opens the spool and begins to drain it.
 * @throws {ConfigError} without a webhook secret; {FolderInUseError} when another receiver has the data folder.
 */
export async function createReceiver(parts: ReceiverParts): Promise<Receiver> {
  const { config, stream, logger, clock, metrics } = parts;
  const sources: Source[] = await Promise.all(registered.map(({ load }) => load()));
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
  const drainer = createDrainer({ stream, spool, clock, logger, timeoutMs: appendTimeoutMs });
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

  async function receive({ source, secrets }: Feed, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { headers } = request;
    const receivedAtMs = clock.nowMs();
    const refuseUnproven = (refusal: Refusal) => {
      summaries.note({ source: source.name, outcome: 'refused', reason: refusal.reason, atMs: receivedAtMs });
      answerRefusal(source, response, refusal);
    };
    if (!isOfType(headers, source.contentTypes)) return refuseUnproven(wrongType(source));
    const rawBody = await readBody(request, config.receiver.bodyLimitBytes);
    if (rawBody === 'too-large') return refuseUnproven(tooLarge);
    if (rawBody === 'cut-off') return refuseUnproven(cutOff);
    const fault = encodingFault(source, headers);
    if (fault) return refuseUnproven(fault);
    const verified = source.verify(rawBody, headers, secrets, receivedAtMs);
    if ('refusal' in verified) return refuseUnproven(verified.refusal);

    const { speaksFor } = verified;
    const bodySha256 = hash('sha256', rawBody);
    // Signatures are over the bytes as sent, and what nobody signed is never inflated.
    const body = isGzipped(headers) ? await inflate(rawBody, config.receiver.bodyLimitBytes) : rawBody;
    if (!Buffer.isBuffer(body)) return refuseUnproven(body === 'too-large' ? tooLarge : cutOff);
    const normalised = source.normalise({ headers, rawBody: body, bodySha256, receivedAtMs, speaksFor }, workspaces);
    /** From here on the sender is known, and what he says of the delivery may be told. */
    const note = (outcome: 'ignored' | 'refused', reason: IgnoredReason | RefusalReason, organization?: string) => {
      const claims = { ...source.claimsOf(headers), organization };
      summaries.note({ source: source.name, outcome, reason, atMs: receivedAtMs, claims });
    };
    if ('refusal' in normalised) {
      note('refused', normalised.refusal.reason);
      return answerRefusal(source, response, normalised.refusal);
    }
    if ('ignored' in normalised) {
      note('ignored', normalised.ignored, normalised.organization);
      measures.count(source.name, 'ignored', normalised.ignored);
      return answerJson(response, 202, { status: 'ignored', reason: normalised.ignored });
    }

    const first = 'event' in normalised ? normalised.event : normalised.events[0];
    try {
      if ('event' in normalised) {
        const isNew = await keep(source, normalised.event, speaksFor);
        return answerJson(response, 202, { status: isNew ? 'kept' : 'duplicate', event: normalised.event.id });
      }
      const { events, leftOut } = normalised;
      const kept = await Promise.all(events.map((event) => keep(source, event, speaksFor)));
      for (const { ignored, organization } of leftOut) {
        note('ignored', ignored, organization);
        measures.count(source.name, 'ignored', ignored);
      }
      const isNew = kept.some((one) => one);
      answerJson(response, 202, { status: isNew ? 'kept' : 'duplicate', events: events.length });
    } catch (error) {
      const refusal = refusalOf(error as Error);
      note('refused', refusal.reason, first?.data['vcs.owner.name']);
      answerRefusal(source, response, refusal);
    }
  }

  /** Keeps one event; answers whether it is new. A delivery is itself: by its id within its source and workspace, whatever its body. */
  async function keep(source: Source, event: TriplineEvent, speaksFor: SpeaksFor): Promise<boolean> {
    const name = `${event.workspace}\0${event.source}\0${event.id}`;
    const isNew = await deliveries.once(name, async () => {
      const record = toEventRecord(event);
      const kept = await appender.append({ topic: topics.events, ...proved(source, event, record, speaksFor) });
      measures.count(source.name, kept === 'log' ? 'kept' : 'spooled');
    });
    if (!isNew) measures.count(source.name, 'duplicate');
    return isNew;
  }

  /** What else may only come from within bears the MAC of the key under which it came. */
  function proved(source: Source, event: TriplineEvent, record: EventRecord, speaksFor: SpeaksFor): EventRecord {
    if (!internalEventTypes.has(event.type)) return record;
    if (source.internalKey === undefined) throw new Error(`${source.name} may tell no ${event.type}`);
    return signInternal(record, source.internalKey(event, speaksFor, config));
  }

  function answerRefusal(source: Source, response: ServerResponse, { status, reason, message }: Refusal): void {
    measures.count(source.name, 'refused', reason);
    if (status === 503) response.setHeader('retry-after', '30');
    answerJson(response, status, errorBody(reason, message));
  }

  /** Neither in the log nor in the spool: the sender must know. */
  function refusalOf(error: Error): Refusal {
    if (error instanceof RecordTooLargeError) {
      return refuse(413, 'event-too-large', 'What this delivery tells is larger than the log takes');
    }
    if (!(error instanceof NotKeptError))
      logger.error({ err: error }, 'appending and spooling a delivery failed; answered 503');
    return refuse(503, 'spool-full', 'The log is away and the spool has no room; deliver again later');
  }

  /** A fault of ours before anything was kept. */
  function answerFault(source: Source, error: Error, response: ServerResponse): void {
    measures.count(source.name, 'refused', 'internal');
    // Its message may repeat what was sent.
    logger.error(
      { code: (error as NodeJS.ErrnoException).code, name: error.name },
      'handling a delivery failed by an internal error; answered 500',
    );
    answerJson(response, 500, errorBody('internal', 'Tripline failed to answer; its log says why'));
  }

  const tooLarge = refuse(413, 'body-too-large', `The body is larger than ${config.receiver.bodyLimitBytes} bytes`);
  return {
    routes(app) {
      for (const feed of feeds) {
        for (const route of feed.source.routes) {
          app.postRaw(route, (request, response) => {
            receive(feed, request, response).catch((error) => answerFault(feed.source, error, response));
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

const cutOff = refuse(400, 'bad-request', 'The request’s body is not what its headers say');

function wrongType(source: Source): Refusal {
  const message = `Only ${source.contentTypes.join(' or ')} is taken; ${source.contentTypeAdvice}`;
  return refuse(415, 'unsupported-content-type', message);
}

/** Whether the body says to be of one of `types`, whatever parameters it adds. */
function isOfType({ 'content-type': given }: RequestHeaders, types: readonly string[]): boolean {
  if (typeof given !== 'string') return false;
  return types.includes(given) || types.includes(given.split(';', 1)[0]!.trim().toLowerCase());
}

/** A feed says which encodings it takes; nothing is inflated for any other, so that a small body stays small. */
function encodingFault(source: Source, headers: RequestHeaders): Refusal | undefined {
  const encoding = headers['content-encoding'];
  if (encoding === undefined || encoding === 'identity') return undefined;
  if ((source.encodings as readonly unknown[]).includes(encoding)) return undefined;
  return refuse(415, 'unsupported-content-encoding', 'Send the body without a content encoding');
}
