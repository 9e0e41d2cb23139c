import type { Db } from '@tripline/db/database';

/** Positions of the log's readers: the next offset by partition. */
export type LogReader = 'detector' | 'recorder' | 'broker';
export type Progress = Record<LogReader, ReadonlyMap<number, number>>;

/**
 * How far events were processed (`detector`), recorded in the trail (`recorder`), and looked through for ends of jobs and questions
 * to the gate (`broker`). A partition that was never read is absent.
 */
export async function readProgress(db: Db, topic: string): Promise<Progress> {
  const { rows } = await db.pool.query<{ who: keyof Progress; partition: number; next: number }>(
    `SELECT consumer AS who, partition, next::bigint FROM positions WHERE consumer IN ('detector', 'broker') AND topic = $1
     UNION ALL SELECT 'recorder', partition, last_offset + 1 FROM trail_heads WHERE topic = $1`,
    [topic],
  );
  const of = (who: keyof Progress) =>
    new Map(rows.filter((row) => row.who === who).map(({ partition, next }) => [partition, Number(next)]));
  return { detector: of('detector'), recorder: of('recorder'), broker: of('broker') };
}
