import { randomUUID } from 'node:crypto';
import type { Purpose } from '@tripline/contracts/job';
import type { Logger } from '@tripline/runtime/logger';
import { redactText } from '@tripline/runtime/redact';
import { createSignal, type Signal } from '@tripline/runtime/signal';
import type { PoolClient } from 'pg';
import type { Db } from './database.ts';
import { adoptFormerJobs, type Claimant, claimDue, extendClaims, finish, giveBack, queueChannel } from './queue.ts';

/** How long a claim lasts; a dead worker's items are due again after that. */
const claimMs = 12_000;
const extendEveryMs = claimMs / 3;
/** New entries are signalled by NOTIFY; polling finds those that become due. */
const pollMs = 1000;
/** How often jobs are looked for that a process of the former version added. */
const adoptEveryMs = 5000;
/** Pause before the next attempt: doubled with each failure, up to the longest. */
const firstPauseMs = 1000;
const longestPauseMs = 600_000;

/** What the steps of working share. */
type Working = {
  db: Db;
  logger: Logger;
  claimant: Claimant;
  concurrency: number;
  handle: (item: string) => Promise<void>;
  arrivals: Signal;
  stopping: AbortController;
  inHand: Map<string, Promise<void>>;
  /** The last claim filled all free slots: more items may be due. */
  mayWait: boolean;
  /** The LISTEN connection; undefined while there is none. */
  listening: PoolClient | undefined;
  /** The last error of the queue itself, so that the same error is logged once. */
  isAway: boolean;
};

/**
 * Works off the queue of a purpose, `concurrency` items at once, until `stop`. No item is handled twice at a time as
 * long as workers renew their claims. When `handle` throws, the item is retried with increasing pauses, without limit.
 * After a crash an item may be handled twice, which `handle` must tolerate.
 */
export async function workQueue(parts: {
  db: Db;
  logger: Logger;
  purpose: Purpose;
  concurrency: number;
  handle: (item: string) => Promise<void>;
}): Promise<{ stop: () => Promise<void> }> {
  const { purpose, ...rest } = parts;
  const working: Working = {
    ...rest,
    claimant: { purpose, by: randomUUID(), forMs: claimMs },
    arrivals: createSignal(),
    stopping: new AbortController(),
    inHand: new Map(),
    mayWait: false,
    listening: undefined,
    isAway: false,
  };
  await adopt(working);
  const adopting = setInterval(() => {
    adopt(working).catch((error) =>
      parts.logger.error(
        { err: error },
        'looking for jobs of the former version failed; retrying at the next interval',
      ),
    );
  }, adoptEveryMs);
  const extending = setInterval(() => {
    if (working.inHand.size === 0) return;
    extendClaims(parts.db.pool, working.claimant, [...working.inHand.keys()]).catch((error) =>
      parts.logger.warn({ err: error }, 'extending claims on queued work failed'),
    );
  }, extendEveryMs);
  const running = run(working);
  return {
    stop: async () => {
      working.stopping.abort();
      clearInterval(adopting);
      await running;
      await Promise.all(working.inHand.values());
      clearInterval(extending);
      stopListening(working);
    },
  };
}

async function adopt({ db, logger, claimant }: Working): Promise<void> {
  const jobs = await adoptFormerJobs(db.pool, claimant.purpose);
  if (jobs > 0) logger.info({ jobs }, 'took over jobs that the former version left');
}

async function run(working: Working): Promise<void> {
  const { arrivals, stopping } = working;
  while (!stopping.signal.aborted) {
    await listen(working);
    await takeDue(working);
    await arrivals.wait(pollMs, stopping.signal);
  }
}

/** Listens for new entries on a connection of its own; without one, polling finds them. */
async function listen(working: Working): Promise<void> {
  if (working.listening !== undefined) return;
  const { db, claimant, arrivals } = working;
  try {
    const client = await db.pool.connect();
    const forget = () => {
      if (working.listening === client) stopListening(working);
    };
    client.on('notification', ({ payload }) => {
      if (payload === claimant.purpose) arrivals.notify();
    });
    client.on('error', forget).on('end', forget);
    working.listening = client;
    await client.query(`LISTEN ${queueChannel}`).catch((error: unknown) => {
      forget();
      throw error;
    });
    recovered(working);
  } catch (error) {
    failed(working, error);
  }
}

function stopListening(working: Working): void {
  const client = working.listening;
  // Its `end` event follows too, and must not release it again.
  working.listening = undefined;
  client?.release(true);
}

/** Starts handling due items, as far as there are free slots. */
async function takeDue(working: Working): Promise<void> {
  const { db, claimant, concurrency, inHand } = working;
  const room = concurrency - inHand.size;
  if (room === 0) {
    // Notified while no slot was free.
    working.mayWait = true;
    return;
  }
  try {
    const claimed = await claimDue(db.pool, claimant, room, [...inHand.keys()]);
    working.mayWait = claimed.length === room;
    for (const { item, failures } of claimed) inHand.set(item, attempt(working, item, failures));
    recovered(working);
  } catch (error) {
    failed(working, error);
  }
}

/** Never rejects. An item whose completion cannot be recorded is due again when its claim expires. */
async function attempt(working: Working, item: string, failures: number): Promise<void> {
  const { db, logger, claimant, handle, arrivals, inHand } = working;
  const { purpose } = claimant;
  try {
    const failure = await handle(item).then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    if (failure === undefined) {
      if (await finish(db.pool, claimant, item)) arrivals.notify();
    } else {
      const afterMs = Math.min(firstPauseMs * 2 ** Math.min(failures, 20), longestPauseMs);
      logger.error({ err: failure.error, purpose, item, afterMs }, 'queued work failed; retrying');
      const said = redactText(String((failure.error as Error)?.message ?? failure.error).slice(0, 300));
      await giveBack(db.pool, claimant, item, { failure: said.toWellFormed().replaceAll('\0', ''), afterMs });
    }
  } catch (error) {
    logger.warn({ err: error, purpose, item }, 'noting the end of queued work failed; it is done again');
  }
  inHand.delete(item);
  if (working.mayWait) arrivals.notify();
}

function failed(working: Working, error: unknown): void {
  const { logger, claimant, isAway } = working;
  if (!isAway) logger.error({ err: error, purpose: claimant.purpose }, 'reading the queue failed; retrying in 1 s');
  working.isAway = true;
}

function recovered(working: Working): void {
  working.isAway = false;
}
