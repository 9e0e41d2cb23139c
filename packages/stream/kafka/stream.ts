import { randomUUID } from 'node:crypto';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { ConsumerGroupJoinEvent } from 'kafkajs';
import { createBatcher } from '../batcher.ts';
import { partitionOf } from '../partition.ts';
import { checkSizes, recordBytes } from '../record.ts';
import {
  type Appended,
  type Consumer,
  type NewRecord,
  type Stream,
  type StreamRecord,
  StreamUnavailableError,
} from '../stream.ts';
import { createKafkaClient } from './client.ts';
import { readMessage } from './codec/fetch.ts';
import { type PartitionBatch, toPartitionBatch } from './codec/produce.ts';
import { consumeKafka, fetchSettings } from './consumer.ts';
import { fromKafka, type KafkaRight } from './fault.ts';
import type { KafkaSecurity } from './settings.ts';
import { createTopicEnds } from './topic-ends.ts';
import { checkTopic, createTopic, describeTopic, type Taking, type TopicFacts } from './topics.ts';

const maxBatchRecords = 2000;
/** After this an append fails, though its records may still be appended: the receiver spools and answers in time. */
const appendTimeoutMs = 8000;
const checkTimeoutMs = 3000;
const readTimeoutMs = 30_000;

/**
 * The log in Apache Kafka. Order: one produce request is in flight at a time, and records that are appended meanwhile
 * join the next, so a retry cannot overtake. Every request waits for all in-sync replicas.
 */
