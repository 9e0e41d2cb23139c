import { compress, copyTombstone, entryEnd, expiresAt, highAt, isSameKey, isTombstone, lowAt } from './entries.ts';

/** An entry where it lies. `age`: 0 is the newest of what is merged. */
export type EntryRef = { bytes: Buffer; at: number; high: number; low: number; age: number };

/** Keys of a block on average, at most: of a new key, a block is asked for in vain once in 65,536 / keys. */
const blockKeys = 256;

/**
 * A run has 2 ** bits blocks, and a key's block is told by the first bits of its hash. On average over its run a block holds
 * `blockBytes` at most.
 */
export function bitsFor(size: { bytes: number; keys: number }, blockBytes: number): number {
  const blocks = Math.max(size.bytes / blockBytes, size.keys / blockKeys);
  return Math.max(0, Math.ceil(Math.log2(blocks)));
}
export const blockOf = (high: number, bits: number): number => (bits === 0 ? 0 : high >>> (32 - bits));
/** The first and last `high` of a row of blocks. */
export function highsOf(firstBlock: number, blocks: number, bits: number): { from: number; to: number } {
  const each = 2 ** (32 - bits);
  return { from: firstBlock * each, to: (firstBlock + blocks) * each - 1 };
}
/** The 16 bits of a hash after those that name the block: they rise within a block, which is in order of hash. */
export function fingerprintOf(high: number, low: number, bits: number): number {
  return bits === 0 ? high >>> 16 : ((high << bits) | (low >>> (32 - bits))) >>> 16;
}

/** Blocks as they are written, with what is held in memory of them: how many keys each has, and their fingerprints. */
export type BlockGroup = { blocks: Buffer[]; counts: Uint32Array; fingerprints: Uint16Array; bytes: number };

/** Every entry of some, where it lies. */
export function* entriesIn(bytes: Buffer, age: number): Generator<EntryRef> {
  for (let at = 0; at < bytes.length; at = entryEnd(bytes, at)) {
    yield { bytes, at, high: highAt(bytes, at), low: lowAt(bytes, at), age };
  }
}

const byHash = (a: EntryRef, b: EntryRef) => a.high - b.high || a.low - b.low || a.age - b.age;

/**
 * Merges entries into a row of blocks, of each key the newest. `oldest`: nothing older lies beneath, so what is gone and
 * what expired by `nowMs` goes for good; otherwise it goes on hiding what is older.
 */
export function mergeIntoGroup(
  refs: Iterable<EntryRef>,
  of: { firstBlock: number; blocks: number; bits: number; oldest: boolean; nowMs: number },
): BlockGroup {
  const { bits } = of;
  const byBlock = Array.from({ length: of.blocks }, (): EntryRef[] => []);
  for (const ref of refs) byBlock[blockOf(ref.high, bits) - of.firstBlock]?.push(ref);
  const fingerprints: number[] = [];
  let bytes = 0;
  const counts = new Uint32Array(of.blocks);
  const blocks = byBlock.map((entries, block) => {
    const kept = newestOf(entries.sort(byHash)).filter((ref) => !of.oldest || lasts(ref, of.nowMs));
    counts[block] = kept.length;
    for (const { high, low } of kept) fingerprints.push(fingerprintOf(high, low, bits));
    const raw = blockFrom(kept, of.nowMs);
    bytes += raw.length;
    return compress(raw);
  });
  return { blocks, counts, fingerprints: Uint16Array.from(fingerprints), bytes };
}

const lasts = ({ bytes, at }: EntryRef, nowMs: number) => !isTombstone(bytes, at) && expiresAt(bytes, at) > nowMs;

/** Of entries in order of hash and age, those that no newer one of the same key hides. */
function newestOf(sorted: readonly EntryRef[]): EntryRef[] {
  const kept: EntryRef[] = [];
  for (const ref of sorted) {
    let hidden = false;
    for (let back = kept.length - 1; back >= 0 && !hidden; back -= 1) {
      const newer = kept[back]!;
      if (newer.high !== ref.high || newer.low !== ref.low) break;
      hidden = isSameKey(newer.bytes, newer.at, ref.bytes, ref.at);
    }
    if (!hidden) kept.push(ref);
  }
  return kept;
}

function blockFrom(kept: readonly EntryRef[], nowMs: number): Buffer {
  let room = 0;
  for (const { bytes, at } of kept) room += entryEnd(bytes, at) - at;
  const block = Buffer.allocUnsafe(room);
  let to = 0;
  for (const ref of kept) {
    const { bytes, at } = ref;
    if (lasts(ref, nowMs)) to += bytes.copy(block, to, at, entryEnd(bytes, at));
    else to = copyTombstone(bytes, at, block, to);
  }
  return block.subarray(0, to);
}

/** How many runs of like size there may be before they become one. */
const likeRuns = 6;

/**
 * How many of the newest runs to merge into one, 0 for none. `runs`: the newest first; `unitBytes`: the size of the
 * smallest. All of them once the newer ones together are as large as the oldest, so that at most half of what is kept
 * is overwritten or expired; else, once there are `likeRuns` of like size, those and all that is newer. Either way a
 * key is written over few times: twice for the oldest run, once for each size below it.
 */
export function chooseMerge(runs: readonly { bytes: number }[], unitBytes: number): number {
  if (runs.length < 2) return 0;
  const newer = runs.slice(0, -1).reduce((sum, { bytes }) => sum + bytes, 0);
  if (newer >= runs.at(-1)!.bytes) return runs.length;
  const sizes = runs.map(({ bytes }) => Math.max(0, Math.floor(Math.log(bytes / unitBytes) / Math.log(likeRuns))));
  for (const size of new Set(sizes)) {
    const older = sizes.findIndex((other) => other > size);
    const count = older < 0 ? runs.length : older;
    if (sizes.slice(0, count).filter((other) => other === size).length >= likeRuns) return count;
  }
  return 0;
}
