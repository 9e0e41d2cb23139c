import type { Clock } from '@tripline/runtime/clock';

/** How often one process may call one service. Nobody waits here: who must come back is told when, and is expected then. */
export type Pace = {
  /** 0: go ahead now. Otherwise ms until the turn that is kept for `who`. */
  admit: (who: string) => number;
  /** Nobody may go for so long: the service asked for it. */
  hold: (forMs: number) => void;
};

/** A turn that nobody came for is forgotten after this. */
const missedMs = 60_000;

/** Every `intervalMs` one turn; `burst` turns that were not used may follow at once. */
export function createPace(clock: Clock, { intervalMs, burst }: { intervalMs: number; burst: number }): Pace {
  /** When the next turn would be, had every one before it been taken at its time. */
  let nextMs = 0;
  let heldUntilMs = 0;
  const turns = new Map<string, number>();

  return {
    admit(who) {
      const nowMs = clock.nowMs();
      if (nowMs < heldUntilMs) {
        // Kept turns lie within the hold: they are given anew behind it.
        turns.delete(who);
        return heldUntilMs - nowMs + reserve(who, heldUntilMs);
      }
      const kept = turns.get(who);
      if (kept !== undefined) {
        if (kept > nowMs) return kept - nowMs;
        turns.delete(who);
        return 0;
      }
      const waitMs = reserve(who, nowMs);
      if (waitMs === 0) turns.delete(who);
      return waitMs;
    },
    hold(forMs) {
      heldUntilMs = Math.max(heldUntilMs, clock.nowMs() + forMs);
      nextMs = Math.max(nextMs, heldUntilMs);
      turns.clear();
    },
  };

  /** Takes the next turn for `who` and answers how long after `fromMs` it is. */
  function reserve(who: string, fromMs: number): number {
    for (const [other, turnMs] of turns) if (turnMs < fromMs - missedMs) turns.delete(other);
    const turnMs = Math.max(fromMs, nextMs - (burst - 1) * intervalMs);
    nextMs = Math.max(fromMs, nextMs) + intervalMs;
    turns.set(who, turnMs);
    return turnMs - fromMs;
  }
}
