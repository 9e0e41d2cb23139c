import type { Standing } from '@tripline/access/standing';
import { createUses } from '@tripline/access/uses';
import type { Attributes } from '@tripline/contracts/attributes';
import type { Db } from '@tripline/db/database';
import { topics } from '@tripline/stream/stream';
import { countLog, readLog } from '@tripline/trail/read-log';

/**
 * Fills in who used what stands, by what the trail kept of a workspace since `from`: jobs, and the last use of what the provider tells
 * none of. `onProgress`: records read, and of all.
 */
export async function withTrailUses(
  db: Db,
  { workspace, from, to }: { workspace: string; from: Date; to: Date },
  rows: readonly Standing[],
  onProgress: (read: number, of: number) => void,
): Promise<Standing[]> {
  const uses = createUses();
  const partitions = await countLog(db, { topic: topics.events, from, to });
  const all = partitions.reduce((sum, { records }) => sum + records, 0);
  let read = 0;
  for (const { partition } of partitions) {
    for await (const records of readLog(db, { topic: topics.events, partition, from, to, workspace })) {
      for (const { headers, value, appendedAtMs } of records) {
        const type = headers['ce_type'];
        const data = type === undefined || value === null ? undefined : dataOf(value);
        if (data !== undefined) uses.add({ type: type!, time: new Date(appendedAtMs).toISOString(), data });
      }
      read += records.length;
      onProgress(read, all);
    }
  }
  return uses.fill(rows);
}

/** Of a record that no reader can use nothing is concluded. */
function dataOf(value: Buffer): Attributes | undefined {
  try {
    return JSON.parse(value.toString()) as Attributes;
  } catch {
    return undefined;
  }
}
