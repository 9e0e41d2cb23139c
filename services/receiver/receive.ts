import { hash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Config } from '@tripline/config/config';
import type { TriplineEvent } from '@tripline/contracts/event';
import { type EventRecord, toEventRecord } from '@tripline/contracts/event-record';
import { internalEventTypes, signInternal } from '@tripline/contracts/internal';
import type { Clock } from '@tripline/runtime/clock';
import { answerJson } from '@tripline/runtime/http';
import type { Logger } from '@tripline/runtime/logger';
import { readBody } from '@tripline/runtime/read-body';
import type { Letters } from '@tripline/sources/letters';
import { type Refusal, type RefusalReason, refuse } from '@tripline/sources/refusal';
import type { FeedSecret, SecretScope } from '@tripline/sources/secrets';
import type {
  Delivery,
  Ignored,
  IgnoredReason,
  Normalised,
  RequestHeaders,
  Source,
  StandardAnswer,
} from '@tripline/sources/source';
import type { Workspaces } from '@tripline/sources/workspace';
import { RecordTooLargeError, topics } from '@tripline/stream/stream';
import { type createAppender, NotKeptError } from './appender.ts';
import { inflate, isGzipped } from './body.ts';
import type { createDeliveries } from './deliveries.ts';
import { keepLetters } from './keep-letters.ts';
import type { createMeasures } from './measures.ts';
import type { createSummaries } from './summaries.ts';

/** Each feed with its secrets: none serves two. */
export type Feed = { source: Source; secrets: readonly FeedSecret[] };

/** What the steps of receiving share. */
export type Receiving = {
  config: Config;
  clock: Clock;
  logger: Logger;
  workspaces: Workspaces;
  measures: ReturnType<typeof createMeasures>;
  appender: Pick<ReturnType<typeof createAppender>, 'append'>;
  deliveries: ReturnType<typeof createDeliveries>;
  summaries: Pick<ReturnType<typeof createSummaries>, 'note'>;
  letters: Letters;
  keptLetters: ReturnType<typeof createDeliveries>;
};

/** One request of a feed, on its way to an answer. */
type Arrival = Feed & { request: IncomingMessage; response: ServerResponse; receivedAtMs: number };

type Kept = Exclude<Normalised, { refusal: Refusal }>;

/** Verify the raw body → normalise → append → acknowledge. Always answers; an unexpected error is answered 500. */
export async function receive(
  receiving: Receiving,
  feed: Feed,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const arrival: Arrival = { ...feed, request, response, receivedAtMs: receiving.clock.nowMs() };
  try {
    const delivery = await readVerified(receiving, arrival);
    if ('refusal' in delivery) return refuseUnproven(receiving, arrival, delivery.refusal);
    const normalised = feed.source.normalise(delivery, receiving.workspaces);
    if ('refusal' in normalised) return refuseProven(receiving, arrival, normalised.refusal);
    await keepAndAnswer(receiving, arrival, normalised, delivery);
  } catch (error) {
    answerFault(receiving, arrival, error as Error);
  }
}

/** The delivery, once its sender is proved. Nothing of it is believed, and nothing inflated, before. */
async function readVerified({ config }: Receiving, arrival: Arrival): Promise<Delivery | { refusal: Refusal }> {
  const { source, secrets, request, receivedAtMs } = arrival;
  const { headers } = request;
  const limitBytes = config.receiver.bodyLimitBytes;
  const { contentTypes } = source;
  if (contentTypes !== 'any' && !isOfType(headers, contentTypes)) return { refusal: wrongType(contentTypes, source) };
  const rawBody = await readBody(request, limitBytes);
  if (!Buffer.isBuffer(rawBody)) return { refusal: notRead(rawBody, limitBytes) };
  const fault = encodingFault(source, headers);
  if (fault) return { refusal: fault };
  const verified = source.verify(rawBody, headers, secrets, receivedAtMs);
  if ('refusal' in verified) return verified;
  const bodySha256 = hash('sha256', rawBody);
  // Signatures are over the bytes as sent, and what nobody signed is never inflated.
  const body = isGzipped(headers) ? await inflate(rawBody, limitBytes) : rawBody;
  if (!Buffer.isBuffer(body)) return { refusal: notRead(body, limitBytes) };
  return { headers, rawBody: body, bodySha256, receivedAtMs, secretScope: verified.secretScope };
}

