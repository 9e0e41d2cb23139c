import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { StateKey } from '@tripline/engine/keyed-state/keys';
import type { StateChange, StateRow } from '@tripline/engine/keyed-state/state';
import {
  type BlockRange,
  createStateStore,
  type StoredBlock,
  type StoreOptions,
} from '@tripline/engine/keyed-state/state-store';

/** A run's blocks, one after the other in a file: where each begins, and where the last one ends. */
type RunFile = { fd: number; path: string; starts: number[] };

/**
 * Keyed state of one partition while it is replayed: the detector's own store, whose blocks lie in files of `folder` instead of
 * Postgres, so that months of a busy organisation need no more memory than the detector does.
 */
export function openScratch(folder: string, options: StoreOptions = {}) {
  const store = createStateStore({ flushes: [], runs: [], building: null, dropped: [] }, options);
  const files = new Map<number, RunFile>();

  function readBlocks(ranges: readonly BlockRange[]): StoredBlock[] {
    return ranges.flatMap(({ run, first, last }) => {
      const { fd, starts } = files.get(run)!;
      return Array.from({ length: last - first + 1 }, (_, nth) => {
        const block = first + nth;
        const entries = Buffer.alloc(starts[block + 1]! - starts[block]!);
        readSync(fd, entries, 0, entries.length, starts[block]!);
        return { run, block, entries };
      });
    });
  }

  function append(run: number, blocks: readonly Buffer[]): void {
    const path = join(folder, `run-${run}`);
    const file = files.get(run) ?? { fd: openSync(path, 'wx+', 0o600), path, starts: [0] };
    files.set(run, file);
    const from = file.starts.at(-1)!;
    writeSync(file.fd, Buffer.concat(blocks), 0, undefined, from);
    let end = from;
    for (const { length } of blocks) {
      end += length;
      file.starts.push(end);
    }
  }

  function drop(run: number): void {
    const { fd, path } = files.get(run)!;
    closeSync(fd);
    rmSync(path);
    files.delete(run);
  }

  return {
    peek: store.peek,
    read(keys: readonly StateKey[]): StateRow[] {
      const search = store.look(keys);
      while (search.wanted.length > 0) search.give(readBlocks(search.wanted));
      return search.rows;
    },
    /** Keeps what a batch changed, and merges what is due at the log's time. */
    keep(changes: readonly StateChange[], nowMs: number): void {
      const flush = store.pack(changes);
      if (flush !== null) store.commit(flush);
      for (let work = store.work(nowMs, false); work !== undefined; work = store.work(nowMs, false)) {
        if (work.kind === 'drop') {
          if (work.dropping.isLast) drop(work.dropping.run);
          store.deleted(work.dropping);
        } else {
          const group = work.merge(readBlocks(work.reads));
          append(group.run, group.blocks);
          store.wrote(group);
        }
      }
    },
    close(): void {
      for (const run of [...files.keys()]) drop(run);
    },
  };
}
