import { blockOf, fingerprintOf } from './merge-blocks.ts';

/** What is held in memory of a run: its fingerprints, block after block, and where those of each block begin. */
export type SortedRun = {
  run: number;
  /** The newest flush that went into it: it orders runs. */
  newest: number;
  bits: number;
  keys: number;
  /** Of its entries, before compression. */
  bytes: number;
  starts: Uint32Array;
  fingerprints: Uint16Array;
};

export type RunIndex = ReturnType<typeof createRunIndex>;

/** Puts a run of at most `maxKeys` keys together from its groups, in order. */
export function createRunIndex(bits: number, maxKeys: number) {
  const starts = new Uint32Array(2 ** bits + 1);
  const fingerprints = new Uint16Array(maxKeys);
  let blocks = 0;
  return {
    add(group: { counts: Uint32Array; fingerprints: Uint16Array }): void {
      fingerprints.set(group.fingerprints, starts[blocks]);
      for (const count of group.counts) {
        starts[blocks + 1] = starts[blocks]! + count;
        blocks += 1;
      }
    },
    blocks: () => blocks,
    keys: () => starts[blocks]!,
    /** Once every block is there. */
    done: () => ({
      starts,
      fingerprints: starts[blocks] === maxKeys ? fingerprints : fingerprints.slice(0, starts[blocks]),
    }),
  };
}

/** The block of the run that may hold a key, or -1. It holds it, but for one time in some hundreds. */
export function blockThatMayHold(run: SortedRun, high: number, low: number): number {
  const block = blockOf(high, run.bits);
  const from = run.starts[block]!;
  const to = run.starts[block + 1]!;
  const fingerprint = fingerprintOf(high, low, run.bits);
  // Fingerprints rise and are spread evenly, so this one stands near where its size says.
  let at = from + (((to - from) * fingerprint) >>> 16);
  while (at > from && run.fingerprints[at - 1]! >= fingerprint) at -= 1;
  while (at < to && run.fingerprints[at]! < fingerprint) at += 1;
  return at < to && run.fingerprints[at] === fingerprint ? block : -1;
}
