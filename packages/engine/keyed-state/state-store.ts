import { createCache } from './cache.ts';
import { compress, decompress, findInBlock, packEntries, type Stored } from './entries.ts';
import { hashKey } from './key-hash.ts';
import { joinedKey, type StateKey } from './keys.ts';
import { createMemtable, type Memtable } from './memtable.ts';
import {
  type BlockGroup,
  bitsFor,
  blockOf,
  chooseMerge,
  type EntryRef,
  entriesIn,
  highsOf,
  mergeIntoGroup,
} from './merge-blocks.ts';
import { blockThatMayHold, createRunIndex, type RunIndex, type SortedRun } from './sorted-run.ts';
import type { StateChange, StateRow } from './state.ts';

/** Consecutive blocks of a run, both ends included. */
export type BlockRange = { run: number; first: number; last: number };
/** A block as it lies in Postgres. */
export type StoredBlock = { run: number; block: number; entries: Uint8Array };
/** What a batch changed, compressed, under its number. */
export type Flush = { flush: number; entries: Uint8Array };

/** What is read when the partition is taken. */
export type StoreSnapshot = {
  /** Those that are not merged, the oldest first. */
  flushes: readonly Flush[];
  /** Those that stand, in any order. */
  runs: readonly SortedRun[];
  /** What a merge of runs that stand was made of them so far, by an owner before. */
  building: (Pick<SortedRun, 'run' | 'newest' | 'bits' | 'bytes'> & BuildingRun) | null;
  /** Those that do not, whose blocks must go. */
  dropped: readonly { run: number; bits: number }[];
};

/** `inputs`: runs that are merged into it. */
export type BuildingRun = { inputs: readonly number[]; index: RunIndex; groups: number };

/** A row of blocks to write, in one transaction with what it says of its run. */
export type BlockGroupRow = BlockGroup & {
  run: number;
  newest: number;
  bits: number;
  /** Place of the group in its run. */
  group: number;
  firstBlock: number;
  /** Runs that are merged into it; none while flushes are. */
  inputs: number[];
  /** Of the run so far. */
  total: { keys: number; bytes: number };
  /** With its last group the run stands, and what went into it goes: runs, and flushes up to a number. */
  instead: { runs: number[]; flushes: number } | null;
};
/** Blocks to delete; `last` when none are left, and the run itself goes. */
export type Dropping = BlockRange & { isLast: boolean };

/** Work to do between batches: read `reads`, hand them to `merge`, write what it answers, and say `wrote`; or delete, and say `deleted`. */
export type StoreWork =
  | { kind: 'merge'; reads: BlockRange[]; merge: (blocks: readonly StoredBlock[]) => BlockGroupRow }
  | { kind: 'drop'; dropping: Dropping };

type Merging = {
  run: number;
  newest: number;
  bits: number;
  oldest: boolean;
  runs: readonly SortedRun[];
  memtable: Memtable | null;
  index: RunIndex;
  groups: number;
  bytes: number;
};
const noBlocks: Map<string, Buffer> = new Map();
type Pending = { key: StateKey; joined: string; high: number; low: number; nextRun: number };

const megabyte = 2 ** 20;
/** However many share, a run is made of so much at least, or there would be too many. */
const leastMemtableBytes = 4 * megabyte;
/** For each byte that batches change, so many are merged: more than a byte is written over on its way to the oldest run. */
const mergedPerChanged = 8;
const blocksDroppedAtOnce = 256;

export type StoreOptions = {
  /** What may lie in flushes before it is made a run, in bytes before compression; 32 MiB unless told otherwise. */
  memtableBytes?: number;
  /** Blocks held in memory, in bytes; 32 MiB unless told otherwise. */
  blockCacheBytes?: number;
  /** How many partitions share these sizes at this moment; one unless told otherwise. */
  sharedBy?: () => number;
  /** What a block holds, in bytes before compression; 48 KiB unless told otherwise. */
  blockBytes?: number;
  /** Blocks merged at once, a power of two: 32 unless told otherwise, so that it takes some milliseconds. */
  blocksPerGroup?: number;
};

