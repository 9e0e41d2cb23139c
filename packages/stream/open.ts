import type { Db } from '@tripline/db/database';
import type { Clock } from '@tripline/runtime/clock';
import type { Config } from '@tripline/runtime/config';
import type { Logger } from '@tripline/runtime/logger';
import { type Stream, type TopicSpec, topics } from './contract.ts';
import { createEmbeddedStream } from './embedded.ts';
import { createKafkaStream } from './kafka.ts';

/** A normalised event has about 1 kB; a push of thousands of commits, hundreds. */
const maxRecordBytes = 2 * 1024 * 1024;
/** A dead letter is the record with its reason and its former place. */
const deadLetterExtraBytes = 64 * 1024;
/** One process or a few share the embedded log; more partitions would only cost ticks. */
const embeddedPartitions = 4;
const dayMs = 86_400_000;

/**
 * Opens the log that the configuration names, Kafka or else the table in Postgres, and makes the topics that are missing.
 * @throws {StreamUnavailable} Kafka does not answer. {@link Error}: a topic has another setting than it must have.
 */
export async function openStream(parts: { config: Config; db: Db; logger: Logger; clock: Clock }): Promise<Stream> {
  const { kafka, retentionDays } = parts.config;
  const stream = kafka.brokers
    ? createKafkaStream({
        ...kafka,
        brokers: kafka.brokers,
        clientId: 'tripline',
        logger: parts.logger,
        clock: parts.clock,
      })
    : createEmbeddedStream(parts);
  const partitions = kafka.brokers ? kafka.partitions : embeddedPartitions;
  const retentionMs = retentionDays * dayMs;
  const specs: TopicSpec[] = [
    { topic: topics.events, partitions, retentionMs, maxRecordBytes },
    { topic: topics.deadLetters, partitions: 1, retentionMs, maxRecordBytes: maxRecordBytes + deadLetterExtraBytes },
  ];
  try {
    await stream.ensureTopics(specs);
    return stream;
  } catch (error) {
    await stream.close();
    throw error;
  }
}
