/** The wall clock, for all code but the rules. Tests pass one that they move by hand. */
export type Clock = {
  /** Milliseconds since the epoch. */
  nowMs: () => number;
  /** Resolves after `ms`, or at once when `signal` is aborted. Never rejects. */
  pause: (ms: number, signal?: AbortSignal) => Promise<void>;
};

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  pause: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const timer = setTimeout(done, ms);
      function done() {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      }
      signal?.addEventListener('abort', done);
    }),
};
