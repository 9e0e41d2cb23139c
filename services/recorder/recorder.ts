import type { Config } from '@tripline/config/config';
import { fromEventRecord } from '@tripline/contracts/event-record';
import { faultOfOrigin, type OriginKeys } from '@tripline/contracts/internal';
import type { Db } from '@tripline/db/database';
import { advance, FencedError, type TakenPartition, takePartition } from '@tripline/db/positions';
import { inTransaction } from '@tripline/db/transaction';
import type { Logger } from '@tripline/runtime/logger';
import type { Metrics } from '@tripline/runtime/metrics';
import { type Batch, type Stream, type StreamRecord, topics } from '@tripline/stream/stream';
import { addToTrail, makeTrailDays, readTrailHead, type TrailHead, type TrailRecord } from '@tripline/trail/trail';
import { Counter } from 'prom-client';

export type RecorderParts = { config: Config; stream: Stream; db: Db; logger: Logger; metrics: Metrics };

export type Recorder = {
  /** Resolves when the log and the database answer; rejects with the reason. */
  ready: () => Promise<void>;
  /** Gives its partitions back after the batch at hand. */
  close: () => Promise<void>;
};

const consumer = 'recorder';
/**
 * Nobody waits for the trail, and a transaction costs more than the records in it: one for each few deliveries would
 * take a busy detector's time. Not longer, since its work on a batch holds up whoever else is in the process.
 */
const restMs = 250;

/** A partition that is ours: what fences us, and where its chain ends. */
type Owned = TakenPartition & { head: TrailHead | null };

/** What the steps of recording share. */
type Recording = {
  keys: OriginKeys;
  db: Db;
  logger: Logger;
  recorded: Counter<'readable'>;
  /** By partition. */
  owned: Map<number, Owned>;
  /** Days, since the epoch, that have a partition of the trail's table. */
  daysMade: Set<number>;
};

/**
 * Keeps every record of the events topic, sound or not, in the audit trail: rows, the chain's head and the position
 * move in one fenced transaction, so each record stands there once whatever crashes when. Starts with creation.
 */
export async function createRecorder({ config, stream, db, logger, metrics }: RecorderParts): Promise<Recorder> {
  const recorded = new Counter({
    name: 'tripline_recorder_records_total',
    help: 'Records added to the audit trail',
    labelNames: ['readable'] as const,
    registers: [metrics],
  });
  const recording: Recording = { keys: config, db, logger, recorded, owned: new Map(), daysMade: new Set() };
  const consuming = await stream.consume({
    topic: topics.events,
    group: 'tripline-recorder',
    maxRecords: 1000,
    restMs,
    handlers: {
      onAssigned: (assigned) => takeAssigned(recording, assigned),
      onBatch: (batch) => recordBatch(recording, batch),
      onLost: async ({ partition }) => {
        recording.owned.delete(partition);
      },
    },
  });

  return {
    ready: async () => {
      const fault = consuming.fault?.();
      if (fault) throw fault;
      await Promise.all([stream.check(), db.pool.query('SELECT 1')]);
    },
    close: () => consuming.stop(),
  };
}

/** Takes a partition that was assigned to us, and answers where to resume. */
async function takeAssigned(
  { db, logger, owned }: Recording,
  { topic, partition }: { topic: string; partition: number },
): Promise<number> {
  const taken = await takePartition(db.pool, { consumer, topic, partition });
  const head = await readTrailHead(db.pool, topic, partition);
  owned.set(partition, { ...taken, head });
  logger.info({ partition, next: taken.next }, 'partition assigned; recording from its committed offset');
  return taken.next;
}

/** @throws {FencedError} when the partition is not, or no longer, ours. */
async function recordBatch(recording: Recording, { topic, partition, records, lost }: Batch): Promise<void> {
  const { db, keys, owned, daysMade, recorded } = recording;
  const last = records.at(-1);
  if (!last) return;
  const own = owned.get(partition);
  if (!own) throw new FencedError(`partition ${partition} is not the recorder's`);
  const rows = records.map((record) => toTrailRecord(record, keys));
  await makeTrailDays(db.pool, rows, daysMade);
  if (lost.aborted) return;
  const next = last.offset + 1;
  const move = { consumer, topic, partition, epoch: own.epoch, expected: own.next, next, logTimeMs: last.appendedAtMs };
  const head = await inTransaction(db, async (client) => {
    await advance(client, move);
    return addToTrail(client, own.head, rows);
  });
  owned.set(partition, { ...own, next, head });
  const faulty = rows.filter((row) => row.fault !== null).length;
  recorded.inc({ readable: 'true' }, rows.length - faulty);
  recorded.inc({ readable: 'false' }, faulty);
}

/** A record that no reader can use is kept as it is, with the reason beside it. */
function toTrailRecord(record: StreamRecord, keys: OriginKeys): TrailRecord {
  return { ...record, fault: faultOf(record, keys) };
}

function faultOf(record: StreamRecord, keys: OriginKeys): string | null {
  try {
    fromEventRecord(record, record, { checkWhole: true });
    // Alone, it holds no keys: then it is the detector's to say.
    return keys.internalKeys === undefined ? null : faultOfOrigin(record, keys);
  } catch (error) {
    // JSON faults quote the text, which Postgres may not be able to hold.
    return (error as Error).message.toWellFormed().replaceAll('\0', '').slice(0, 2000);
  }
}
