import type { Clock } from '@tripline/runtime/clock';

/** First and next offset of each partition, and when they were requested. */
export type Ends = { askedAtMs: number; of: Map<number, { first: number; next: number }> };

/** Where partitions begin and end. `maxAgeMs`: how long ago that may have been requested; without it, it is requested now. */
export type EndsOf = (topic: string, maxAgeMs?: number) => Promise<Ends>;

/**
 * Asks for the ends of topics, each at once for all its partitions. Whoever asks while a request is under way gets its answer, whatever
 * age they take; whoever takes an age gets the last answer while it is no older. An answer keeps the time of its own request.
 */
export function createTopicEnds({
  read,
  clock,
}: {
  read: (topic: string) => Promise<Ends['of']>;
  clock: Clock;
}): EndsOf {
  const underWay = new Map<string, Promise<Ends>>();
  const last = new Map<string, Ends>();

  async function request(topic: string, askedAtMs: number): Promise<Ends> {
    try {
      const ends = { askedAtMs, of: await read(topic) };
      last.set(topic, ends);
      return ends;
    } finally {
      underWay.delete(topic);
    }
  }

  return (topic, maxAgeMs = 0) => {
    const asked = underWay.get(topic);
    if (asked) return asked;
    const askedAtMs = clock.nowMs();
    const known = last.get(topic);
    // A clock that was set back makes an answer no younger.
    if (known && maxAgeMs > 0 && Math.abs(askedAtMs - known.askedAtMs) <= maxAgeMs) return Promise.resolve(known);
    const answer = request(topic, askedAtMs);
    underWay.set(topic, answer);
    return answer;
  };
}
