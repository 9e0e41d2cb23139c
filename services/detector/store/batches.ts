import { FencedError, type PositionKey } from '@tripline/db/positions';
import type { ClientBase, Pool } from 'pg';

/** What every batch writes; here of one batch or of several that follow each other. */
export type BatchRows = PositionKey & {
  epoch: number;
  /** Position before them, and after them. */
  expected: number;
  next: number;
  logTimeMs: number;
  /** What each changed in keyed state. */
  flushes: readonly { flush: number; entries: Uint8Array }[];
  /** Ids and body hashes to remember. */
  dedup: readonly Uint8Array[];
};

/**
 * Moves the position, and keeps what every batch leaves: one statement, so that batches from which nothing else follows
 * are one round trip and a transaction by themselves. The position's row is locked first: a second owner writes nothing
 * until this has ended.
 * @throws {FencedError} when the partition was taken by another since, or `expected` is not where it stands.
 */
export async function keepBatch(client: ClientBase | Pool, batch: BatchRows): Promise<void> {
  const { flushes } = batch;
  // Each is compressed when it is asked for.
  const entries = flushes.map((flush) => flush.entries);
  const { rows } = await client.query<{ moved: number }>({
    name: 'keep-batch',
    // Flushes are concatenated in one parameter: an array of them would be sent as hexadecimal text.
    text: `WITH moved AS (
       UPDATE positions SET next = $5, log_time_ms = greatest(log_time_ms, $7)
       WHERE consumer = $1 AND topic = $2 AND partition = $3 AND next = $4 AND epoch = $6
       RETURNING partition, next
     ), segments AS (
       INSERT INTO state_segments (partition, segment, entries)
       SELECT partition, segment, substring($10::bytea FROM (1 + ends - length)::int FOR length)
       FROM moved, (
         SELECT segment, length, sum(length) OVER (ORDER BY segment) AS ends
         FROM unnest($8::bigint[], $9::integer[]) AS of_each(segment, length)
       ) AS placed
     ), seen AS (
       INSERT INTO seen_batches (partition, next, log_time_ms, entries)
       SELECT partition, next, $7, $11::bytea FROM moved WHERE length($11::bytea) > 0
     )
     SELECT count(*)::integer AS moved FROM moved`,
    values: [
      ...[batch.consumer, batch.topic, batch.partition, batch.expected, batch.next, batch.epoch, batch.logTimeMs],
      `{${flushes.map(({ flush }) => flush).join(',')}}`,
      `{${entries.map(({ length }) => length).join(',')}}`,
      endToEnd(entries),
      endToEnd(batch.dedup),
    ],
  });
  if (rows[0]?.moved !== 1) {
    throw new FencedError(
      `${batch.consumer} no longer owns partition ${batch.partition} of ${batch.topic} at offset ${batch.expected}`,
    );
  }
}

/** `pg` takes a Buffer as it is, and any other view as text. */
function endToEnd(pieces: readonly Uint8Array[]): Buffer {
  const [only] = pieces;
  if (only === undefined || pieces.length > 1) return Buffer.concat(pieces);
  return Buffer.from(only.buffer, only.byteOffset, only.byteLength);
}
