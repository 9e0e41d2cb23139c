import type { Db } from '@tripline/db/database';
import type { TrailRecord } from './trail.ts';

/** A record of a topic as the trail keeps it. */
export type KeptRecord = Omit<TrailRecord, 'fault'>;

const atOnce = 2000;

/** What the trail kept of a topic since `since`, in the order of each partition, one partition after the other; at most `limit`. */
export async function* readLog(
  db: Pick<Db, 'pool'>,
  { topic, since, limit }: { topic: string; since: Date; limit: number },
): AsyncGenerator<KeptRecord[]> {
  let [partition, offset] = [-1, -1];
  for (let left = limit; left > 0; ) {
    const { rows } = await db.pool.query<{
      partition: number;
      offset: number;
      appended_at: Date;
      key: Buffer;
      headers: Record<string, string>;
      value: Buffer | null;
    }>(
      `SELECT partition, "offset", appended_at, key, headers, value FROM trail
       WHERE topic = $1 AND appended_at >= $2 AND (partition, "offset") > ($3, $4)
       ORDER BY partition, "offset" LIMIT $5`,
      [topic, since, partition, offset, Math.min(left, atOnce)],
    );
    const last = rows.at(-1);
    if (last === undefined) return;
    partition = last.partition;
    offset = Number(last.offset);
    left -= rows.length;
    yield rows.map((row) => ({
      topic,
      partition: row.partition,
      offset: Number(row.offset),
      appendedAtMs: row.appended_at.getTime(),
      key: row.key.toString(),
      headers: row.headers,
      value: row.value,
    }));
  }
}
