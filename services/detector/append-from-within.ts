import type { TriplineEvent } from '@tripline/contracts/event';
import { toEventRecord } from '@tripline/contracts/event-record';
import { signInternal } from '@tripline/contracts/internal';
import { type Stream, topics } from '@tripline/stream/stream';

/**
 * Appends events that only Tripline itself may say, signed with the first of `internalKeys`.
 * @throws {StreamUnavailableError} the log is unavailable.
 */
export async function appendFromWithin(
  parts: { stream: Pick<Stream, 'append'>; config: { internalKeys?: readonly string[] | undefined } },
  events: readonly TriplineEvent[],
): Promise<void> {
  const key = parts.config.internalKeys?.[0];
  if (key === undefined) throw new Error('no internal key is configured: set internalKeys (TRIPLINE_INTERNAL_KEY)');
  await parts.stream.append(
    events.map((event) => ({ topic: topics.events, ...signInternal(toEventRecord(event), key) })),
  );
}
