import { randomUUID } from 'node:crypto';
import type { Db } from '@tripline/db/database';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import { anyCallInMs, type OpenChannel } from './channels.ts';
import { type Claim, claimDue } from './store/messages.ts';

/** How often the queue is polled for what another process left, or what has become due. */
const pollMs = 1000;

export type Queue = {
  /** Polls immediately, since a notification was just queued. */
  wake: () => void;
  /** Waits for the delivery under way. */
  stop: () => Promise<void>;
};

type QueueParts = {
  db: Db;
  clock: Clock;
  logger: Logger;
  claimMs: number;
  channel: OpenChannel;
  deliver: (claim: Claim) => Promise<void>;
};

/**
 * Delivers a channel's queued notifications, one after the other, as its rate limits allow: alternately the one that
 * has waited longest and the one queued last.
 */
export function pollQueue(parts: QueueParts): Queue {
  const stopping = new AbortController();
  let waking = new AbortController();
  let isWoken = false;

  async function run(): Promise<void> {
    for (let turn = 0; ; turn += 1) {
      await pause(parts.clock, anyCallInMs(parts.channel), stopping.signal);
      if (stopping.signal.aborted) return;
      isWoken = false;
      waking = new AbortController();
      const found = await deliverDue(parts, turn % 2 ? 'oldest' : 'newest');
      if (found === 'failed') await pause(parts.clock, pollMs, stopping.signal);
      else if (found === 'none' && !isWoken)
        await pause(parts.clock, pollMs, AbortSignal.any([waking.signal, stopping.signal]));
    }
  }
  const running = run();

  return {
    wake() {
      isWoken = true;
      waking.abort();
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

async function deliverDue(
  { db, logger, claimMs, channel, deliver }: QueueParts,
  order: 'oldest' | 'newest',
): Promise<'delivered' | 'none' | 'failed'> {
  try {
    const claim = await claimDue(db, channel.name, order, randomUUID(), claimMs);
    if (claim === undefined) return 'none';
    await deliver(claim);
    return 'delivered';
  } catch (error) {
    logger.error(
      { err: error, channel: channel.name },
      `delivering a queued notification failed; retrying in ${pollMs / 1000} s`,
    );
    return 'failed';
  }
}

async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await clock.pause(ms, signal);
}
