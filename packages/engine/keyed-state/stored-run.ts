import { pageOf, printOf } from './merge-pages.ts';

/** What is held in memory of a run: its prints, page after page, and where those of each page begin. */
export type StoredRun = {
  run: number;
  /** The newest segment that went into it: it orders runs. */
  newest: number;
  bits: number;
  keys: number;
  /** Of its entries, before compression. */
  bytes: number;
  starts: Uint32Array;
  prints: Uint16Array;
};

export type RunIndex = ReturnType<typeof createRunIndex>;

/** Puts a run of at most `maxKeys` keys together from its stretches, in order. */
export function createRunIndex(bits: number, maxKeys: number) {
  const starts = new Uint32Array(2 ** bits + 1);
  const prints = new Uint16Array(maxKeys);
  let pages = 0;
  return {
    add(stretch: { counts: Uint32Array; prints: Uint16Array }): void {
      prints.set(stretch.prints, starts[pages]);
      for (const count of stretch.counts) {
        starts[pages + 1] = starts[pages]! + count;
        pages += 1;
      }
    },
    pages: () => pages,
    keys: () => starts[pages]!,
    /** Once every page is there. */
    done: () => ({ starts, prints: starts[pages] === maxKeys ? prints : prints.slice(0, starts[pages]) }),
  };
}

/** The page of the run that may hold a key, or -1. It holds it, but for one time in some hundreds. */
export function pageThatMayHold(run: StoredRun, high: number, low: number): number {
  const page = pageOf(high, run.bits);
  const from = run.starts[page]!;
  const to = run.starts[page + 1]!;
  const print = printOf(high, low, run.bits);
  // Prints rise and are spread evenly, so this one stands near where its size says.
  let at = from + (((to - from) * print) >>> 16);
  while (at > from && run.prints[at - 1]! >= print) at -= 1;
  while (at < to && run.prints[at]! < print) at += 1;
  return at < to && run.prints[at] === print ? page : -1;
}
