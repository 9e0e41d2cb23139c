import type { Logger } from './logger.ts';

/** Something that was opened and must be closed. */
export type Closeable = { name: string; close: () => Promise<void> };

/**
 * Remembers what was opened, and closes it in reverse: once, each on its own, so that one failure does not keep the
 * rest open.
 */
export function createLifecycle(logger: Logger) {
  const opened: Closeable[] = [];
  let closing: Promise<void> | undefined;

  async function closeAll(): Promise<void> {
    for (const item of opened.reverse()) {
      try {
        await item.close();
      } catch (error) {
        logger.error({ err: error }, `closing ${item.name} failed`);
      }
    }
  }

  return {
    /** Registers `close` for later and hands back what was opened. */
    opened<T>(name: string, thing: T, close: (thing: T) => Promise<void> | void): T {
      opened.push({ name, close: async () => close(thing) });
      return thing;
    },
    close(): Promise<void> {
      closing ??= closeAll();
      return closing;
    },
  };
}
export type Lifecycle = ReturnType<typeof createLifecycle>;

/** Within this time, more signals are copies: Ctrl-C reaches the whole process group, and npm passes it on besides. */
const sameSignalMs = 500;

/** Resolves with the first of SIGINT and SIGTERM; a second one, later than its copies, ends the process at once. */
export function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let askedMs: number | undefined;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (askedMs !== undefined && performance.now() - askedMs > sameSignalMs) process.exit(130);
        askedMs ??= performance.now();
        resolve(signal);
      });
    }
  });
}