export type StateStore = ReturnType<typeof createStateStore>;

/**
 * Keyed state of one partition as a log-structured merge tree: flushes, one a batch, of which the memtable holds the
 * newest change of each key; and sorted runs, older, in order of hash and cut into blocks, of which a fingerprint of two
 * bytes a key is held. So a change costs its part of one row, a key that is new costs no query, and any other one block. Pure: it says which
 * blocks it wants, and what is to be written.
 */
export function createStateStore(snapshot: StoreSnapshot, options: StoreOptions = {}) {
  const { memtableBytes = 32 * megabyte, sharedBy = () => 1 } = options;
  const memtableLimit = () => Math.max(memtableBytes / sharedBy(), Math.min(memtableBytes, leastMemtableBytes));
  const blockBytes = options.blockBytes ?? 48 * 1024;
  const blocksPerGroup = options.blocksPerGroup ?? 32;
  const weigh = ({ length }: Buffer) => length + 100;
  const cache = createCache<Buffer>(options.blockCacheBytes ?? 32 * megabyte, { weigh, sharedBy });
  /** What the next flushes change, and what is being made a run. */
  let memtable = createMemtable();
  let frozen: Merging | null = null;
  /** The newest first. */
  let runs: SortedRun[] = [...snapshot.runs].sort((a, b) => b.newest - a.newest);
  let merging: Merging | null = snapshot.building && goOn(snapshot.building);
  const dropped = snapshot.dropped.map(({ run, bits }) => ({ run, next: 0, blocks: 2 ** bits }));
  for (const { flush, entries } of snapshot.flushes) memtable.add(flush, decompress(entries));
  let nextFlush = Math.max(memtable.newest(), runs[0]?.newest ?? 0) + 1;
  let nextRun = Math.max(0, merging?.run ?? 0, ...[...runs, ...dropped].map(({ run }) => run)) + 1;
  let owedBytes = 0;
  const hash = new Uint32Array(2);

  const nameOf = (run: number, block: number) => `${run}/${block}`;

  /** What stands under a key, or the block that must be looked at first. */
  function lookAt(pending: Pending, given: Map<string, Buffer>): Stored | BlockRange | undefined {
    const { joined, high, low } = pending;
    for (; pending.nextRun < runs.length; pending.nextRun += 1) {
      const run = runs[pending.nextRun]!;
      const block = blockThatMayHold(run, high, low);
      if (block < 0) continue;
      const name = nameOf(run.run, block);
      const entries = given.get(name) ?? cache.get(name);
      if (entries === undefined) return { run: run.run, first: block, last: block };
      const stored = findInBlock(entries, joined, high, low);
      if (stored !== undefined) return stored;
    }
    return undefined;
  }

  function begin(of: { newest: number; bytes: number; keys: number; oldest: boolean }): Merging {
    const { newest, oldest } = of;
    const bits = bitsFor(of, blockBytes);
    const index = createRunIndex(bits, of.keys);
    return { run: nextRun++, newest, bits, oldest, index, runs: [], memtable: null, groups: 0, bytes: 0 };
  }
  function goOn({ inputs, ...building }: NonNullable<StoreSnapshot['building']>): Merging {
    const merged = runs.filter(({ run }) => inputs.includes(run));
    return { ...building, runs: merged, memtable: null, oldest: merged.at(-1) === runs.at(-1) };
  }
  function freeze(): Merging {
    const [newest, bytes, keys] = [memtable.newest(), memtable.bytes(), memtable.keys()];
    // A merge under way ends beneath what is frozen now.
    const made = { ...begin({ newest, bytes, keys, oldest: runs.length === 0 }), memtable };
    memtable = createMemtable();
    return made;
  }
  function beginMerge(): Merging | null {
    const inputs = runs.slice(0, chooseMerge(runs, memtableLimit()));
    if (inputs.length === 0) return null;
    const sum = (of: (run: SortedRun) => number) => inputs.reduce((total, run) => total + of(run), 0);
    const oldest = inputs.length === runs.length;
    const size = { bytes: sum(({ bytes }) => bytes), keys: sum(({ keys }) => keys) };
    return { ...begin({ newest: inputs[0]!.newest, ...size, oldest }), runs: inputs };
  }

  function nextGroup(job: Merging, nowMs: number): StoreWork {
    const firstBlock = job.index.blocks();
    const blocks = Math.min(blocksPerGroup, 2 ** job.bits - firstBlock);
    const { from, to } = highsOf(firstBlock, blocks, job.bits);
    const reads = job.runs.map(({ run, bits }) => ({ run, first: blockOf(from, bits), last: blockOf(to, bits) }));
    const merge = (given: readonly StoredBlock[]): BlockGroupRow => {
      checkAllGiven(reads, given);
      function* refs(): Generator<EntryRef> {
        if (job.memtable !== null) yield* job.memtable.between(from, to);
        for (const { run, entries } of given) {
          yield* entriesIn(
            decompress(entries),
            job.runs.findIndex((input) => input.run === run),
          );
        }
      }
      const { run, newest, bits, oldest, groups: group } = job;
      const inputs = job.runs.map((input) => input.run);
      const made = mergeIntoGroup(refs(), { firstBlock, blocks, bits, oldest, nowMs });
      const total = { keys: job.index.keys() + made.fingerprints.length, bytes: job.bytes + made.bytes };
      const isLast = firstBlock + blocks === 2 ** bits;
      const instead = { runs: inputs, flushes: job.memtable === null ? 0 : newest };
      return { ...made, run, newest, bits, inputs, group, firstBlock, total, instead: isLast ? instead : null };
    };
    return { kind: 'merge', reads, merge };
  }

  /**
   * Looks many keys up. `rows`: of those that are there. While `wanted` names blocks, `give` them; then `rows` and
   * `wanted` are new.
   */
  function look(keys: readonly StateKey[]) {
    const rows: StateRow[] = [];
    const given = new Map<string, Buffer>();
    let open: Pending[] = [];
    const settle = (key: StateKey, stored: Stored | undefined) => {
      if (stored === undefined || stored.json === null) return;
      rows.push(rowOf(key, stored.json, stored.expiresMs));
    };
    for (const key of keys) {
      const joined = joinedKey(key);
      hashKey(joined, hash);
      const [high, low] = [hash[0]!, hash[1]!];
      const stored = memtable.find(joined, high, low) ?? frozen?.memtable?.find(joined, high, low);
      if (stored === undefined) open.push({ key, joined, high, low, nextRun: 0 });
      else settle(key, stored);
    }
    function want(): BlockRange[] {
      const ranges = new Map<string, BlockRange>();
      open = open.filter((pending) => {
        const found = lookAt(pending, given);
        if (found !== undefined && 'run' in found) {
          ranges.set(nameOf(found.run, found.first), found);
          return true;
        }
        settle(pending.key, found);
        return false;
      });
      return [...ranges.values()];
    }
    const search = {
      rows,
      wanted: want(),
      give(blocks: readonly StoredBlock[]): void {
        checkAllGiven(search.wanted, blocks);
        for (const { run, block, entries } of blocks) {
          const bytes = decompress(entries);
          given.set(nameOf(run, block), bytes);
          cache.set(nameOf(run, block), bytes);
        }
        search.wanted = want();
      },
    };
    return search;
  }

  return {
    /** What stands under a key, null when nothing does; undefined where a block must be read to know. */
    peek(key: StateKey): StateRow | null | undefined {
      const joined = joinedKey(key);
      hashKey(joined, hash);
      const [high, low] = [hash[0]!, hash[1]!];
      const stored =
        memtable.find(joined, high, low) ??
        frozen?.memtable?.find(joined, high, low) ??
        lookAt({ key, joined, high, low, nextRun: 0 }, noBlocks);
      if (stored === undefined) return null;
      if ('run' in stored) return undefined;
      return stored.json === null ? null : rowOf(key, stored.json, stored.expiresMs);
    },
    look,

    /** The flush to write with a batch; null when it changes nothing. */
    pack(changes: readonly StateChange[]): (Flush & { changed: Buffer }) | null {
      if (changes.length === 0) return null;
      const changed = packEntries(changes);
      // Who keeps state for himself alone has no use for what is compressed.
      return {
        flush: nextFlush,
        changed,
        get entries() {
          return compress(changed);
        },
      };
    },
    /** The flush is in Postgres. */
    commit({ flush, changed }: { flush: number; changed: Buffer }): void {
      memtable.add(flush, changed);
      nextFlush = flush + 1;
      owedBytes += changed.length * mergedPerChanged;
    },

    /**
     * What to do next so that merging keeps pace with what changes, a little at a time; undefined when it does.
     * `idle`: there is time for more. `nowMs`: the log's time that is committed.
     */
    work(nowMs: number, idle: boolean): StoreWork | undefined {
      const isFull = memtable.bytes() >= memtableLimit();
      if (!idle && owedBytes <= 0 && !(isFull && frozen !== null)) return undefined;
      if (frozen === null && isFull) frozen = freeze();
      merging ??= beginMerge();
      const job = frozen ?? merging;
      if (job !== null) return nextGroup(job, nowMs);
      owedBytes = 0;
      const run = dropped[0];
      if (run === undefined) return undefined;
      const last = Math.min(run.next + blocksDroppedAtOnce, run.blocks) - 1;
      return { kind: 'drop', dropping: { run: run.run, first: run.next, last, isLast: last === run.blocks - 1 } };
    },
    /** What `merge` answered is in Postgres. */
    wrote(row: BlockGroupRow): void {
      const job = (frozen?.run === row.run ? frozen : merging)!;
      // A group of little costs its round trips nevertheless.
      owedBytes -= Math.max(row.bytes, (blockBytes * blocksPerGroup) / 4);
      job.bytes += row.bytes;
      job.groups += 1;
      job.index.add(row);
      if (row.instead === null) return;
      const { run, newest, bits, bytes } = job;
      const made: SortedRun = { run, newest, bits, bytes, keys: job.index.keys(), ...job.index.done() };
      const gone = row.instead.runs;
      for (const input of runs.filter((other) => gone.includes(other.run))) {
        dropped.push({ run: input.run, next: 0, blocks: 2 ** input.bits });
      }
      runs = [...runs.filter((other) => !gone.includes(other.run)), made].sort((a, b) => b.newest - a.newest);
      if (job === frozen) frozen = null;
      else merging = null;
    },
    deleted({ last, isLast }: Dropping): void {
      if (isLast) dropped.shift();
      else dropped[0]!.next = last + 1;
    },
    /** For logs and tests. */
    size: () => ({ memtableKeys: memtable.keys(), runs: runs.map(({ keys, bytes }) => ({ keys, bytes })) }),
  };
}

/** Written out: whoever asks may name the key by more than its names. */
const rowOf = ({ workspace, rule, key, joined }: StateKey, json: string, expiresMs: number): StateRow =>
  joined === undefined
    ? { workspace, rule, key, value: JSON.parse(json), expiresMs }
    : { workspace, rule, key, joined, value: JSON.parse(json), expiresMs };

/** Without this, a block that went missing would be looked for without end, or merged away. */
function checkAllGiven(ranges: readonly BlockRange[], given: readonly StoredBlock[]): void {
  const wanted = ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  if (given.length === wanted) return;
  throw new Error(
    `of ${wanted} blocks of keyed state, state_pages holds ${given.length}: restore the database, since somebody else deleted them`,
  );
}
