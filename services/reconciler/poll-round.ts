import type { TriplineEvent } from '@tripline/contracts/event';
import { toEventRecord } from '@tripline/contracts/event-record';
import { internalEventTypes } from '@tripline/contracts/internal';
import type { Db } from '@tripline/db/database';
import { createOutbound, type Outbound } from '@tripline/integrations/outbound';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { Recent } from '@tripline/runtime/recent';
import type { Letters } from '@tripline/sources/letters';
import type { Asked, PollAnswer, PolledPage, PollTarget, Refused } from '@tripline/sources/polled';
import type { Poll } from '@tripline/sources/polls';
import type { Ignored } from '@tripline/sources/source';
import { RecordTooLargeError, type Stream, topics } from '@tripline/stream/stream';
import { appendLetters } from './poll-letters.ts';
import type { PollMeasures } from './poll-measures.ts';
import { movePoll, type PollHold, type PollLost, type PollState } from './store/polls.ts';

/** One round over one poll that this process holds. */
export type PollRound = {
  db: Db;
  stream: Pick<Stream, 'append'>;
  poll: Poll;
  /** Sent beside the target's own headers: what was issued for this round. */
  headers: Readonly<Record<string, string>>;
  hold: PollHold;
  /** Events and dead letters that this process has appended: an overlapping window brings them again. */
  appended: Recent;
  letters: Letters;
  clock: Clock;
  log: Logger;
  measures: PollMeasures;
  /** Nothing more is begun after this time. */
  endMs: number;
  signal: AbortSignal;
};

/** How a round ended that did not fail: whether all is read, and how long the provider wants to be left alone. */
export type PollRoundEnd = { finished: boolean; restMs: number };

/** Nothing was read, and why. */
export class NotReadError extends Error {
  readonly code = 'NOT_READ';
  readonly refused: Refused;
  constructor(refused: Refused) {
    super(refused.message);
    this.refused = refused;
  }
}

/** A hold lasts so long beyond the last page: a request and an append take less, and so does having a token issued before. */
export const pollLeaseMs = 90_000;
/** How long one round may read on; what is left is the next one's. */
export const pollRoundMs = 300_000;
const requestTimeoutMs = 20_000;
/** Far beyond a page of a hundred records. */
const answerLimitBytes = 16 * 1024 * 1024;
/** The pages of a window are its beginning's still, so long after the last of them was read. */
const windowAgeMs = 3_600_000;
/** At most so many records are appended at once. */
const atOnce = 200;

/**
 * Reads a feed on from its cursor, page by page: a page's events are in the log before the cursor moves over it.
 * @throws {NotReadError} {PollTakenError} {StreamUnavailableError}
 */
export async function readOn(round: PollRound, before: PollState): Promise<PollRoundEnd> {
  const { db, poll, hold, clock, measures, log } = round;
  const { feed, target } = poll;
  const ask = asker(round, target);
  let { cursor } = before;
  let lost = lostBefore(poll, before, clock.nowMs());
  for (;;) {
    const page = await readPage(round, ask, { target, cursor, begunMs: before.begunMs });
    const tooLarge = await append(round, page);
    await appendLetters(round, [...page.leftOut, ...tooLarge]);
    const nowMs = clock.nowMs();
    // Before that nothing of any kind is there any more.
    const goneMs = lost.length === poll.feed.kept?.length ? lost.at(-1)?.untilMs : undefined;
    const kept = { cursor: page.cursor, unfinished: page.hasMore, wholeUntilMs: page.wholeUntilMs ?? goneMs ?? null };
    await movePoll(db, hold, { ...kept, lost: lost[0] ?? null }, { nowMs, heldUntilMs: nowMs + pollLeaseMs });
    for (const { records, fromMs, untilMs } of lost) {
      log.error(
        { records, from: new Date(fromMs).toISOString(), until: new Date(untilMs).toISOString() },
        'records of a polled feed are lost: it was not read for longer than it keeps them',
      );
      measures.lost(feed.name, (untilMs - fromMs) / 1000);
    }
    lost = [];
    cursor = page.cursor;
    const restMs = page.restMs ?? 0;
    if (!page.hasMore || restMs > 0 || round.signal.aborted || nowMs >= round.endMs)
      return { finished: !page.hasMore, restMs };
  }
}

/**
 * What the provider keeps no more of what was not read, the kind of which most is lost first; nothing where nothing is missing,
 * or a window is being read on.
 */
function lostBefore({ feed }: Poll, { unfinished, readAtMs, wholeUntilMs }: PollState, nowMs: number): PollLost[] {
  if (readAtMs === null || wholeUntilMs === null) return [];
  if (unfinished && nowMs - readAtMs < windowAgeMs) return [];
  return (feed.kept ?? []).flatMap(({ records, keptMs }) =>
    wholeUntilMs < nowMs - keptMs ? [{ records, fromMs: wholeUntilMs, untilMs: nowMs - keptMs }] : [],
  );
}

