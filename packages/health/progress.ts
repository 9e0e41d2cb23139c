import type { Db } from '@tripline/db/database';

/** Positions of the log's readers: the next offset by partition. */
export type Progress = Record<'detector' | 'recorder', ReadonlyMap<number, number>>;

/**
 * How far events were processed (`detector`) and recorded in the trail (`recorder`). A partition that was never read is
 * absent.
 */
export async function readProgress(db: Db, topic: string): Promise<Progress> {
  const { rows } = await db.pool.query<{ who: keyof Progress; partition: number; next: number }>(
    `SELECT 'detector' AS who, partition, next::bigint FROM positions WHERE consumer = 'detector' AND topic = $1
     UNION ALL SELECT 'recorder', partition, last_offset + 1 FROM trail_heads WHERE topic = $1`,
    [topic],
  );
  const of = (who: keyof Progress) =>
    new Map(rows.filter((row) => row.who === who).map(({ partition, next }) => [partition, Number(next)]));
  return { detector: of('detector'), recorder: of('recorder') };
}
