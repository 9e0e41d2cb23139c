import type { RateLimit } from '@tripline/integrations/channel';
import type { Clock } from '@tripline/runtime/clock';

/**
 * How often one process may call one service. It never blocks: a call that is not admitted gets the time after which to
 * ask again.
 */
export type RateLimiter = {
  /** 0: call now; it counts. Otherwise ms until a call may be admitted. `reserve`: so much of the burst is left to more urgent calls. */
  admit: (options?: { reserve?: number }) => number;
  /** What `admit` would answer, without counting a call. */
  availableInMs: () => number;
  /**
   * Admits no call for this long: the service asked for it, or does not answer. After that one call is admitted, and
   * others at their intervals: a burst would be that many calls waiting for a service that may still be down.
   */
  block: (forMs: number) => void;
};

export function createRateLimiter(clock: Clock, { intervalMs, burst }: RateLimit): RateLimiter {
  /** Theoretical arrival time of the next call (GCRA), ms. */
  let nextMs = 0;
  let blockedUntilMs = 0;

  function availableInMs(reserve = 0): number {
    return Math.max(0, Math.max(blockedUntilMs, nextMs - (burst - 1 - reserve) * intervalMs) - clock.nowMs());
  }

  return {
    admit({ reserve = 0 } = {}) {
      const waitMs = availableInMs(reserve);
      if (waitMs === 0) nextMs = Math.max(clock.nowMs(), nextMs) + intervalMs;
      return waitMs;
    },
    availableInMs: () => availableInMs(),
    block(forMs) {
      if (forMs <= 0) return;
      blockedUntilMs = Math.max(blockedUntilMs, clock.nowMs() + forMs);
      nextMs = Math.max(nextMs, blockedUntilMs + (burst - 1) * intervalMs);
    },
  };
}
