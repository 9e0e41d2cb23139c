import kafkajs, { type Admin } from 'kafkajs';
import { StreamUnfitError, type TopicSpec } from '../stream.ts';
import type { KafkaRight } from './fault.ts';

/** What Kafka adds to a batch of one record: the batch header, rounded up. */
const batchOverheadBytes = 1024;

export type TopicFacts = { partitions: number; maxRecordBytes: number; appendTime: boolean };

/** Runs an operation that needs these rights; an error names the missing one. */
export type Taking = <T>(rights: readonly KafkaRight[], work: () => Promise<T>) => Promise<T>;

/**
 * A topic's configuration in Kafka, or null when it does not exist yet: a broker may list a topic before it can
 * describe it.
 */
export async function describeTopic(admin: Admin, topic: string, take: Taking): Promise<TopicFacts | null> {
  try {
    return await factsFrom(admin, topic, take);
  } catch (error) {
    if ((error as { type?: string }).type === 'UNKNOWN_TOPIC_OR_PARTITION') return null;
    throw error;
  }
}

async function factsFrom(admin: Admin, topic: string, take: Taking): Promise<TopicFacts | null> {
  if (!(await admin.listTopics()).includes(topic)) return null;
  const { topics } = await take([{ operation: 'Describe', topic }], () =>
    admin.fetchTopicMetadata({ topics: [topic] }),
  );
  const { resources } = await take([{ operation: 'DescribeConfigs', topic }], () =>
    admin.describeConfigs({
      includeSynonyms: false,
      resources: [
        {
          type: kafkajs.ConfigResourceTypes.TOPIC,
          name: topic,
          configNames: ['message.timestamp.type', 'max.message.bytes'],
        },
      ],
    }),
  );
  const setting = (name: string) => resources[0]?.configEntries.find((entry) => entry.configName === name)?.configValue;
  return {
    partitions: topics[0]!.partitions.length,
    maxRecordBytes: Number(setting('max.message.bytes')) - batchOverheadBytes,
    appendTime: setting('message.timestamp.type') === 'LogAppendTime',
  };
}

/** Creates a missing topic. One broker may confirm it before the others know it, so callers retry. */
export async function createTopic(admin: Admin, spec: TopicSpec, replicationFactor: number): Promise<void> {
  await admin.createTopics({
    waitForLeaders: true,
    topics: [
      {
        topic: spec.topic,
        numPartitions: spec.partitions,
        replicationFactor,
        configEntries: Object.entries({
          'message.timestamp.type': 'LogAppendTime',
          'cleanup.policy': 'delete',
          'retention.ms': String(spec.retentionMs),
          'max.message.bytes': String(spec.maxRecordBytes + batchOverheadBytes),
          ...(replicationFactor >= 3 ? { 'min.insync.replicas': '2' } : {}),
        }).map(([name, value]) => ({ name, value })),
      },
    ],
  });
}

/** @throws {StreamUnfitError} naming the wrong setting of an existing topic, and the command that fixes it. */
export function checkTopic(spec: TopicSpec, there: TopicFacts): void {
  const alter = `kafka-configs.sh --alter --entity-type topics --entity-name ${spec.topic} --add-config`;
  if (there.partitions !== spec.partitions) {
    throw new StreamUnfitError(
      `topic ${spec.topic} has ${there.partitions} partitions, not the ${spec.partitions} that are configured; set kafka.partitions to ${there.partitions}, since keys would change their place`,
    );
  }
  if (!there.appendTime) {
    throw new StreamUnfitError(
      `topic ${spec.topic} keeps the time of its writers; rules need the broker's: ${alter} message.timestamp.type=LogAppendTime`,
    );
  }
  if (there.maxRecordBytes < spec.maxRecordBytes) {
    throw new StreamUnfitError(
      `topic ${spec.topic} takes records of ${there.maxRecordBytes} bytes and must take ${spec.maxRecordBytes}: ${alter} max.message.bytes=${spec.maxRecordBytes + batchOverheadBytes}`,
    );
  }
}
