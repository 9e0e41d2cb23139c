/** A signal that one waiter listens to. Set while nobody waits, it is noticed by the next who does. */
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
