import type { ClientBase, Pool } from 'pg';

/** Entries of packages/engine/dedup.ts that were committed at `sinceMs` of the log's time or later, a batch each. */
export async function readDedup(client: ClientBase | Pool, partition: number, sinceMs: number): Promise<Buffer[]> {
  const { rows } = await client.query<{ entries: Buffer }>(
    'SELECT entries FROM seen_batches WHERE partition = $1 AND log_time_ms >= $2 ORDER BY next',
    [partition, sinceMs],
  );
  return rows.map(({ entries }) => entries);
}

/** Deletes batches older than `beforeMs` of the log's time. */
export async function sweepDedup(client: ClientBase | Pool, partition: number, beforeMs: number): Promise<void> {
  await client.query('DELETE FROM seen_batches WHERE partition = $1 AND log_time_ms < $2', [partition, beforeMs]);
}
