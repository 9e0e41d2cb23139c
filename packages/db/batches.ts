import type { ClientBase, Pool } from 'pg';
import { Fenced, type PositionKey } from './positions.ts';

/** What every batch writes. */
export type BatchRows = PositionKey & {
  epoch: number;
  /** Position before the batch, and after it. */
  expected: number;
  next: number;
  logTimeMs: number;
  /** What it changed in keyed state; null when nothing. */
  segment: { segment: number; entries: Uint8Array } | null;
  /** Ids and body hashes to remember; null when none. */
  seen: Uint8Array | null;
};

/**
 * Moves the position, and keeps what every batch leaves: one statement, so that a batch from which nothing else follows
 * is one round trip and a transaction by itself. The position's row is locked first: a second owner writes nothing
 * until this has ended.
 * @throws {Fenced} when the partition was taken by another since, or `expected` is not where it stands.
 */
export async function keepBatch(client: ClientBase | Pool, batch: BatchRows): Promise<void> {
  const { rows } = await client.query<{ moved: number }>(
    `WITH moved AS (
       UPDATE positions SET next = $5, log_time_ms = greatest(log_time_ms, $7)
       WHERE consumer = $1 AND topic = $2 AND partition = $3 AND next = $4 AND epoch = $6
       RETURNING partition, next
     ), segment AS (
       INSERT INTO state_segments (partition, segment, entries)
       SELECT partition, $8, $9::bytea FROM moved WHERE $9::bytea IS NOT NULL
     ), seen AS (
       INSERT INTO seen_batches (partition, next, log_time_ms, entries)
       SELECT partition, next, $7, $10::bytea FROM moved WHERE $10::bytea IS NOT NULL
     )
     SELECT count(*)::integer AS moved FROM moved`,
    [
      ...[batch.consumer, batch.topic, batch.partition, batch.expected, batch.next, batch.epoch, batch.logTimeMs],
      ...[batch.segment?.segment ?? null, batch.segment && bufferOf(batch.segment.entries)],
      batch.seen && bufferOf(batch.seen),
    ],
  );
  if (rows[0]?.moved !== 1) {
    throw new Fenced(
      `${batch.consumer} no longer owns partition ${batch.partition} of ${batch.topic} at offset ${batch.expected}`,
    );
  }
}

/** `pg` takes a Buffer as it is, and any other view as text. */
const bufferOf = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);
