import { constants } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { isatty } from 'node:tty';
import type { Logger } from './logger.ts';

/** A resource that must be closed. */
export type Closeable = { name: string; close: () => Promise<void> };

/** So long one resource may take to close, in ms: what waits for a database that is away would wait for as long as that is. */
const closeLimitMs = 20_000;

/**
 * Tracks opened resources, and closes them in reverse order: each once, and independently, so that neither a failure nor
 * one that does not end keeps the rest open. `exit` ends the process `lingerMs` later
 * where a part did not close: nothing of it holds what is not on disk, as after a kill.
 */
export function createLifecycle(
  logger: Logger,
  options: { limitMs?: number; lingerMs?: number; exit?: () => void } = {},
) {
  const { limitMs = closeLimitMs, lingerMs = 2000, exit = () => process.exit(1) } = options;
  const opened: Closeable[] = [];
  let closing: Promise<void> | undefined;

  async function closeAll(): Promise<void> {
    let isLeftOpen = false;
    for (const item of opened.reverse()) {
      const waiting = new AbortController();
      try {
        const late = pause(limitMs, 'late' as const, { signal: waiting.signal });
        if ((await Promise.race([item.close(), late])) !== 'late') continue;
        isLeftOpen = true;
        logger.error(`closing ${item.name} takes longer than ${limitMs / 1000} s; stopping without it`);
      } catch (error) {
        logger.error({ err: error }, `closing ${item.name} failed`);
      } finally {
        waiting.abort();
      }
    }
    if (isLeftOpen) setTimeout(exit, lingerMs).unref();
  }

  return {
    /** Registers `close` for later and returns the resource. */
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

/** Further signals within this time are copies: Ctrl-C reaches the whole process group, and npm forwards it too. */
const sameSignalMs = 500;
/** How often it is checked whether npm is still alive. */
const parentEveryMs = 500;

/** Why a process was asked to stop: a signal, or the end of the terminal, of npm or of the reader of its output. */
export type StopReason = 'SIGINT' | 'SIGTERM' | 'the terminal is gone' | 'npm is gone' | 'nobody reads the output';

let askToStop: ((reason: StopReason) => void) | undefined;

/**
 * Resolves with the first reason to stop this process: SIGINT, SIGTERM, the end of the npm that it runs under or of the
 * reader of its output. A second signal, other than a copy of the first, ends the process immediately.
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

/** npm forwards signals to a shell, which may end without us; and when killed with -9 it forwards nothing. */
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
 * Calls `reload` at each SIGHUP, whose default action would end the process. If Tripline's terminal was closed, it
 * stops instead.
 */
export function onHangUp(reload: () => void): void {
  const atTerminal = isatty(0);
  process.on('SIGHUP', () => {
    if (atTerminal && !isatty(0)) askToStop?.('the terminal is gone');
    else reload();
  });
}

/**
 * Ends the process silently when the reader of its output is gone (`| head`): services stop in order, commands end as
 * other shell tools do, with status 128 + SIGPIPE.
 */
export function endWithReader(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // Writing to a closed terminal fails with EIO.
      if (error.code !== 'EPIPE' && !(error.code === 'EIO' && stream.isTTY)) throw error;
      if (askToStop) askToStop('nobody reads the output');
      else process.exit(128 + constants.signals.SIGPIPE);
    });
  }
}
