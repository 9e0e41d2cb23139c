/**
 * Group commit: items that are added while a batch is being sent join the next one. One batch at a time keeps the
 * order; a single item does not wait.
 */
export type Batcher<Item, Result> = {
  /** Adds items that stay together and in order. Resolves with one result an item, once all are kept. */
  add: (items: readonly Item[]) => Promise<Result[]>;
  /** Resolves when nothing is pending any more. */
  idle: () => Promise<void>;
};

type Waiting<Item, Result> = {
  items: readonly Item[];
  results: Result[];
  resolve: (results: Result[]) => void;
  reject: (error: unknown) => void;
};

/** `send` keeps a batch and answers one result an item, or rejects for all of them. */
export function createBatcher<Item, Result>(options: {
  maxItems: number;
  maxBytes: (item: Item) => number;
  sizeOf: (item: Item) => number;
  send: (items: readonly Item[]) => Promise<Result[]>;
}): Batcher<Item, Result> {
  const waiting: Waiting<Item, Result>[] = [];
  let running: Promise<void> | undefined;

  /** Cuts the next batch from the front of the queue. A caller whose items are many gets several batches. */
  function cut(): { items: Item[]; parts: { of: Waiting<Item, Result>; count: number; last: boolean }[] } {
    const items: Item[] = [];
    const parts: { of: Waiting<Item, Result>; count: number; last: boolean }[] = [];
    let bytes = 0;
    while (waiting.length > 0) {
      const of = waiting[0]!;
      let at = of.results.length;
      const from = at;
      for (; at < of.items.length && items.length < options.maxItems; at += 1) {
        const item = of.items[at]!;
        bytes += options.sizeOf(item);
        if (items.length > 0 && bytes > options.maxBytes(item)) break;
        items.push(item);
      }
      const last = at === of.items.length;
      if (at > from) parts.push({ of, count: at - from, last });
      if (!last) break;
      waiting.shift();
    }
    return { items, parts };
  }

  async function run(): Promise<void> {
    while (waiting.length > 0) {
      const { items, parts } = cut();
      try {
        const results = await options.send(items);
        let at = 0;
        for (const { of, count, last } of parts) {
          for (const end = at + count; at < end; at += 1) of.results.push(results[at]!);
          if (last) of.resolve(of.results);
        }
      } catch (error) {
        for (const { of, last } of parts) {
          if (!last) waiting.shift(); // the rest of a caller's items must not follow what is missing
          of.reject(error);
        }
      }
    }
    running = undefined;
  }

  return {
    add: (items) =>
      new Promise((resolve, reject) => {
        if (items.length === 0) return resolve([]);
        waiting.push({ items, results: [], resolve, reject });
        running ??= run();
      }),
    idle: async () => running,
  };
}
