import type { Config } from '@tripline/config/config';
import { fromEventRecord } from '@tripline/contracts/event-record';
import { faultOfOrigin, type OriginKeys } from '@tripline/contracts/internal';
import { checkAnswers } from '@tripline/db/check-answers';
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
  /** Finishes the batch under way, then gives its partitions back. */
  close: () => Promise<void>;
};

const consumer = 'recorder';
/**
 * Pause between batches, ms. Nobody waits for the trail, and a transaction costs more than the records in it: one for
 * every few deliveries would take CPU from a busy detector. Not longer, since a large batch blocks the other services
 * of the process.
 */
const restMs = 250;

/** An owned partition: its fencing epoch, and the head of its hash chain. */
type Owned = TakenPartition & { head: TrailHead | null };

/** What the steps of recording share. */
type Recording = {
  keys: OriginKeys;
  db: Db;
  logger: Logger;
  recorded: Counter<'readable'>;
  /** By partition. */
  owned: Map<number, Owned>;
  /** Days, counted from the epoch, for which the trail's table has a partition. */
  daysMade: Set<number>;
};

/**
 * Records every record of the events topic, readable or not, in the audit trail: rows, the head of the chain and the
 * position move in one fenced transaction, so each record is there once whatever crashes when. Starts with creation.
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
      await Promise.all([stream.check(), checkAnswers(db)]);
    },
    close: () => consuming.stop(),
  };
}

/** Takes an assigned partition, and returns the offset to resume from. */
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
    // A recorder that runs alone holds no keys: then only the detector checks this.
    return keys.internalKeys === undefined ? null : faultOfOrigin(record, keys);
  } catch (error) {
    // JSON faults quote the text, which Postgres may not be able to hold.
    return (error as Error).message.toWellFormed().replaceAll('\0', '').slice(0, 2000);
  }
}
