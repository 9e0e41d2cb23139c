import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../packages/runtime/clock.ts';
import { createLogger } from '../packages/runtime/logger.ts';
import { createKafkaStream } from '../packages/stream/kafka/stream.ts';
import { type Stream, StreamUnavailableError, type TopicSpec } from '../packages/stream/stream.ts';
import { type Brokers, startBrokers } from '../packages/testing/kafka/broker.ts';
import { haveKafka, kafkaBrokers } from '../packages/testing/kafka/kafka.ts';
import { streamContract } from '../packages/testing/stream.conformance.ts';

const lines: string[] = [];
const logger = createLogger({ service: 'test', level: 'debug' }, { write: (line) => void lines.push(line) });
const soon = { timeout: 60_000, interval: 50 };

function openKafka(brokers: readonly string[], replicationFactor = 1): Stream {
  return createKafkaStream({
    brokers,
    clientId: 'test',
    replicationFactor,
    clockSkewMs: 50,
    security: {},
    logger,
    clock: systemClock,
  });
}

function topicSpec(settings: Partial<TopicSpec> = {}): TopicSpec {
  return { topic: `t-${randomUUID()}`, partitions: 3, retentionMs: 86_400_000, maxRecordBytes: 100_000, ...settings };
}

const record = (topic: string, key: string, text: string) => ({ topic, key, headers: {}, value: Buffer.from(text) });

// Brokers of its own, since it breaks them.
describe.skipIf(!haveKafka())('contract', () => {
  streamContract('the log in Kafka', async () => {
    const brokers = await startBrokers({ brokers: 1 });
    return {
      open: async () => openKafka(brokers.bootstrap),
      async interrupt() {
        await brokers.kill(0);
        await brokers.restart(0);
      },
      close: brokers.close,
    };
  });
});

describe.skipIf(!haveKafka())('kafkajs on a real broker', () => {
  let stream: Stream;
  const kafka = () => new Kafka({ brokers: kafkaBrokers(), logLevel: logLevel.NOTHING });
  beforeAll(() => {
    stream = openKafka(kafkaBrokers());
  });
  afterAll(() => stream.close());

  test('creates topics with the settings that the contract leans on', async () => {
    const spec = topicSpec();
    await stream.ensureTopics([spec]);
    const admin = kafka().admin();
    await admin.connect();
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: 2, name: spec.topic }],
    });
    const settings = Object.fromEntries(resources[0]!.configEntries.map((one) => [one.configName, one.configValue]));
    expect(settings).toMatchObject({
      'message.timestamp.type': 'LogAppendTime',
      'cleanup.policy': 'delete',
      'retention.ms': '86400000',
      'max.message.bytes': '101024',
    });
    await admin.disconnect();
  });

  test('refuses a topic that keeps the time of its writers, and names the command that mends it', async () => {
    const spec = topicSpec();
    const admin = kafka().admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: spec.topic, numPartitions: 3 }] });
    await admin.disconnect();
    await expect(stream.ensureTopics([spec])).rejects.toThrow(
      /kafka-configs\.sh .*message\.timestamp\.type=LogAppendTime/,
    );
  });

  test('is a member that the broker knows, leaves its group when it stops, and commits no offsets', async () => {
    const spec = topicSpec();
    await stream.ensureTopics([spec]);
    const group = randomUUID();
    const assigned: number[] = [];
    let handled = 0;
    const consumer = await stream.consume({
      topic: spec.topic,
      group,
      handlers: {
        onAssigned: async ({ partition }) => assigned.push(partition) && 0,
        onBatch: async ({ records }) => {
          handled += records.length;
        },
        onLost: async () => {},
      },
    });
    await stream.append([record(spec.topic, 'w', 'one')]);
    await expect.poll(() => handled, soon).toBe(1);
    const admin = kafka().admin();
    await admin.connect();
    const described = async () => (await admin.describeGroups([group])).groups[0]!;
    expect(await described()).toMatchObject({ state: 'Stable', members: [{ clientId: 'test' }] });
    expect(assigned.toSorted()).toEqual([0, 1, 2]);
    await consumer.stop();
    await expect.poll(async () => (await described()).state, soon).toBe('Empty');
    const [offsets] = await admin.fetchOffsets({ groupId: group, topics: [spec.topic] });
    expect(offsets?.partitions.filter(({ offset }) => offset !== '-1')).toEqual([]);
    await admin.disconnect();
  });

  test('deletes the group that a read needed', async () => {
    const spec = topicSpec();
    await stream.ensureTopics([spec]);
    const [at] = await stream.append([record(spec.topic, 'w', 'one')]);
    expect(await stream.read({ topic: spec.topic, partition: at!.partition, from: 0, limit: 10 })).toHaveLength(1);
    const admin = kafka().admin();
    await admin.connect();
    const { groups } = await admin.listGroups();
    expect(groups.filter(({ groupId }) => groupId.startsWith('tripline-read-'))).toEqual([]);
    await admin.disconnect();
  });

  test('sets no timers while it is idle', async () => {
    const spec = topicSpec();
    await stream.ensureTopics([spec]);
    await stream.append([record(spec.topic, 'w', 'one')]);
    const timers = vi.spyOn(globalThis, 'setTimeout');
    try {
      await wait(500);
      expect(timers.mock.calls).toEqual([]);
    } finally {
      timers.mockRestore();
    }
  });

  test('an unreachable broker is StreamUnavailableError, in time', async () => {
    const away = openKafka(['127.0.0.1:1']);
    await expect(away.check()).rejects.toBeInstanceOf(StreamUnavailableError);
    await expect(away.append([record('t', 'w', 'one')])).rejects.toBeInstanceOf(StreamUnavailableError);
    await expect(away.ensureTopics([topicSpec()])).rejects.toBeInstanceOf(StreamUnavailableError);
    await away.close();
  });

  test('a fresh broker logs no warning for what passes by itself', () => {
    const warnings = lines.map((line) => JSON.parse(line)).filter((line) => line.level >= 40);
    expect(warnings.filter((line) => /coordinator|partitioner/i.test(JSON.stringify(line)))).toEqual([]);
  });
});

