import { constants } from 'node:os';
import { isatty } from 'node:tty';
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
/** How often is looked whether npm still lives. */
const parentEveryMs = 500;

/** Why a process was asked to stop: a signal, or that what started it or read what it says is gone. */
export type StopReason = 'SIGINT' | 'SIGTERM' | 'the terminal is gone' | 'npm is gone' | 'nobody reads the output';

let askToStop: ((reason: StopReason) => void) | undefined;

/**
 * Resolves with the first thing that asks this process to stop: SIGINT, SIGTERM, the end of the npm that it runs under
 * or of whoever reads what it says. A second signal, later than its copies, ends the process at once.
 */
export function stopSignal(): Promise<StopReason> {
  return new Promise((resolve) => {
    askToStop = resolve;
    let askedMs: number | undefined;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (askedMs !== undefined && performance.now() - askedMs > sameSignalMs) process.exit(130);
        askedMs ??= performance.now();
        resolve(signal);
      });
    }
    watchParent(resolve);
  });
}

/** npm passes signals on to a shell, which may end without us; and killed with -9 it passes nothing on. */
function watchParent(stop: (reason: StopReason) => void): void {
  const underNpm = ['start', 'npx'].includes(process.env['npm_lifecycle_event'] ?? '');
  const handedOver = process.env['NODE_HANDED_OVER_BY_TRIPLINE'] !== undefined;
  if (!underNpm && !handedOver) return;
  const parent = process.ppid;
  const watching = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watching);
    stop('npm is gone');
  }, parentEveryMs);
  watching.unref();
}

/**
 * Calls `reload` at each SIGHUP, which by itself would end the process. Where the terminal is gone that Tripline was
 * started at, it stops instead.
 */
export function onHangUp(reload: () => void): void {
  const atTerminal = isatty(0);
  process.on('SIGHUP', () => {
    if (atTerminal && !isatty(0)) askToStop?.('the terminal is gone');
    else reload();
  });
}

/**
 * Has the process end without a word when whoever reads its output has gone (`| head`): what runs until it is told to
 * stop stops in order, anything else ends as the shell's own tools do, with 128 + SIGPIPE.
 */
export function endWithReader(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // A terminal that is gone answers EIO.
      if (error.code !== 'EPIPE' && !(error.code === 'EIO' && stream.isTTY)) throw error;
      if (askToStop) askToStop('nobody reads the output');
      else process.exit(128 + constants.signals.SIGPIPE);
    });
  }
}
