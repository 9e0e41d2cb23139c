import type { Db } from '@tripline/db/database';
import { inTransaction } from '@tripline/db/transaction';
import { createMergedView } from '@tripline/engine/keyed-state/entries';
import type { StateKey } from '@tripline/engine/keyed-state/keys';
import { createRunIndex, type SortedRun } from '@tripline/engine/keyed-state/sorted-run';
import type { StateRow } from '@tripline/engine/keyed-state/state';
import { createStateStore, type StoreOptions, type StoreSnapshot } from '@tripline/engine/keyed-state/state-store';
import { moveFormerState } from './store/rule-state.ts';
import {
  deleteBlocks,
  type Ownership,
  type RunRow,
  readBlockGroups,
  readBlocks,
  readFlushes,
  readRuns,
  writeBlockGroup,
} from './store/state-store.ts';

/** The keyed state of a partition while it is owned. */
export type StateKeeper = Awaited<ReturnType<typeof openState>>;

/**
 * Opens the keyed state of a partition that was just taken: reads what is not merged, and of what is merged two bytes a
 * key. What a former detector left in `rule_state` is moved first.
 */
export async function openState(db: Db, owner: Ownership, logTimeMs: number, options: StoreOptions = {}) {
  const { partition } = owner;
  const flushes = await readFlushes(db.pool, partition);
  const store = createStateStore({ flushes, ...(await readStored(db, partition)) }, options);

  /** Merges as much as is due, a little at a time. `idle`: there is time for more. */
  async function compact(nowMs: number, idle: boolean): Promise<void> {
    let atLeastOne = idle;
    for (;;) {
      const work = store.work(nowMs, atLeastOne);
      if (work === undefined) return;
      atLeastOne = false;
      if (work.kind === 'drop') {
        await deleteBlocks(db.pool, owner, work.dropping);
        store.deleted(work.dropping);
      } else {
        const group = work.merge(await readBlocks(db.pool, partition, work.reads));
        await writeBlockGroup(db.pool, owner, group);
        store.wrote(group);
      }
    }
  }

  async function readWanted(search: ReturnType<typeof store.look>): Promise<StateRow[]> {
    while (search.wanted.length > 0) search.give(await readBlocks(db.pool, partition, search.wanted));
    return search.rows;
  }

  for (;;) {
    const moved = await inTransaction(db, (client) => moveFormerState(client, owner, store.pack));
    if (moved === null) break;
    store.commit(moved);
    await compact(logTimeMs, false);
  }

  return {
    /** The rows of many keys; one that is absent has none. No promise where all of them are in memory, as they mostly are. */
    read(keys: readonly StateKey[]): StateRow[] | Promise<StateRow[]> {
      const search = store.look(keys);
      return search.wanted.length === 0 ? search.rows : readWanted(search);
    },
    /** What stands under a key as far as that is in memory; null when nothing does, undefined where it must be read. */
    peek: store.peek,
    pack: store.pack,
    commit: store.commit,
    compact,
    size: store.size,
  };
}

/** Runs as they are held in memory: those that stand, what is made of them, and those that are to go. */
async function readStored(db: Db, partition: number): Promise<Omit<StoreSnapshot, 'flushes'>> {
  const rows = await readRuns(db.pool, partition);
  const standing = rows.filter(({ state }) => state === 'standing');
  const inputsOf = (row: RunRow) => standing.filter(({ run }) => row.inputs.includes(run));
  // Flushes that were being merged are merged again from the start, since there are more by now.
  const goesOn = (row: RunRow) =>
    row.state === 'building' && row.inputs.length > 0 && inputsOf(row).length === row.inputs.length;
  const runs: SortedRun[] = [];
  for (const row of standing) runs.push({ ...row, ...(await readIndex(db, partition, row, row.keys)).index.done() });
  const unfinished = rows.find(goesOn);
  let building: StoreSnapshot['building'] = null;
  if (unfinished !== undefined) {
    const keys = inputsOf(unfinished).reduce((sum, input) => sum + input.keys, 0);
    building = { ...unfinished, ...(await readIndex(db, partition, unfinished, keys)) };
  }
  const dropped = rows.filter((row) => row.state !== 'standing' && row !== unfinished);
  return { runs, building, dropped };
}

async function readIndex(db: Db, partition: number, { run, bits }: RunRow, maxKeys: number) {
  const index = createRunIndex(bits, maxKeys);
  let groups = 0;
  for await (const group of readBlockGroups(db.pool, { partition, run })) {
    index.add(group);
    groups += 1;
  }
  return { index, groups };
}

/** Everything that stands in a partition's state at `logTimeMs`, but for the engine's own: for tests and looking into things. */
export async function readState(db: Db, partition: number, logTimeMs: number): Promise<StateRow[]> {
  const all = createMergedView();
  const standing = (await readRuns(db.pool, partition)).filter(({ state }) => state === 'standing');
  for (const { run, bits } of standing.sort((a, b) => a.newest - b.newest)) {
    const blocks = await readBlocks(db.pool, partition, [{ run, first: 0, last: 2 ** bits - 1 }]);
    for (const { entries } of blocks) all.add(entries);
  }
  for (const { entries } of await readFlushes(db.pool, partition)) all.add(entries);
  return all.rows(logTimeMs);
}