export function createKafkaStream(options: {
  brokers: readonly string[];
  clientId: string;
  /** For topics that are created. */
  replicationFactor: number;
  /** How far the clocks of the brokers may lag behind ours, in ms. */
  clockSkewMs: number;
  security: KafkaSecurity;
  logger: Logger;
  clock: Clock;
}): Stream {
  const { clock, security } = options;
  const logger = options.logger.child({ part: 'log' });
  const kafka = createKafkaClient({ brokers: options.brokers, clientId: options.clientId, security, logger });
  const admin = kafka.admin();
  const producer = kafka.producer({
    allowAutoTopicCreation: false,
    metadataMaxAge: 10_000,
    // Partitions are computed here, since the caller gets the partition of each record.
    createPartitioner: () => (args) => args.message.partition!,
  });
  const facts = new Map<string, TopicFacts>();
  const consumers = new Set<Consumer>();
  let adminReady: Promise<void> | undefined;
  let producerReady: Promise<void> | undefined;
  let closed = false;

  const take: Taking = async (rights, work) => {
    try {
      return await work();
    } catch (error) {
      // A missing topic is handled by the caller.
      if ((error as { type?: string }).type === 'UNKNOWN_TOPIC_OR_PARTITION') throw error;
      throw fromKafka(error, security, rights);
    }
  };

  async function connectedAdmin() {
    adminReady ??= admin.connect().catch((error) => {
      adminReady = undefined;
      throw error;
    });
    await adminReady;
    return admin;
  }

  async function factsOf(topic: string): Promise<TopicFacts> {
    const known = facts.get(topic) ?? (await describeTopic(await connectedAdmin(), topic, take));
    if (!known) throw new Error(`Kafka has no topic ${topic}; ensureTopics makes it`);
    facts.set(topic, known);
    return known;
  }

  async function send(records: readonly NewRecord[]): Promise<Appended[]> {
    producerReady ??= producer.connect().catch((error) => {
      producerReady = undefined;
      throw error;
    });
    await producerReady;
    const partitionBatches = new Map<string, { topic: string; messages: [PartitionBatch]; base: number | null }>();
    const places = records.map((record) => {
      const { topic } = record;
      const partition = partitionOf(record.key, facts.get(topic)!.partitions);
      const name = `${topic} ${partition}`;
      let partitionBatch = partitionBatches.get(name);
      if (!partitionBatch) {
        partitionBatch = { topic, messages: [toPartitionBatch(partition)], base: null };
        partitionBatches.set(name, partitionBatch);
      }
      return { partitionBatch, nth: partitionBatch.messages[0].records.push(record) - 1 };
    });
    // kafkajs 2.2.4 resolves without having sent a batch whose leader moved, on a retry, to a broker that had already
    // answered. Only records that the answer names were kept; the rest is sent again.
    for (let left = [...partitionBatches.values()]; left.length > 0; left = left.filter(({ base }) => base === null)) {
      const kept = await producer.sendBatch({ acks: -1, timeout: appendTimeoutMs, topicMessages: left });
      for (const { topicName, partition, baseOffset } of kept) {
        partitionBatches.get(`${topicName} ${partition}`)!.base = Number(baseOffset);
      }
    }
    return places.map(({ partitionBatch, nth }) => ({
      topic: partitionBatch.topic,
      partition: partitionBatch.messages[0].partition,
      offset: partitionBatch.base! + nth,
    }));
  }

  const batcher = createBatcher<NewRecord, Appended>({
    maxItems: maxBatchRecords,
    // A partition's part of a request is one record batch, and the topic's size limit applies to the whole batch.
    maxBytes: ({ topic }) => facts.get(topic)!.maxRecordBytes,
    sizeOf: recordBytes,
    send,
  });

  const endsOf = createTopicEnds({
    clock,
    async read(topic) {
      const offsets = await (await connectedAdmin()).fetchTopicOffsets(topic);
      return new Map(offsets.map((one) => [one.partition, { first: Number(one.low), next: Number(one.high) }]));
    },
  });

  return {
    backend: 'kafka',
    async ensureTopics(specs) {
      try {
        const connected = await connectedAdmin();
        for (const spec of specs) {
          let there = await describeTopic(connected, spec.topic, take);
          if (!there) {
            await createTopic(connected, spec, options.replicationFactor).catch((error) => {
              // Another process was faster, or a slow broker does not yet list the topic that was just created.
              const { type } = error as { type?: string };
              if (type === 'TOPIC_ALREADY_EXISTS' || type === 'UNKNOWN_TOPIC_OR_PARTITION') return;
              throw fromKafka(error, security, [{ operation: 'Create', topic: spec.topic }]);
            });
            for (let tries = 0; !there && tries < 50; tries += 1) {
              there = await describeTopic(connected, spec.topic, take);
              if (!there) await clock.pause(100);
            }
            if (!there) throw new StreamUnavailableError(`topic ${spec.topic} was created and is not there yet`);
          }
          checkTopic(spec, there);
          facts.set(spec.topic, there);
        }
      } catch (error) {
        throw fromKafka(error, security);
      }
    },
    async append(records) {
      if (closed) throw new StreamUnavailableError('the log is closed');
      try {
        return await within(appendTimeoutMs, 'acknowledge', async () => {
          for (const { topic } of records) if (!facts.has(topic)) await factsOf(topic);
          checkSizes(records, (topic) => facts.get(topic)!.maxRecordBytes);
          return batcher.add(records);
        });
      } catch (error) {
        throw fromKafka(
          error,
          security,
          [...new Set(records.map(({ topic }) => topic))].map((topic) => ({ operation: 'Write', topic })),
        );
      }
    },
    async consume(wanted) {
      const rights: KafkaRight[] = [
        { operation: 'Read', topic: wanted.topic },
        { operation: 'Read', group: wanted.group },
      ];
      try {
        await factsOf(wanted.topic);
        const consumer = await consumeKafka({
          kafka,
          consumer: wanted,
          clockSkewMs: options.clockSkewMs,
          ends: (maxAgeMs) => endsOf(wanted.topic, maxAgeMs),
          describe: (error) => fromKafka(error, security, rights),
          clock,
          logger,
        });
        const stop = () => consumer.stop().finally(() => consumers.delete(counted));
        const counted = { ...consumer, stop };
        consumers.add(counted);
        return counted;
      } catch (error) {
        throw fromKafka(error, security, rights);
      }
    },
    async offsets(topic) {
      try {
        await factsOf(topic);
        const { of } = await endsOf(topic);
        return [...of].map(([partition, ends]) => ({ partition, ...ends })).sort((a, b) => a.partition - b.partition);
      } catch (error) {
        throw fromKafka(error, security);
      }
    },
    async offsetsSince(topic, sinceMs) {
      try {
        await factsOf(topic);
        const found = await (await connectedAdmin()).fetchTopicOffsetsByTimestamp(topic, sinceMs);
        return new Map(found.map(({ partition, offset }) => [partition, Number(offset)]));
      } catch (error) {
        throw fromKafka(error, security);
      }
    },
    async read(position) {
      try {
        const end = (await endsOf(position.topic)).of.get(position.partition);
        if (!end) throw new Error(`Kafka has no partition ${position.partition} of ${position.topic}`);
        const from = Math.max(position.from, end.first);
        const limit = Math.min(position.limit, end.next - from);
        return limit <= 0 ? [] : await readRange({ ...position, from, limit, end: end.next });
      } catch (error) {
        throw fromKafka(error, security);
      }
    },
    async check() {
      try {
        await within(checkTimeoutMs, 'answer', async () => (await connectedAdmin()).describeCluster());
      } catch (error) {
        // kafkajs 2.2.4 reads the metadata of a cluster that has none for it yet, right after a broker came back.
        if (error instanceof TypeError)
          throw new StreamUnavailableError('Kafka has just come back and says nothing of its brokers yet', {
            cause: error,
          });
        throw fromKafka(error, security);
      }
    },
    async close() {
      closed = true;
      await Promise.all([...consumers].map((consumer) => consumer.stop()));
      await batcher.idle();
      await producer.disconnect();
      await admin.disconnect();
    },
  };

  /** kafkajs fetches only for members of a group: this one uses a temporary group, which is deleted afterwards. */
  async function readRange(range: { topic: string; partition: number; from: number; limit: number; end: number }) {
    const { topic, partition, from, limit, end } = range;
    const groupId = `tripline-read-${randomUUID()}`;
    const reader = kafka.consumer({ groupId, ...fetchSettings });
    const records: StreamRecord[] = [];
    const done = Promise.withResolvers<void>();
    reader.on(reader.events.GROUP_JOIN, ({ payload }: ConsumerGroupJoinEvent) => {
      const others = (payload.memberAssignment[topic] ?? []).filter((other) => other !== partition);
      reader.pause([{ topic, partitions: others }]);
      reader.seek({ topic, partition, offset: String(from + records.length) });
    });
    try {
      await within(readTimeoutMs, 'hand the records over', async () => {
        await reader.connect();
        await reader.subscribe({ topic, fromBeginning: true });
        await reader.run({
          autoCommit: false,
          eachBatch: async ({ batch, isStale }) => {
            if (batch.partition !== partition || isStale()) return;
            for (const message of batch.messages) {
              const { timestampMs, ...record } = readMessage(message);
              if (records.length >= limit || record.offset < (records.at(-1)?.offset ?? from - 1) + 1) continue;
              records.push({ topic, partition, appendedAtMs: timestampMs, ...record });
            }
            if (records.length >= limit || Number(batch.lastOffset()) + 1 >= end) done.resolve();
          },
        });
        await done.promise;
      });
    } finally {
      await reader.disconnect();
      await admin.deleteGroups([groupId]).catch(() => {});
    }
    return records;
  }
}

/** @throws {StreamUnavailableError} after `timeoutMs`; the operation itself continues. */
async function within<T>(timeoutMs: number, what: string, act: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new StreamUnavailableError(`Kafka did not ${what} within ${timeoutMs} ms`)),
      timeoutMs,
    );
  });
  try {
    return await Promise.race([act(), late]);
  } finally {
    clearTimeout(timer);
  }
}
