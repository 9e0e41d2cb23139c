import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import pg from 'pg';

/** A dedicated connection that listens for NOTIFY and holds session locks; it is reopened whenever it breaks. */
export type Listener = {
  /** Holds the session's advisory lock on `key` from now on, over reconnections. */
  hold: (key: number) => Promise<void>;
  release: (key: number) => Promise<void>;
  close: () => Promise<void>;
};

const firstPauseMs = 50;
const longestPauseMs = 2000;

/**
 * @param options.onNotify also called after a reconnection, with no payload: anything may have happened meanwhile.
 */
export function openListener(options: {
  connection: pg.PoolConfig;
  channels: readonly string[];
  onNotify: (channel: string | null, payload: string) => void;
  clock: Clock;
  logger: Logger;
}): Listener {
  const { clock, logger, channels, onNotify } = options;
  const closing = new AbortController();
  const held = new Set<number>();
  let client: pg.Client | undefined;

  async function connect(): Promise<void> {
    for (let failures = 0; !closing.signal.aborted; failures += 1) {
      const { onConnect } = options.connection;
      const Client = (options.connection.Client ?? pg.Client) as typeof pg.Client;
      const next = new Client({ ...options.connection, keepAlive: true });
      next.on('error', () => {}); // 'end' follows and does the work
      next.on('notification', ({ channel, payload }) => onNotify(channel, payload ?? ''));
      try {
        await next.connect();
        await onConnect?.(next);
        for (const channel of channels) await next.query(`LISTEN ${channel}`);
        for (const key of held) await next.query('SELECT pg_try_advisory_lock($1)', [key]);
        if (closing.signal.aborted) return await next.end();
        client = next;
        next.once('end', () => {
          client = undefined;
          if (closing.signal.aborted) return;
          logger.warn('LISTEN connection lost; reconnecting');
          opening = connect();
        });
        onNotify(null, '');
        return;
      } catch (error) {
        await next.end().catch(() => {});
        if (failures === 0) logger.warn({ err: error }, 'opening the LISTEN connection failed; retrying');
        await clock.pause(Math.min(firstPauseMs * 2 ** failures, longestPauseMs), closing.signal);
      }
    }
  }
  let opening = connect();

  return {
    async hold(key) {
      held.add(key);
      await opening;
      await client?.query('SELECT pg_try_advisory_lock($1)', [key]).catch(() => {});
    },
    async release(key) {
      held.delete(key);
      await client?.query('SELECT pg_advisory_unlock($1)', [key]).catch(() => {});
    },
    async close() {
      closing.abort();
      await opening;
      await client?.end().catch(() => {});
    },
  };
}
