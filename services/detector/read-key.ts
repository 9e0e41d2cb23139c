import type { Db } from '@tripline/db/database';
import { createMergedView } from '@tripline/engine/keyed-state/entries';
import { hashKey } from '@tripline/engine/keyed-state/key-hash';
import { joinedKey, type StateKey } from '@tripline/engine/keyed-state/keys';
import { blockOf } from '@tripline/engine/keyed-state/merge-blocks';
import type { StateRow } from '@tripline/engine/keyed-state/state';
import { readBlocks, readFlushes, readRuns } from './store/state-store.ts';

/** The row of a key, and its partition; for `tripline state get`. */
export type FoundRow = StateRow & { partition: number };

/**
 * The rows of some keys as the last batch left them, whatever detector owns them. Reads a block a run and what is not merged
 * yet; a key stands in the partition of its workspace alone.
 */
export async function readKeys(db: Db, keys: readonly StateKey[]): Promise<FoundRow[]> {
  const { rows: partitions } = await db.pool.query<{ partition: number; logTimeMs: number }>(
    `SELECT partition, log_time_ms::float8 AS "logTimeMs" FROM positions WHERE consumer = 'detector' ORDER BY partition`,
  );
  const wanted = new Set(keys.map(joinedKey));
  const found: FoundRow[] = [];
  for (const { partition, logTimeMs } of partitions) {
    const view = createMergedView();
    const standing = (await readRuns(db.pool, partition)).filter(({ state }) => state === 'standing');
    for (const { run, bits } of standing.sort((a, b) => a.newest - b.newest)) {
      const blocks = new Set([...wanted].map((joined) => blockOf(highOf(joined), bits)));
      const ranges = [...blocks].map((block) => ({ run, first: block, last: block }));
      for (const { entries } of await readBlocks(db.pool, partition, ranges)) view.add(entries);
    }
    for (const { entries } of await readFlushes(db.pool, partition)) view.add(entries);
    for (const row of view.rows(logTimeMs)) if (wanted.has(joinedKey(row))) found.push({ ...row, partition });
  }
  return found;
}

function highOf(joined: string): number {
  const hash = new Uint32Array(2);
  hashKey(joined, hash);
  return hash[0]!;
}
