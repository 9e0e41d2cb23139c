/**
 * Remembers what was kept, by several names (delivery id, hash of the body), so that a redelivery is answered without
 * being appended again. A courtesy to the log: the detector judges duplicates by itself, over 72 hours.
 *
 * While a delivery is on its way, its twins wait for its fate; when it fails, the next of them tries.
 */
export function createDeliveries(limit: number) {
  const kept = new Map<string, true>();
  const underway = new Map<string, Promise<void>>();

  function remember(name: string): void {
    kept.delete(name);
    kept.set(name, true);
    if (kept.size > limit) kept.delete(kept.keys().next().value!);
  }

  return {
    /** Runs `keep` unless something under one of these names was kept before. Answers false for a duplicate. Throws what `keep` throws. */
    async once(names: readonly string[], keep: () => Promise<void>): Promise<boolean> {
      for (;;) {
        if (names.some((name) => kept.has(name))) return false;
        const twin = names.map((name) => underway.get(name)).find((other) => other !== undefined);
        if (twin === undefined) break;
        await twin;
      }
      let settle: () => void = () => {};
      const fate = new Promise<void>((resolve) => {
        settle = resolve;
      });
      for (const name of names) underway.set(name, fate);
      try {
        await keep();
        for (const name of names) remember(name);
        return true;
      } finally {
        for (const name of names) underway.delete(name);
        settle();
      }
    },
  };
}
