/** A signal with one waiter. A notification while nobody waits is kept for the next wait. */
export function createSignal() {
  let isSet = false;
  let answer: (() => void) | undefined;
  return {
    notify(): void {
      isSet = true;
      answer?.();
    },
    /** Resolves true when notified, false after `timeoutMs` or when `abort` is aborted. */
    wait(timeoutMs: number, abort: AbortSignal): Promise<boolean> {
      return new Promise((resolve) => {
        function done() {
          clearTimeout(timer);
          abort.removeEventListener('abort', done);
          answer = undefined;
          const wasSet = isSet;
          isSet = false;
          resolve(wasSet);
        }
        const timer = setTimeout(done, timeoutMs);
        abort.addEventListener('abort', done);
        answer = done;
        if (isSet || abort.aborted) done();
      });
    },
  };
}
export type Signal = ReturnType<typeof createSignal>;