describe.skipIf(!haveKafka())('three brokers', () => {
  let brokers: Brokers;
  let stream: Stream;
  beforeAll(async () => {
    brokers = await startBrokers({ brokers: 3 });
    stream = openKafka(brokers.bootstrap, 3);
  });
  afterAll(async () => {
    await stream?.close();
    await brokers?.close();
  });

  test('every acknowledged record is handed over, in order, though a broker is killed under load', async () => {
    const spec = topicSpec({ partitions: 4 });
    await stream.ensureTopics([spec]);
    const seen: string[] = [];
    const next = new Map<number, number>();
    await stream.consume({
      topic: spec.topic,
      group: randomUUID(),
      handlers: {
        onAssigned: async ({ partition }) => next.get(partition) ?? 0,
        async onBatch({ partition, records }) {
          for (const one of records) {
            expect(one.offset).toBe(next.get(partition) ?? 0);
            next.set(partition, one.offset + 1);
            seen.push(one.value!.toString());
          }
        },
        onLost: async () => {},
      },
    });
    const kept: string[] = [];
    let appending = true;
    const writer = (async () => {
      for (let n = 0; appending; n += 10) {
        const texts = Array.from({ length: 10 }, (_, i) => `${n + i}`);
        for (;;) {
          try {
            await stream.append(texts.map((text) => record(spec.topic, `w${Number(text) % 9}`, text)));
            break;
          } catch (error) {
            expect(error).toBeInstanceOf(StreamUnavailableError);
          }
        }
        kept.push(...texts);
      }
    })();
    await expect.poll(() => kept.length, soon).toBeGreaterThan(200);
    await brokers.kill(1);
    const then = kept.length;
    await expect.poll(() => kept.length, soon).toBeGreaterThan(then + 500);
    await brokers.restart(1);
    const later = kept.length;
    await expect.poll(() => kept.length, soon).toBeGreaterThan(later + 200);
    appending = false;
    await writer;
    await expect.poll(() => new Set(seen).size, soon).toBe(kept.length);
    expect(new Set(seen)).toEqual(new Set(kept));
  });
});
