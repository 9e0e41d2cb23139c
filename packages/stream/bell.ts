/** A bell that one waiter listens to. Rung while nobody waits, it is heard by the next who does. */
export function createBell() {
  let rung = false;
  let answer: (() => void) | undefined;
  return {
    ring(): void {
      rung = true;
      answer?.();
    },
    /** Resolves true when rung, false after `timeoutMs` or when `signal` is aborted. */
    wait(timeoutMs: number, signal: AbortSignal): Promise<boolean> {
      return new Promise((resolve) => {
        function done() {
          clearTimeout(timer);
          signal.removeEventListener('abort', done);
          answer = undefined;
          const heard = rung;
          rung = false;
          resolve(heard);
        }
        const timer = setTimeout(done, timeoutMs);
        signal.addEventListener('abort', done);
        answer = done;
        if (rung || signal.aborted) done();
      });
    },
  };
}
export type Bell = ReturnType<typeof createBell>;
