import { drillPrefix } from '@tripline/contracts/drill';
import type { EventType, LoggedEvent } from '@tripline/contracts/event';
import { eventTypeOf, fromEventRecord } from '@tripline/contracts/event-record';
import { parseTime } from '@tripline/contracts/time';
import type { Db } from '@tripline/db/database';
import { advance, FencedError, readPositions, takePartition } from '@tripline/db/positions';
import { inTransaction } from '@tripline/db/transaction';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import { type Batch, type Stream, type StreamRecord, topics } from '@tripline/stream/stream';
import type { PoolClient } from 'pg';
import type { EndMeasures } from './end-measures.ts';
import { keysOfEvent } from './keys.ts';
import { type End, endAll, keptMs } from './store/ends.ts';

export type WatchParts = {
  stream: Pick<Stream, 'consume' | 'offsets' | 'offsetsSince'>;
  db: Db;
  clock: Clock;
  logger: Logger;
  measures: Pick<EndMeasures, 'endsHeard'>;
  /** Who else is told of what the log holds: events of one type, in the transaction that moves past them, so that none is missed. */
  alsoHears?: {
    type: EventType;
    note: (client: PoolClient, events: readonly LoggedEvent[], nowMs: number) => Promise<void>;
  };
};

export type Watch = {
  /** Every end is noted that the log held when this process started: only then may a job be given anything. */
  caughtUp: () => boolean;
  /** Rejects with why ends are not heard. */
  ready: () => Promise<void>;
  close: () => Promise<void>;
};

const consumer = 'broker';
/** At most so many ends are noted in one transaction: each takes a lock of Postgres's shared table. */
const maxRecords = 500;
const tickMs = 250;
/** A replica that is frozen holds up ends for no longer: whoever takes over has no state to read. */
const leaseMs = 2000;
/** How often the position is moved over records that end nothing. */
const moveEveryMs = 1000;

const endOfWhat: ReadonlyMap<EventType, End['of']> = new Map([
  ['dev.cdevents.taskrun.finished', 'job'],
  ['dev.cdevents.pipelinerun.finished', 'run'],
]);

/** `moved`: where the position stands in Postgres; `next`: the next record that was not looked at. */
type Owned = { epoch: number; moved: number; next: number; movedMs: number };

/** What the steps of watching share. */
type Watching = WatchParts & {
  owned: Map<number, Owned>;
  /** By partition, up to where ends must be noted before anything is given; undefined until the log has told it. */
  until: ReadonlyMap<number, number> | undefined;
  isCaughtUp: boolean;
};

/**
 * Hears in the log which jobs and runs have ended, and ends what they were given, at the end's record or never: the position
 * moves with what follows from it. Starts with creation.
 */
export async function createWatch(parts: WatchParts): Promise<Watch> {
  const watching: Watching = { ...parts, owned: new Map(), until: undefined, isCaughtUp: false };
  const consuming = await parts.stream.consume({
    topic: topics.events,
    group: 'tripline-broker',
    ...{ maxRecords, tickMs, leaseMs },
    handlers: {
      onAssigned: (assigned) => takeAssigned(watching, assigned),
      onBatch: (batch) => hear(watching, batch),
      onLost: async ({ partition }) => {
        watching.owned.delete(partition);
      },
    },
  });
  const closing = new AbortController();
  const catchingUp = catchUp(watching, closing.signal);
  return {
    caughtUp: () => watching.isCaughtUp,
    async ready() {
      const fault = consuming.fault?.();
      if (fault) throw fault;
      if (!watching.isCaughtUp) throw new Error('ends of jobs that the log holds are still being noted');
    },
    async close() {
      closing.abort();
      await catchingUp;
      await consuming.stop();
    },
  };
}

/** Resolves when every partition was heard up to where it ended at the start, by whichever replica. */
async function catchUp(watching: Watching, closing: AbortSignal): Promise<void> {
  const { logger, clock } = watching;
  let isAway = false;
  while (!closing.aborted && !watching.isCaughtUp) {
    try {
      watching.isCaughtUp = await isHeard(watching);
      isAway = false;
    } catch (error) {
      if (!isAway) logger.warn({ err: error }, 'asking how far ends of jobs were noted failed; retrying');
      isAway = true;
    }
    if (!watching.isCaughtUp) await clock.pause(tickMs, closing);
  }
  if (watching.isCaughtUp) logger.info('ends of jobs are heard up to where the log ended at the start');
}

