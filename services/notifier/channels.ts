import type { Channel, ChannelDefinition, ChannelOptions } from '@tripline/integrations/channel';
import type { Clock } from '@tripline/runtime/clock';
import { createRateLimiter, type RateLimiter } from './rate-limiter.ts';

/** A channel with its state while the notifier runs. */
export type OpenChannel = Channel & {
  limiters: Readonly<Record<string, RateLimiter>>;
  /** Number of consecutive calls that failed. */
  failuresInARow: number;
  /** Whether Postgres may hold a row saying that the channel fails; true at the start, when it is not known. */
  mayHaveTrouble: boolean;
};

/**
 * Opens every channel of the registry by its settings, which bear its name.
 * @param intervalMs shortens a channel's interval between calls, by name; for tests.
 */
export function openChannels(
  definitions: readonly ChannelDefinition[],
  settings: Readonly<Record<string, unknown>>,
  clock: Clock,
  options: Omit<ChannelOptions, 'intervalMs'> & { intervalMs: Readonly<Record<string, number>> },
): OpenChannel[] {
  return definitions.map(({ name, open }) => {
    const channel = open(settings[name], { ...options, intervalMs: options.intervalMs[name] });
    const limiters = Object.fromEntries(
      Object.entries(channel.limits).map(([limit, bound]) => [limit, createRateLimiter(clock, bound)]),
    );
    return { ...channel, limiters, failuresInARow: 0, mayHaveTrouble: true };
  });
}

/** Ms until an incident's first message may be sent. */
export function firstMessageInMs({ mode, limiters, firstMessageLimit }: OpenChannel): number {
  return mode === 'live' ? limiters[firstMessageLimit]!.availableInMs() : 0;
}

/** Ms until any call may be made. */
export function anyCallInMs({ mode, limiters }: OpenChannel): number {
  return mode === 'live' ? Math.min(...Object.values(limiters).map((limiter) => limiter.availableInMs())) : 0;
}

/** Nothing is sent to the channel for so long. */
export function blockChannel({ limiters }: OpenChannel, forMs: number): void {
  for (const limiter of Object.values(limiters)) limiter.block(forMs);
}
