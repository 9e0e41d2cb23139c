import { compress, decompress, findInPage, packEntries, type Stored } from './entries.ts';
import { hashKey } from './key-hash.ts';
import { joinedKey, type StateKey } from './keys.ts';
import {
  bitsFor,
  chooseMerge,
  type EntryRef,
  entriesIn,
  highsOf,
  mergeStretch,
  pageOf,
  type Stretch,
} from './merge-pages.ts';
import { createRecent } from './recent.ts';
import { createRecentChanges, type RecentChanges } from './recent-changes.ts';
import type { StateChange, StateRow } from './state.ts';
import { createRunIndex, pageThatMayHold, type RunIndex, type StoredRun } from './stored-run.ts';

/** Consecutive pages of a run, both ends included. */
export type PageRange = { run: number; first: number; last: number };
/** A page as it lies in Postgres. */
export type StoredPage = { run: number; page: number; entries: Uint8Array };
/** What a batch changed, compressed, under its number. */
export type Segment = { segment: number; entries: Uint8Array };

/** What is read when the partition is taken. */
export type StoreSnapshot = {
  /** Those that are not merged, the oldest first. */
  segments: readonly Segment[];
  /** Those that stand, in any order. */
  runs: readonly StoredRun[];
  /** What a merge of runs that stand was made of them so far, by an owner before. */
  building: (Pick<StoredRun, 'run' | 'newest' | 'bits' | 'bytes'> & BuildingRun) | null;
  /** Those that do not, whose pages must go. */
  dropped: readonly { run: number; bits: number }[];
};

/** `inputs`: runs that are merged into it. */
export type BuildingRun = { inputs: readonly number[]; index: RunIndex; stretches: number };

/** A row of pages to write, in one transaction with what it says of its run. */
export type StretchRow = Stretch & {
  run: number;
  newest: number;
  bits: number;
  /** Place of the stretch in its run. */
  stretch: number;
  firstPage: number;
  /** Runs that are merged into it; none while segments are. */
  inputs: number[];
  /** Of the run so far. */
  total: { keys: number; bytes: number };
  /** With its last stretch the run stands, and what went into it goes: runs, and segments up to a number. */
  instead: { runs: number[]; segments: number } | null;
};
/** Pages to delete; `last` when none are left, and the run itself goes. */
export type Dropping = PageRange & { isLast: boolean };

/** Work to do between batches: read `reads`, hand them to `merge`, write what it answers, and say `wrote`; or delete, and say `deleted`. */
export type StoreWork =
  | { kind: 'merge'; reads: PageRange[]; merge: (pages: readonly StoredPage[]) => StretchRow }
  | { kind: 'drop'; dropping: Dropping };

type Merging = {
  run: number;
  newest: number;
  bits: number;
  oldest: boolean;
  runs: readonly StoredRun[];
  recent: RecentChanges | null;
  index: RunIndex;
  stretches: number;
  bytes: number;
};
type Pending = { key: StateKey; joined: string; high: number; low: number; nextRun: number };

const megabyte = 2 ** 20;
/** However many share, a run is made of so much at least, or there would be too many. */
const leastRecentBytes = 4 * megabyte;
/** For each byte that batches change, so many are merged: more than a byte is written over on its way to the oldest run. */
const mergedPerChanged = 8;
const pagesDroppedAtOnce = 256;

export type StoreOptions = {
  /** What may lie in segments before it is made a run, in bytes before compression; 32 MiB unless told otherwise. */
  recentBytes?: number;
  /** Pages held in memory, in bytes; 32 MiB unless told otherwise. */
  cachedPageBytes?: number;
  /** How many partitions share these sizes at this moment; one unless told otherwise. */
  sharedBy?: () => number;
  /** What a page holds, in bytes before compression; 48 KiB unless told otherwise. */
  pageBytes?: number;
  /** Pages merged at once, a power of two: 32 unless told otherwise, so that it takes some milliseconds. */
  pagesPerStretch?: number;
};

export type StateStore = ReturnType<typeof createStateStore>;

/**
 * Keyed state of one partition as a log-structured store: segments, one a batch, of which the newest change of each
 * key is held in memory; and runs, older, sorted by hash and cut into pages, of which two bytes a key are held. So a
 * change costs its part of one row, a key that is new costs no query, and any other one page. Pure: it says which
 * pages it wants, and what is to be written.
 */
