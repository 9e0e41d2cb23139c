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
  let seenMs = 0;

  /** The time, after which what is due lies as far ahead as before: a clock that is put back would stop all calls for as long. */
  function nowMs(): number {
    const atMs = clock.nowMs();
    const backMs = Math.max(0, seenMs - atMs);
    nextMs -= backMs;
    blockedUntilMs -= backMs;
    seenMs = atMs;
    return atMs;
  }

  function availableInMs(reserve = 0): number {
    const atMs = nowMs();
    return Math.max(0, Math.max(blockedUntilMs, nextMs - (burst - 1 - reserve) * intervalMs) - atMs);
  }

  return {
    admit({ reserve = 0 } = {}) {
      const waitMs = availableInMs(reserve);
      if (waitMs === 0) nextMs = Math.max(seenMs, nextMs) + intervalMs;
      return waitMs;
    },
    availableInMs: () => availableInMs(),
    block(forMs) {
      if (forMs <= 0) return;
      const atMs = nowMs();
      blockedUntilMs = Math.max(blockedUntilMs, atMs + forMs);
      nextMs = Math.max(nextMs, blockedUntilMs + (burst - 1) * intervalMs);
    },
  };
}
