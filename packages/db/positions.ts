import type { ClientBase, Pool } from 'pg';

/** Key of a position: one row per consumer and partition. */
export type PositionKey = { consumer: string; topic: string; partition: number };

export type TakenPartition = {
  /** Offset to read from. */
  next: number;
  /** The log's time up to which was judged, ms since the epoch; 0 at the start. */
  logTimeMs: number;
  /** Fencing token for `advance`, valid until another owner takes the partition. */
  epoch: number;
};

/** Another owner took the partition, or the position is not where this owner left it: drop everything and rejoin. */
export class FencedError extends Error {
  readonly code = 'FENCED';
}

/**
 * Takes a partition: from now on every earlier owner is fenced. Waits for a commit of the earlier owner that is under
 * way, so that what is read afterwards includes it. `keepsState`: the owner keeps its state in the tables `state_*`,
 * which excludes detectors of former versions that do not know them.
 */
export async function takePartition(
  client: ClientBase | Pool,
  key: PositionKey,
  options: { keepsState?: boolean } = {},
): Promise<TakenPartition> {
  const { rows } = await client.query<{ next: number; log_time_ms: number; epoch: number }>(
    `INSERT INTO positions AS p (consumer, topic, partition, epoch, state_epoch)
     VALUES ($1, $2, $3, 1, CASE WHEN $4::boolean THEN 1 END)
     ON CONFLICT (consumer, topic, partition) DO UPDATE
       SET epoch = p.epoch + 1, state_epoch = CASE WHEN $4::boolean THEN p.epoch + 1 END
     RETURNING next, log_time_ms, epoch`,
    [key.consumer, key.topic, key.partition, options.keepsState ?? false],
  );
  const taken = rows[0]!;
  return { next: Number(taken.next), logTimeMs: Number(taken.log_time_ms), epoch: Number(taken.epoch) };
}

/**
 * Moves the position inside the caller's transaction. Must be its first statement: the row's lock then keeps a second
 * owner from writing anything until this transaction has ended.
 * @throws {FencedError} when the partition was taken by another since, or `expected` is not where it stands.
 */
export async function advance(
  client: ClientBase,
  move: PositionKey & { epoch: number; expected: number; next: number; logTimeMs: number },
): Promise<void> {
  const { rowCount } = await client.query(
    `UPDATE positions SET next = $5, log_time_ms = greatest(log_time_ms, $7)
     WHERE consumer = $1 AND topic = $2 AND partition = $3 AND next = $4 AND epoch = $6`,
    [move.consumer, move.topic, move.partition, move.expected, move.next, move.epoch, move.logTimeMs],
  );
  if (rowCount !== 1) {
    throw new FencedError(
      `${move.consumer} no longer owns partition ${move.partition} of ${move.topic} at offset ${move.expected}`,
    );
  }
}

/** How far a consumer's partitions of a topic stand, by partition: the offset of the next record. */
export async function readPositions(
  client: ClientBase | Pool,
  { consumer, topic }: Pick<PositionKey, 'consumer' | 'topic'>,
): Promise<ReadonlyMap<number, number>> {
  const { rows } = await client.query<{ partition: number; next: number }>(
    'SELECT partition, next FROM positions WHERE consumer = $1 AND topic = $2',
    [consumer, topic],
  );
  return new Map(rows.map(({ partition, next }) => [partition, Number(next)]));
}