async function keepAndAnswer(
  receiving: Receiving,
  arrival: Arrival,
  normalised: Kept,
  delivery: Delivery,
): Promise<void> {
  const { source } = arrival;
  const { secretScope } = delivery;
  try {
    if ('event' in normalised) {
      const isNew = await keep(receiving, source, normalised.event, secretScope);
      return respond(arrival, 202, { status: isNew ? 'kept' : 'duplicate', event: normalised.event.id });
    }
    if ('ignored' in normalised) {
      await leaveOut(receiving, arrival, [normalised], delivery);
      return respond(arrival, 202, { status: 'ignored', reason: normalised.ignored });
    }
    const { events, leftOut } = normalised;
    const kept = await keepAll(receiving, arrival, events, delivery);
    await leaveOut(receiving, arrival, leftOut, delivery);
    const isNew = kept.some((one) => one);
    respond(arrival, 202, { status: isNew ? 'kept' : 'duplicate', events: events.length });
  } catch (error) {
    const refusal = refusalOf(error as Error, receiving.logger);
    refuseProven(receiving, arrival, refusal, organizationIn(normalised));
  }
}

function organizationIn(normalised: Kept): string | undefined {
  if ('ignored' in normalised) return normalised.organization;
  return ('event' in normalised ? normalised.event : normalised.events[0])?.data['vcs.owner.name'];
}

/** Keeps dead letters of what cannot be read, and accounts for all of it. @throws {NotKeptError} */
async function leaveOut(
  receiving: Receiving,
  arrival: Arrival,
  parts: readonly Ignored[],
  { bodySha256, receivedAtMs, secretScope }: Delivery,
): Promise<void> {
  const { source, request } = arrival;
  const claims = source.claimsOf(request.headers);
  await keepLetters(receiving, parts, { source: source.name, claims, bodySha256, receivedAtMs, secretScope });
  for (const { ignored, organization, part } of parts) countIgnored(receiving, arrival, ignored, organization, part);
}

/**
 * Keeps all events of a delivery; answers whether each is new. One that the log never takes is left out, and keeps back no
 * other.
 * @throws what `keep` throws, once all of them are settled: of a delivery that is sent again, what was kept is a duplicate.
 */
async function keepAll(
  receiving: Receiving,
  arrival: Arrival,
  events: readonly TriplineEvent[],
  delivery: Delivery,
): Promise<boolean[]> {
  const { source } = arrival;
  const kept = await Promise.allSettled(events.map((event) => keep(receiving, source, event, delivery.secretScope)));
  const tooLarge: Ignored[] = [];
  const isNew = kept.map((one, nth) => {
    if (one.status === 'fulfilled') return one.value;
    if (!(one.reason instanceof RecordTooLargeError)) throw one.reason;
    const { id, data } = events[nth]!;
    const organization = data['vcs.owner.name'];
    const named = organization === undefined ? {} : { organization };
    tooLarge.push({ ignored: 'event-too-large', ...named, part: id, unread: { content: data } });
    return false;
  });
  await leaveOut(receiving, arrival, tooLarge, delivery);
  return isNew;
}

/**
 * Keeps one event; answers whether it is new. A delivery is identified by its id within its source and workspace,
 * whatever its body.
 */
async function keep(
  { deliveries, appender, measures, config }: Receiving,
  source: Source,
  event: TriplineEvent,
  secretScope: SecretScope,
): Promise<boolean> {
  const name = `${event.workspace}\0${event.source}\0${event.id}`;
  const isNew = await deliveries.once(name, async () => {
    const record = proved(source, event, toEventRecord(event), secretScope, config);
    const kept = await appender.append({ topic: topics.events, ...record });
    measures.count(source.name, kept === 'log' ? 'kept' : 'spooled');
  });
  if (!isNew) measures.count(source.name, 'duplicate');
  return isNew;
}

/** An event of `internalEventTypes` gets the MAC of the key that signed its delivery. */
function proved(
  source: Source,
  event: TriplineEvent,
  record: EventRecord,
  secretScope: SecretScope,
  config: Config,
): EventRecord {
  if (!internalEventTypes.has(event.type)) return record;
  if (source.internalKey === undefined) throw new Error(`${source.name} may tell no ${event.type}`);
  return signInternal(record, source.internalKey(event, secretScope, config));
}

function countIgnored(
  receiving: Receiving,
  arrival: Arrival,
  reason: IgnoredReason,
  organization?: string,
  part?: string,
): void {
  noteProven(receiving, arrival, 'ignored', reason, organization, part);
  receiving.measures.count(arrival.source.name, 'ignored', reason);
}