async function isHeard(watching: Watching): Promise<boolean> {
  const offsets = await watching.stream.offsets(topics.events);
  watching.until ??= new Map(offsets.map(({ partition, next }) => [partition, next]));
  const heard = await readPositions(watching.db.pool, { consumer, topic: topics.events });
  return offsets.every(({ partition, first }) => {
    const until = watching.until?.get(partition) ?? 0;
    // What the log no longer keeps is nobody's to hear.
    return Math.max(heard.get(partition) ?? 0, first) >= until;
  });
}

/** Where nobody has heard anything of a partition yet, what was appended before ends were kept ends no job that could still ask. */
async function takeAssigned(
  { db, clock, owned, stream }: Watching,
  { topic, partition }: { topic: string; partition: number },
): Promise<number> {
  const { next: moved, epoch } = await takePartition(db.pool, { consumer, topic, partition });
  const nowMs = clock.nowMs();
  const next = moved > 0 ? moved : ((await stream.offsetsSince(topic, nowMs - keptMs)).get(partition) ?? 0);
  owned.set(partition, { epoch, moved, next, movedMs: nowMs });
  return next;
}

/** @throws {FencedError} when the partition is not, or no longer, ours. */
async function hear(watching: Watching, batch: Batch): Promise<void> {
  const { db, clock, owned, measures, logger } = watching;
  const { topic, partition, records, lost } = batch;
  const own = owned.get(partition);
  if (!own) throw new FencedError(`partition ${partition} is not the broker's`);
  const next = (records.at(-1)?.offset ?? own.next - 1) + 1;
  const nowMs = clock.nowMs();
  const ends = endsIn(records, nowMs);
  const { alsoHears } = watching;
  const others = alsoHears === undefined ? [] : eventsIn(records, alsoHears.type);
  const isDue = nowMs - own.movedMs >= moveEveryMs || (batch.caughtUpAtMs !== null && !watching.isCaughtUp);
  if (ends.length === 0 && others.length === 0 && !(isDue && next > own.moved)) {
    owned.set(partition, { ...own, next });
    return;
  }
  if (lost.aborted) return;
  const logTimeMs = records.at(-1)?.appendedAtMs ?? 0;
  const move = { consumer, topic, partition, epoch: own.epoch, expected: own.moved, next, logTimeMs };
  const followed = await inTransaction(db, async (client) => {
    await advance(client, move);
    if (others.length > 0) await alsoHears!.note(client, others, nowMs);
    return ends.length === 0 ? { news: [], ended: [] } : endAll(client, ends, nowMs);
  });
  owned.set(partition, { epoch: own.epoch, moved: next, next, movedMs: nowMs });
  for (const { of } of followed.news) measures.endsHeard.inc({ of });
  if (followed.ended.length > 0)
    logger.info({ grants: followed.ended.map(({ id }) => id) }, 'jobs ended; revoking what they were given');
}

/** What ends by these records. Most are of other types, and are not read; what cannot be read the detector dead-letters. */
function endsIn(records: readonly StreamRecord[], nowMs: number): End[] {
  const ends: End[] = [];
  for (const record of records) {
    const type = eventTypeOf(record.headers);
    const of = type === undefined ? undefined : endOfWhat.get(type);
    if (of === undefined || record.key.startsWith(drillPrefix) || record.appendedAtMs < nowMs - keptMs) continue;
    const end = endOf(record, of);
    if (end !== undefined) ends.push(end);
  }
  return ends;
}

function endOf(record: StreamRecord, of: End['of']): End | undefined {
  const event = eventIn(record);
  const keys = event && keysOfEvent(event);
  const key = of === 'run' ? keys?.run : keys?.job;
  // What Postgres cannot hold names no job.
  if (event === undefined || key == null || key.includes('\0') || !key.isWellFormed()) return undefined;
  return { of, key, endedAtMs: parseTime(event.time) };
}

const eventsIn = (records: readonly StreamRecord[], type: EventType): LoggedEvent[] =>
  records.flatMap((record) => (eventTypeOf(record.headers) === type ? (eventIn(record) ?? []) : []));

function eventIn(record: StreamRecord): LoggedEvent | undefined {
  try {
    return fromEventRecord(record, record);
  } catch {
    return undefined;
  }
}
