import type { Clock } from '@tripline/runtime/clock';

/** How often one process may call one service. Nobody waits here: who must come back is told when. */
export type Pace = {
  /**
   * 0: go ahead now. Otherwise ms after which to ask again. `first`: before all others that wait. `keep`: so much of the
   * burst is left to what is more urgent, and who keeps more waits behind who keeps less.
   */
  admit: (who: string, options?: { first?: boolean; keep?: number }) => number;
  /** Nobody may go for so long: the service asked for it. */
  hold: (forMs: number) => void;
};

/** Places in the queue beyond this one are alike: what waits behind them may be folded, and never come. */
const longestQueue = 20;

/** Every `intervalMs` one call; `burst` that were not made may follow at once. */
export function createPace(clock: Clock, { intervalMs, burst }: { intervalMs: number; burst: number }): Pace {
  /** When the next call would be, had every one before it been made at its time. */
  let nextMs = 0;
  let heldUntilMs = 0;
  /** Who waits, and when they were told to ask again. A place binds nobody: it only keeps them from asking all at once. */
  const waiting = new Map<string, { againMs: number; keep: number }>();

  return {
    admit(who, { first = false, keep = 0 } = {}) {
      const nowMs = clock.nowMs();
      const freeMs = Math.max(heldUntilMs, nextMs - (burst - 1 - keep) * intervalMs);
      if (nowMs >= freeMs) {
        nextMs = Math.max(nowMs, nextMs) + intervalMs;
        waiting.delete(who);
        return 0;
      }
      for (const [other, { againMs }] of waiting) if (againMs < nowMs) waiting.delete(other);
      waiting.delete(who);
      const before = [...waiting.values()].filter((other) => other.keep <= keep).length;
      const place = first ? 0 : Math.min(before, longestQueue);
      const againMs = freeMs + place * intervalMs;
      waiting.set(who, { againMs, keep });
      return againMs - nowMs;
    },
    hold(forMs) {
      heldUntilMs = Math.max(heldUntilMs, clock.nowMs() + forMs);
    },
  };
}
