import type { Config } from '@tripline/config/config';
import type { EventType, TriplineEvent } from '@tripline/contracts/event';
import type { Db } from '@tripline/db/database';
import { outboxChannel, outgoingTypes, removeFromOutbox, takeFromOutbox } from '@tripline/db/outbox';
import { inTransaction } from '@tripline/db/transaction';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import { createSignal } from '@tripline/runtime/signal';
import { openListener } from '@tripline/stream/postgres/listener';
import type { Stream } from '@tripline/stream/stream';
import { appendFromWithin } from './append-from-within.ts';

type OutboxParts = {
  db: Db;
  stream: Pick<Stream, 'append'>;
  config: Pick<Config, 'internalKeys'>;
  logger?: Pick<Logger, 'error'>;
};

/** Most events that are appended at once. */
const atOnce = 200;
/** New events are signalled by NOTIFY; polling finds those that a dead publisher left. */
const pollMs = 1000;

/**
 * Appends the events of the outbox to the log, signed, and deletes them; returns how many. After a crash in between, or
 * a missing acknowledgement, they are appended again, as duplicates by their ids. An event of a type that must not be
 * in the outbox is not signed: it is deleted and logged.
 * @throws {StreamUnavailableError} the log is unavailable; nothing was deleted.
 */
export function publishOutbox({ db, stream, config, logger }: OutboxParts): Promise<number> {
  return inTransaction(db, async (client) => {
    const taken = await takeFromOutbox(client, atOnce);
    if (taken.length === 0) return 0;
    const ours: TriplineEvent[] = [];
    for (const { event } of taken) {
      if (known.has(event.type)) ours.push(event);
      else
        logger?.error(
          { id: event.id, type: event.type },
          'dropped an outbox event of a type that no service may leave there',
        );
    }
    if (ours.length > 0) await appendFromWithin({ stream, config }, ours);
    await removeFromOutbox(client, taken);
    return taken.length;
  });
}

const known: ReadonlySet<EventType> = new Set(outgoingTypes);

/** Publishes events of the outbox as soon as they are committed, until `stop`. */
export function startPublishing(parts: OutboxParts & { clock: Clock; logger: Logger }): { stop: () => Promise<void> } {
  const { db, clock, logger } = parts;
  const arrivals = createSignal();
  const closing = new AbortController();
  const listener = openListener({
    connection: db.pool.options,
    channels: [outboxChannel],
    onNotify: () => arrivals.notify(),
    clock,
    logger,
  });
  const publishing = (async () => {
    let isAway = false;
    while (!closing.signal.aborted) {
      try {
        while ((await publishOutbox(parts)) > 0 && !closing.signal.aborted);
        isAway = false;
      } catch (error) {
        if (!isAway) logger.warn({ err: error }, 'appending outbox events to the log failed; retrying');
        isAway = true;
      }
      await arrivals.wait(pollMs, closing.signal);
    }
  })();
  return {
    stop: async () => {
      closing.abort();
      await publishing;
      await listener.close();
    },
  };
}