type Ask = (url: string) => Promise<PollAnswer>;

async function readPage(round: PollRound, ask: Ask, where: Omit<Asked, 'nowMs'>): Promise<PolledPage> {
  const { db, poll, hold, clock } = round;
  const { feed } = poll;
  const answer = await ask(feed.request({ ...where, nowMs: clock.nowMs() }).url);
  const read = feed.read(answer, { ...where, nowMs: clock.nowMs() });
  if ('refused' in read) {
    const nowMs = clock.nowMs();
    const lease = { nowMs, heldUntilMs: nowMs + pollLeaseMs };
    const kept = { unfinished: true, wholeUntilMs: null, lost: null };
    if (read.cursor !== undefined) await movePoll(db, hold, { ...kept, cursor: read.cursor }, lease);
    throw new NotReadError(read);
  }
  for (const event of read.events) checkSpeaksFor(poll, event);
  return read;
}

/** What a feed may tell. @throws a fault of the feed's folder. */
function checkSpeaksFor({ feed, target }: Poll, event: TriplineEvent): void {
  if (internalEventTypes.has(event.type)) throw new Error(`${feed.name} may tell no ${event.type}`);
  if (event.workspace !== target.workspace)
    throw new Error(`${feed.name} tells of another workspace than ${target.workspace}`);
  if (event.bodySha256 !== undefined) throw new Error(`${feed.name} gives a record the hash of a whole page`);
}

/** Appends what is new of a page; resolves when all of it is in the log, with what the log never takes. */
async function append({ stream, poll, appended, measures, log }: PollRound, page: PolledPage): Promise<Ignored[]> {
  const { name } = poll.feed;
  const nameOf = ({ workspace, source, id }: TriplineEvent) => `${workspace}\0${source}\0${id}`;
  const fresh = [...new Map(page.events.map((event) => [nameOf(event), event])).entries()].filter(
    ([key]) => !appended.has(key),
  );
  const leftOut: Ignored[] = [];
  for (let from = 0; from < fresh.length; from += atOnce) {
    const some = fresh.slice(from, from + atOnce);
    const tooLarge = await appendTaken(
      stream,
      some.map(([, event]) => event),
    );
    for (const [key] of some) appended.add(key);
    measures.records(name, 'kept', some.length - tooLarge.length);
    for (const { id, data } of tooLarge)
      leftOut.push({ ignored: 'event-too-large', part: id, unread: { content: data } });
  }
  if (leftOut.length > 0)
    log.error({ records: leftOut.length }, 'records of a polled feed are too large for the log; left out');
  measures.records(name, 'duplicate', page.events.length - fresh.length);
  for (const { ignored } of [...page.leftOut, ...leftOut]) measures.leftOut(name, ignored);
  return leftOut;
}

/** Appends events; those that are too large are left out. Answers which those are. */
async function appendTaken(
  stream: PollRound['stream'],
  events: readonly TriplineEvent[],
): Promise<readonly TriplineEvent[]> {
  try {
    await stream.append(events.map((event) => ({ topic: topics.events, ...toEventRecord(event) })));
    return [];
  } catch (error) {
    if (!(error instanceof RecordTooLargeError)) throw error;
    if (events.length === 1) return events;
    // What was appended already comes twice, which its id shows.
    const tooLarge: TriplineEvent[] = [];
    for (const event of events) tooLarge.push(...(await appendTaken(stream, [event])));
    return tooLarge;
  }
}

/** What asks for one page; only below the target's own address, redirects not followed. */
function asker({ signal, headers: issued }: PollRound, { apiUrl, headers }: PollTarget): Ask {
  const call: Outbound = createOutbound(apiUrl);
  const { host } = new URL(apiUrl);
  return async (url) => {
    const limits = AbortSignal.any([signal, AbortSignal.timeout(requestTimeoutMs)]);
    try {
      const response = await call(url, { headers: { ...headers, ...issued }, redirect: 'manual', signal: limits });
      const body = await readBounded(response);
      if (body === null) {
        const message = `${host} answered more than ${answerLimitBytes} bytes: ask it for smaller pages`;
        throw new NotReadError({ refused: 'give-up', message });
      }
      return { status: response.status, headers: Object.fromEntries(response.headers), body };
    } catch (error) {
      if (error instanceof NotReadError) throw error;
      // Its own message may repeat the address.
      const code = (error as { cause?: { code?: string }; code?: string }).cause?.code ?? (error as Error).name;
      throw new NotReadError({ refused: 'retry', message: `${host} gave no whole answer (${code})` });
    }
  };
}

/** A body whole, or null when it is too long: then no more of it is read. */
async function readBounded({ body }: Response): Promise<Buffer | null> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  if (body === null) return Buffer.alloc(0);
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > answerLimitBytes) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}
