import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { ConsumerCrashEvent, ConsumerGroupJoinEvent, EachBatchPayload, Kafka } from 'kafkajs';
import { openPartitionReader, type PartitionReader } from '../partition-reader.ts';
import type { Consumer, ConsumerOptions } from '../stream.ts';
import { type Fetching, type KafkaSource, kafkaSource } from './partition-source.ts';
import type { Ends } from './topic-ends.ts';

/** Fetch settings of both readers of a topic. Short waits, since kafkajs sends heartbeats and seeks between fetches. */
export const fetchSettings = {
  maxBytesPerPartition: 4 * 1024 * 1024,
  maxBytes: 16 * 1024 * 1024,
  minBytes: 1,
  maxWaitTimeInMs: 100,
};
const restingMinBytes = 1024 * 1024;
const rerunAfterMs = 1000;

/**
 * A member of a Kafka consumer group. The group assigns partitions; the handlers decide where to read, so no offset is
 * ever committed. kafkajs fetches and sends heartbeats without waiting for handlers, which run in one reader per
 * partition.
 */
export async function consumeKafka(options: {
  kafka: Kafka;
  consumer: ConsumerOptions;
  clockSkewMs: number;
  ends: (maxAgeMs?: number) => Promise<Ends>;
  /** Converts an error of kafkajs into one that says what to do. */
  describe: (error: unknown) => unknown;
  clock: Clock;
  logger: Logger;
}): Promise<Consumer> {
  const { clock } = options;
  const { topic, group, handlers, tickMs, restMs, maxRecords = 1000 } = options.consumer;
  const logger = options.logger.child({ topic, group });
  const consumer = options.kafka.consumer({
    groupId: group,
    // The least that brokers allow by default: for this long, nobody processes the partitions of a dead member.
    sessionTimeout: 6000,
    rebalanceTimeout: 10_000,
    heartbeatInterval: 500,
    metadataMaxAge: 30_000,
    retry: {
      initialRetryTime: 100,
      maxRetryTime: 1000,
      retries: 10,
      restartOnFailure: async () => !stopping.signal.aborted,
    },
    ...fetchSettings,
    // For readers without time pressure the broker collects records, so that answers with one or two records are rare.
    ...(restMs !== undefined && { minBytes: restingMinBytes, maxWaitTimeInMs: restMs }),
  });
  const partitionReaders = new Map<number, { partitionReader: PartitionReader; source: KafkaSource }>();
  const ending = new Map<number, Promise<void>>();
  const stopping = new AbortController();
  let assigned: readonly number[] = [];
  let memberId: string | undefined;
  /** The error that keeps it from fetching, until it fetches again. */
  let fault: Error | null = null;

  /** Between a crash of kafkajs and its restart there is nothing to seek; the next join repositions every reader. */
  function whileJoined(act: () => void): void {
    try {
      act();
    } catch (error) {
      logger.debug({ err: error }, 'no consumer session at present; waiting for the group to rebalance');
    }
  }

  function fetchingFor(partition: number): Fetching {
    const here = [{ topic, partitions: [partition] }];
    return {
      seek: (offset) => whileJoined(() => consumer.seek({ topic, partition, offset: String(offset) })),
      pause: () => whileJoined(() => consumer.pause(here)),
      resume: () => whileJoined(() => consumer.resume(here)),
      ends: options.ends,
    };
  }

  function end(partition: number): void {
    const one = partitionReaders.get(partition);
    if (!one) return;
    partitionReaders.delete(partition);
    ending.set(
      partition,
      one.partitionReader.end().finally(() => {
        ending.delete(partition);
        openMissing();
      }),
    );
  }

  /** A reassigned partition waits until its former reader has ended. */
  function openMissing(): void {
    if (stopping.signal.aborted) return;
    for (const partition of assigned) {
      if (partitionReaders.has(partition) || ending.has(partition)) continue;
      const fetching = fetchingFor(partition);
      const source = kafkaSource({
        topic,
        partition,
        maxRecords,
        tickMs,
        clockSkewMs: options.clockSkewMs,
        fetching,
        clock,
        logger,
      });
      source.reposition();
      partitionReaders.set(partition, {
        source,
        partitionReader: openPartitionReader({ topic, partition, source, handlers, restMs, clock, logger }),
      });
    }
  }

  /** Runs before the first fetch of the new session. */
  function joined({ payload }: ConsumerGroupJoinEvent): void {
    assigned = payload.memberAssignment[topic] ?? [];
    // Under a new member id everything that we owned may have had another owner meanwhile.
    const newcomer = memberId !== payload.memberId;
    memberId = payload.memberId;
    for (const partition of [...partitionReaders.keys()]) {
      if (newcomer || !assigned.includes(partition)) end(partition);
    }
    for (const partition of assigned) fetchingFor(partition).pause();
    for (const { source } of partitionReaders.values()) source.reposition();
    openMissing();
  }

  async function eachBatch({ batch, isStale }: EachBatchPayload): Promise<void> {
    // Fetched before a later seek: not the next records.
    if (isStale()) return;
    partitionReaders.get(batch.partition)?.source.take({
      messages: batch.messages,
      lastOffset: Number(batch.lastOffset()),
      highWatermark: Number(batch.highWatermark),
    });
  }

  async function run(): Promise<void> {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({ autoCommit: false, eachBatch });
  }

  /** kafkajs restarts after errors that it considers retriable; after all others we do. */
  async function crashed({ payload }: ConsumerCrashEvent): Promise<void> {
    fault = options.describe(payload.error) as Error;
    if (!payload.restart) logger.warn({ reason: fault.message }, 'reading from Kafka failed; retrying in 1 s');
    while (!payload.restart && !stopping.signal.aborted) {
      await clock.pause(rerunAfterMs, stopping.signal);
      try {
        if (!stopping.signal.aborted) await run();
        return;
      } catch (error) {
        logger.warn({ err: error }, 'restarting the consumer failed; retrying in 1 s');
      }
    }
  }

  consumer.on(consumer.events.GROUP_JOIN, joined);
  consumer.on(consumer.events.CRASH, crashed);
  consumer.on(consumer.events.FETCH, () => {
    fault = null;
  });
  try {
    await run();
  } catch (error) {
    await consumer.disconnect().catch(() => {});
    throw error;
  }

  async function stop(): Promise<void> {
    stopping.abort();
    for (const partition of [...partitionReaders.keys()]) end(partition);
    await Promise.all(ending.values());
    await consumer
      .disconnect()
      .catch((error) =>
        logger.warn({ err: error }, 'leaving the consumer group failed; its session times out at the broker'),
      );
  }
  let stopped: Promise<void> | undefined;
  return {
    owned: () => [...partitionReaders.keys()].sort((a, b) => a - b),
    fault: () => fault,
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}
