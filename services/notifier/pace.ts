import type { Clock } from '@tripline/runtime/clock';

/** How often one process may call one service. Nobody waits here: who may not go is told when to ask again. */
export type Pace = {
  /** 0: go ahead now. Otherwise ms after which somebody may. `keep`: so much of the burst is left to what is more urgent. */
  admit: (options?: { keep?: number }) => number;
  /** What `admit` would answer, without going. */
  freeInMs: () => number;
  /**
   * Nobody may go for so long: the service asked for it, or does not answer. After that one goes, and others in their
   * intervals: a burst would be as many calls that wait for a service that is still away.
   */
  hold: (forMs: number) => void;
};

/** Every `intervalMs` one call; `burst` that were not made may follow at once. */
export function createPace(clock: Clock, { intervalMs, burst }: { intervalMs: number; burst: number }): Pace {
  /** When the next call would be, had every one before it been made at its time. */
  let nextMs = 0;
  let heldUntilMs = 0;

  function freeInMs(keep = 0): number {
    return Math.max(0, Math.max(heldUntilMs, nextMs - (burst - 1 - keep) * intervalMs) - clock.nowMs());
  }

  return {
    admit({ keep = 0 } = {}) {
      const waitMs = freeInMs(keep);
      if (waitMs === 0) nextMs = Math.max(clock.nowMs(), nextMs) + intervalMs;
      return waitMs;
    },
    freeInMs: () => freeInMs(),
    hold(forMs) {
      if (forMs <= 0) return;
      heldUntilMs = Math.max(heldUntilMs, clock.nowMs() + forMs);
      nextMs = Math.max(nextMs, heldUntilMs + (burst - 1) * intervalMs);
    },
  };
}