export function createStateStore(snapshot: StoreSnapshot, options: StoreOptions = {}) {
  const { recentBytes = 32 * megabyte, sharedBy = () => 1 } = options;
  const mayBeRecent = () => Math.max(recentBytes / sharedBy(), Math.min(recentBytes, leastRecentBytes));
  const pageBytes = options.pageBytes ?? 48 * 1024;
  const pagesPerStretch = options.pagesPerStretch ?? 32;
  const weigh = ({ length }: Buffer) => length + 100;
  const cache = createRecent<Buffer>(options.cachedPageBytes ?? 32 * megabyte, { weigh, sharedBy });
  /** What goes into the next segments, and what is being made a run. */
  let recent = createRecentChanges();
  let frozen: Merging | null = null;
  /** The newest first. */
  let runs: StoredRun[] = [...snapshot.runs].sort((a, b) => b.newest - a.newest);
  let merging: Merging | null = snapshot.building && goOn(snapshot.building);
  const dropped = snapshot.dropped.map(({ run, bits }) => ({ run, next: 0, pages: 2 ** bits }));
  for (const { segment, entries } of snapshot.segments) recent.add(segment, decompress(entries));
  let nextSegment = Math.max(recent.newest(), runs[0]?.newest ?? 0) + 1;
  let nextRun = Math.max(0, merging?.run ?? 0, ...[...runs, ...dropped].map(({ run }) => run)) + 1;
  let owedBytes = 0;
  const hash = new Uint32Array(2);

  const nameOf = (run: number, page: number) => `${run}/${page}`;

  /** What stands under a key, or the page that must be looked at first. */
  function lookAt(pending: Pending, given: Map<string, Buffer>): Stored | PageRange | undefined {
    const { joined, high, low } = pending;
    for (; pending.nextRun < runs.length; pending.nextRun += 1) {
      const run = runs[pending.nextRun]!;
      const page = pageThatMayHold(run, high, low);
      if (page < 0) continue;
      const name = nameOf(run.run, page);
      const entries = given.get(name) ?? cache.get(name);
      if (entries === undefined) return { run: run.run, first: page, last: page };
      const stored = findInPage(entries, joined, high, low);
      if (stored !== undefined) return stored;
    }
    return undefined;
  }

  function begin(of: { newest: number; bytes: number; keys: number; oldest: boolean }): Merging {
    const { newest, oldest } = of;
    const bits = bitsFor(of, pageBytes);
    const index = createRunIndex(bits, of.keys);
    return { run: nextRun++, newest, bits, oldest, index, runs: [], recent: null, stretches: 0, bytes: 0 };
  }
  function goOn({ inputs, ...building }: NonNullable<StoreSnapshot['building']>): Merging {
    const merged = runs.filter(({ run }) => inputs.includes(run));
    return { ...building, runs: merged, recent: null, oldest: merged.at(-1) === runs.at(-1) };
  }
  function freeze(): Merging {
    const [newest, bytes, keys] = [recent.newest(), recent.bytes(), recent.keys()];
    // A merge under way ends beneath what is frozen now.
    const made = { ...begin({ newest, bytes, keys, oldest: runs.length === 0 }), recent };
    recent = createRecentChanges();
    return made;
  }
  function beginMerge(): Merging | null {
    const inputs = runs.slice(0, chooseMerge(runs, mayBeRecent()));
    if (inputs.length === 0) return null;
    const sum = (of: (run: StoredRun) => number) => inputs.reduce((total, run) => total + of(run), 0);
    const oldest = inputs.length === runs.length;
    const size = { bytes: sum(({ bytes }) => bytes), keys: sum(({ keys }) => keys) };
    return { ...begin({ newest: inputs[0]!.newest, ...size, oldest }), runs: inputs };
  }

  function nextStretch(job: Merging, nowMs: number): StoreWork {
    const firstPage = job.index.pages();
    const pages = Math.min(pagesPerStretch, 2 ** job.bits - firstPage);
    const { from, to } = highsOf(firstPage, pages, job.bits);
    const reads = job.runs.map(({ run, bits }) => ({ run, first: pageOf(from, bits), last: pageOf(to, bits) }));
    const merge = (given: readonly StoredPage[]): StretchRow => {
      checkAllGiven(reads, given);
      function* refs(): Generator<EntryRef> {
        if (job.recent !== null) yield* job.recent.between(from, to);
        for (const { run, entries } of given) {
          yield* entriesIn(
            decompress(entries),
            job.runs.findIndex((input) => input.run === run),
          );
        }
      }
      const { run, newest, bits, oldest, stretches: stretch } = job;
      const inputs = job.runs.map((input) => input.run);
      const made = mergeStretch(refs(), { firstPage, pages, bits, oldest, nowMs });
      const total = { keys: job.index.keys() + made.prints.length, bytes: job.bytes + made.bytes };
      const isLast = firstPage + pages === 2 ** bits;
      const instead = { runs: inputs, segments: job.recent === null ? 0 : newest };
      return { ...made, run, newest, bits, inputs, stretch, firstPage, total, instead: isLast ? instead : null };
    };
    return { kind: 'merge', reads, merge };
  }

  return {
    /**
     * Looks many keys up. `rows`: of those that are there. While `wanted` names pages, `give` them; then `rows` and
     * `wanted` are new.
     */
    look(keys: readonly StateKey[]) {
      const rows: StateRow[] = [];
      const given = new Map<string, Buffer>();
      let open: Pending[] = [];
      const settle = (key: StateKey, stored: Stored | undefined) => {
        if (stored === undefined || stored.json === null) return;
        rows.push({ ...key, value: JSON.parse(stored.json), expiresMs: stored.expiresMs });
      };
      for (const key of keys) {
        const joined = joinedKey(key);
        hashKey(joined, hash);
        const [high, low] = [hash[0]!, hash[1]!];
        const stored = recent.find(joined, high, low) ?? frozen?.recent?.find(joined, high, low);
        if (stored === undefined) open.push({ key, joined, high, low, nextRun: 0 });
        else settle(key, stored);
      }
      function want(): PageRange[] {
        const ranges = new Map<string, PageRange>();
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
        give(pages: readonly StoredPage[]): void {
          checkAllGiven(search.wanted, pages);
          for (const { run, page, entries } of pages) {
            const bytes = decompress(entries);
            given.set(nameOf(run, page), bytes);
            cache.set(nameOf(run, page), bytes);
          }
          search.wanted = want();
        },
      };
      return search;
    },

    /** The segment to write with a batch; null when it changes nothing. */
    pack(changes: readonly StateChange[]): (Segment & { changed: Buffer }) | null {
      if (changes.length === 0) return null;
      const changed = packEntries(changes);
      return { segment: nextSegment, entries: compress(changed), changed };
    },
    /** The segment is in Postgres. */
    commit({ segment, changed }: { segment: number; changed: Buffer }): void {
      recent.add(segment, changed);
      nextSegment = segment + 1;
      owedBytes += changed.length * mergedPerChanged;
    },

    /**
     * What to do next so that merging keeps pace with what changes, a little at a time; undefined when it does.
     * `idle`: there is time for more. `nowMs`: the log's time that is committed.
     */
    work(nowMs: number, idle: boolean): StoreWork | undefined {
      const isFull = recent.bytes() >= mayBeRecent();
      if (!idle && owedBytes <= 0 && !(isFull && frozen !== null)) return undefined;
      if (frozen === null && isFull) frozen = freeze();
      merging ??= beginMerge();
      const job = frozen ?? merging;
      if (job !== null) return nextStretch(job, nowMs);
      owedBytes = 0;
      const run = dropped[0];
      if (run === undefined) return undefined;
      const last = Math.min(run.next + pagesDroppedAtOnce, run.pages) - 1;
      return { kind: 'drop', dropping: { run: run.run, first: run.next, last, isLast: last === run.pages - 1 } };
    },
    /** What `merge` answered is in Postgres. */
    wrote(row: StretchRow): void {
      const job = (frozen?.run === row.run ? frozen : merging)!;
      // A stretch of little costs its round trips nevertheless.
      owedBytes -= Math.max(row.bytes, (pageBytes * pagesPerStretch) / 4);
      job.bytes += row.bytes;
      job.stretches += 1;
      job.index.add(row);
      if (row.instead === null) return;
      const { run, newest, bits, bytes } = job;
      const made: StoredRun = { run, newest, bits, bytes, keys: job.index.keys(), ...job.index.done() };
      const gone = row.instead.runs;
      for (const input of runs.filter((other) => gone.includes(other.run))) {
        dropped.push({ run: input.run, next: 0, pages: 2 ** input.bits });
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
    size: () => ({ recentKeys: recent.keys(), runs: runs.map(({ keys, bytes }) => ({ keys, bytes })) }),
  };
}

/** Without this, a page that went missing would be looked for without end, or merged away. */
function checkAllGiven(ranges: readonly PageRange[], given: readonly StoredPage[]): void {
  const wanted = ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  if (given.length === wanted) return;
  throw new Error(
    `of ${wanted} pages of keyed state, state_pages holds ${given.length}: restore the database, since somebody else deleted them`,
  );
}
