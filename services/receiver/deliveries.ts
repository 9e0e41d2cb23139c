/**
 * Remembers which deliveries were kept, so that a redelivery is answered without being appended again. This only spares
 * the log: the detector drops duplicates itself, over 72 hours.
 *
 * While a delivery is being appended, others with its id wait for the result; when it fails, the next of them tries.
 * The last `limit` names are remembered, and up to as many from before them.
 */
export function createDeliveries(limit: number) {
  // Two generations: forgetting one name at a time would search the map's removed entries for its oldest.
  let recent = new Set<string>();
  let former = new Set<string>();
  const underway = new Map<string, Promise<unknown>>();

  const isKept = (name: string) => recent.has(name) || former.has(name);

  function remember(name: string): void {
    recent.add(name);
    if (recent.size < limit) return;
    former = recent;
    recent = new Set();
  }

  return {
    /** Runs `keep` unless a delivery of this name was kept before. Answers false for a duplicate. Throws what `keep` throws. */
    async once(name: string, keep: () => Promise<unknown>): Promise<boolean> {
      for (;;) {
        if (isKept(name)) return false;
        const twin = underway.get(name);
        if (twin === undefined) break;
        await twin.catch(() => {});
      }
      const keeping = keep();
      underway.set(name, keeping);
      try {
        await keeping;
        remember(name);
        return true;
      } finally {
        underway.delete(name);
      }
    },
  };
}
