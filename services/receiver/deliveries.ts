import { createRecent } from '@tripline/runtime/recent';

/**
 * Remembers which deliveries were kept, so that a redelivery is answered without being appended again. This only spares
 * the log: the detector drops duplicates itself, over 72 hours.
 *
 * While a delivery is being appended, others with its id wait for the result; when it fails, the next of them tries.
 * The last `limit` names are remembered, and up to as many from before them.
 */
export function createDeliveries(limit: number) {
  const kept = createRecent(limit);
  const underway = new Map<string, Promise<unknown>>();

  return {
    /** Runs `keep` unless a delivery of this name was kept before. Answers false for a duplicate. Throws what `keep` throws. */
    async once(name: string, keep: () => Promise<unknown>): Promise<boolean> {
      for (;;) {
        if (kept.has(name)) return false;
        const twin = underway.get(name);
        if (twin === undefined) break;
        await twin.catch(() => {});
      }
      const keeping = keep();
      underway.set(name, keeping);
      try {
        await keeping;
        kept.add(name);
        return true;
      } finally {
        underway.delete(name);
      }
    },
  };
}
