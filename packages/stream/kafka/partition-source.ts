import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import { createSignal } from '@tripline/runtime/signal';
import type { KafkaMessage } from 'kafkajs';
import type { PartitionSource } from '../partition-reader.ts';
import type { StreamRecord } from '../stream.ts';
import { messageBytes, readMessage } from './codec/fetch.ts';
import type { Ends } from './topic-ends.ts';

/** What a partition reader may ask of the consumer that fetches for it. */
export type Fetching = {
  seek: (offset: number) => void;
  pause: () => void;
  resume: () => void;
  /** As {@link EndsOf} has them. */
  ends: (maxAgeMs?: number) => Promise<Ends>;
};

export type KafkaSource = PartitionSource & {
  /** Accepts fetched records, unless they are not the next ones. */
  take: (batch: { messages: KafkaMessage[]; lastOffset: number; highWatermark: number }) => void;
  /** The consumer rejoined its group and lost its offset: seeks again. */
  reposition: () => void;
};

/** Bytes of records that wait for the handler before fetching pauses, and at which it goes on. */
const fullBytes = 8 * 1024 * 1024;
const roomBytes = 4 * 1024 * 1024;
const waitMs = 1000;

/** One partition of a Kafka topic: a queue between the fetching, which never waits, and the reader, which may be slow. */
export function kafkaSource(options: {
  topic: string;
  partition: number;
  maxRecords: number;
  tickMs: number | undefined;
  clockSkewMs: number;
  fetching: Fetching;
  clock: Clock;
  logger: Logger;
}): KafkaSource {
  const { topic, partition, maxRecords, tickMs, fetching, clock, logger } = options;
  const arrivals = createSignal();
  let queue: { messages: KafkaMessage[]; at: number; highWatermark: number }[] = [];
  let queuedBytes = 0;
  /** Offset that the next fetched batch must begin with; null until the reader has set the start. */
  let fetchNext: number | null = null;
  /** Where we last sought to after unexpected records; when the same records come again, those in between are gone. */
  let soughtAt: number | null = null;
  let paused = true;
  /** Highest append time delivered, and highest that was promised. */
  let appendedMs = 0;
  let promisedMs = 0;
  let tickedAtMs = 0;

  function flow(): void {
    if (!paused && queuedBytes >= fullBytes) {
      paused = true;
      fetching.pause();
    } else if (paused && fetchNext !== null && queuedBytes < roomBytes) {
      paused = false;
      fetching.resume();
    }
  }

  function toRecord(message: KafkaMessage): StreamRecord {
    const { offset, timestampMs, key, headers, value } = readMessage(message);
    if (timestampMs < promisedMs) {
      logger.warn(
        { topic, partition, offset, earlyMs: promisedMs - timestampMs },
        'a record is older than the log time already reached; using the log time instead. Raise kafka.clockSkewMs',
      );
    }
    // A new leader's clock may lag behind the old one's; the log time of the partition stays the same until it has
    // caught up.
    appendedMs = Math.max(appendedMs, promisedMs, timestampMs);
    return { topic, partition, offset, appendedAtMs: appendedMs, key, headers, value };
  }

  /** Takes the next records from the queue; they reach the end of the partition when the last fetch did. */
  function cut(): { records: StreamRecord[]; caughtUpAtMs: number | null } {
    const records: StreamRecord[] = [];
    let highWatermark = 0;
    while (queue.length > 0 && records.length < maxRecords) {
      const head = queue[0]!;
      const end = Math.min(head.messages.length, head.at + maxRecords - records.length);
      for (; head.at < end; head.at += 1) {
        const message = head.messages[head.at]!;
        queuedBytes -= messageBytes(message);
        records.push(toRecord(message));
      }
      highWatermark = head.highWatermark;
      if (head.at === head.messages.length) queue.shift();
    }
    flow();
    const last = records.at(-1)!;
    // The leader stamps records in order, so later records have this time or a later one.
    if (queue.length > 0 || last.offset + 1 < highWatermark) return { records, caughtUpAtMs: null };
    promisedMs = appendedMs;
    tickedAtMs = clock.nowMs();
    return { records, caughtUpAtMs: promisedMs };
  }

  /**
   * A tick: everything up to the end was handled, and the end was requested at `askedAtMs` by our clock. The broker's
   * clock may lag behind it by the configured skew, which also covers records that a leader has stamped and not yet
   * replicated. Partitions tick together: a tick that is due soon
   * after another's takes the answer of that one's request, and counts as done at its time.
   */
  async function tick(everyMs: number, signal: AbortSignal): Promise<{ records: []; caughtUpAtMs: number } | null> {
    const ends = await fetching.ends(everyMs / 2).catch((error) => {
      logger.debug(
        { err: error, topic, partition },
        'fetching the end offset of the partition failed; retrying at the next fetch',
      );
      return null;
    });
    // Where answers take longer than a tick, records that arrive are looked at between two of them.
    const nowMs = clock.nowMs();
    tickedAtMs = Math.max(ends?.askedAtMs ?? nowMs, nowMs - everyMs / 2);
    const end = ends?.of.get(partition);
    if (!ends || !end || signal.aborted || queue.length > 0 || fetchNext === null || fetchNext < end.next) return null;
    promisedMs = Math.max(promisedMs, appendedMs, ends.askedAtMs - options.clockSkewMs);
    return { records: [], caughtUpAtMs: promisedMs };
  }

  return {
    async start(offset) {
      const end = (await fetching.ends()).of.get(partition);
      if (!end) throw new Error(`Kafka has no partition ${partition} of ${topic}`);
      if (offset > end.next) {
        throw new Error(
          `asked to start partition ${partition} of ${topic} at ${offset}, but the log ends at ${end.next}`,
        );
      }
      queue = [];
      queuedBytes = 0;
      fetchNext = Math.max(offset, end.first);
      soughtAt = null;
      appendedMs = 0;
      promisedMs = 0;
      tickedAtMs = 0;
      fetching.seek(fetchNext);
      flow();
    },
    reposition() {
      if (fetchNext === null || paused) fetching.pause();
      else fetching.resume();
      if (fetchNext !== null) fetching.seek(fetchNext);
    },
    take({ messages, lastOffset, highWatermark }) {
      if (fetchNext === null || messages.length === 0) return;
      const first = Number(messages[0]!.offset);
      if (first !== fetchNext) {
        if (first < fetchNext || soughtAt !== fetchNext) {
          soughtAt = fetchNext;
          fetching.seek(fetchNext);
          return;
        }
        logger.info({ topic, partition, from: fetchNext, to: first }, 'the log holds no records between these offsets');
      }
      fetchNext = lastOffset + 1;
      soughtAt = null;
      for (const message of messages) queuedBytes += messageBytes(message);
      queue.push({ messages, at: 0, highWatermark });
      flow();
      arrivals.notify();
    },
    async next(signal) {
      if (queue.length === 0) {
        const dueMs = tickMs === undefined ? waitMs : Math.min(tickedAtMs + tickMs - clock.nowMs(), tickMs);
        if (dueMs > 0) await arrivals.wait(Math.min(dueMs, waitMs), signal);
      }
      if (signal.aborted) return null;
      if (queue.length > 0) return cut();
      return tickMs !== undefined && clock.nowMs() >= tickedAtMs + tickMs ? tick(tickMs, signal) : null;
    },
  };
}