/** Of an unproved sender only the refusal is recorded. */
function refuseUnproven(receiving: Receiving, arrival: Arrival, refusal: Refusal): void {
  const { source, receivedAtMs } = arrival;
  receiving.summaries.note({ source: source.name, outcome: 'refused', reason: refusal.reason, atMs: receivedAtMs });
  answerRefusal(receiving, arrival, refusal);
}

function refuseProven(receiving: Receiving, arrival: Arrival, refusal: Refusal, organization?: string): void {
  noteProven(receiving, arrival, 'refused', refusal.reason, organization);
  answerRefusal(receiving, arrival, refusal);
}

/** The sender is proved, so what the headers say of the delivery may be recorded. */
function noteProven(
  { summaries }: Receiving,
  { source, request, receivedAtMs }: Arrival,
  outcome: 'ignored' | 'refused',
  reason: IgnoredReason | RefusalReason,
  organization: string | undefined,
  part?: string,
): void {
  const own = source.claimsOf(request.headers);
  const delivery = part === undefined ? own.delivery : [own.delivery ?? [], part].flat().join(', ');
  const claims = { ...own, delivery, organization };
  summaries.note({ source: source.name, outcome, reason, atMs: receivedAtMs, claims });
}

/** Answers in the feed's own words, where it has any; not at all, when the client has gone or was answered. */
function respond({ source, response }: Arrival, status: number, standard: StandardAnswer): void {
  if (source.answer === undefined) {
    answerJson(response, status, standard);
    return;
  }
  if (response.destroyed || response.headersSent) return;
  const own = source.answer(status, standard);
  const headers = { 'content-type': own.contentType, 'content-length': Buffer.byteLength(own.body) };
  response.writeHead(own.status, headers).end(own.body);
}

function answerRefusal({ measures }: Receiving, arrival: Arrival, refusal: Refusal): void {
  const { source, response } = arrival;
  const { status, reason, message } = refusal;
  measures.count(source.name, 'refused', reason);
  if (status === 503) response.setHeader('retry-after', '30');
  respond(arrival, status, { error: { reason, message } });
}

/** An internal error before anything was kept. */
function answerFault({ measures, logger }: Receiving, arrival: Arrival, error: Error): void {
  measures.count(arrival.source.name, 'refused', 'internal');
  // Its message may repeat what was sent.
  logger.error(
    { code: (error as NodeJS.ErrnoException).code, name: error.name },
    'handling a delivery failed by an internal error; answered 500',
  );
  const message = 'Tripline failed to answer; its log says why';
  respond(arrival, 500, { error: { reason: 'internal', message } });
}

/** Neither the log nor the spool has it: the sender must be told to deliver again. */
function refusalOf(error: Error, logger: Logger): Refusal {
  if (error instanceof RecordTooLargeError) {
    return refuse(413, 'event-too-large', 'The event of this delivery is larger than the log accepts');
  }
  if (!(error instanceof NotKeptError))
    logger.error({ err: error }, 'appending and spooling a delivery failed; answered 503');
  return refuse(503, 'spool-full', 'The log is away and the spool has no room; deliver again later');
}

const cutOff = refuse(400, 'bad-request', 'The request’s body is not what its headers say');

function notRead(why: 'too-large' | 'cut-off', limitBytes: number): Refusal {
  if (why === 'cut-off') return cutOff;
  return refuse(413, 'body-too-large', `The body is larger than ${limitBytes} bytes`);
}

function wrongType(contentTypes: readonly string[], source: Source): Refusal {
  const message = `Only ${contentTypes.join(' or ')} is taken; ${source.contentTypeAdvice}`;
  return refuse(415, 'unsupported-content-type', message);
}

/** Whether the body says to be of one of `types`, whatever parameters it adds. */
function isOfType({ 'content-type': given }: RequestHeaders, types: readonly string[]): boolean {
  if (typeof given !== 'string') return false;
  return types.includes(given) || types.includes(given.split(';', 1)[0]!.trim().toLowerCase());
}

/** A feed says which encodings it accepts; nothing else is inflated, so that a small body stays small. */
function encodingFault(source: Source, headers: RequestHeaders): Refusal | undefined {
  const encoding = headers['content-encoding'];
  if (encoding === undefined || encoding === 'identity') return undefined;
  if ((source.encodings as readonly unknown[]).includes(encoding)) return undefined;
  return refuse(415, 'unsupported-content-encoding', 'Send the body without a content encoding');
}
