import type { Db } from '@tripline/db/database';
import type { Clock } from '@tripline/runtime/clock';
import { ConfigError } from '@tripline/runtime/load-settings';
import type { Logger } from '@tripline/runtime/logger';
import type { KafkaSettings } from './kafka/settings.ts';
import { createKafkaStream } from './kafka/stream.ts';
import { createEmbeddedStream } from './postgres/stream.ts';
import { type Stream, type TopicSpec, topics } from './stream.ts';

/** A normalised event has about 1 kB; a push of thousands of commits, hundreds. */
const maxRecordBytes = 2 * 1024 * 1024;
/** A dead letter is the record with its reason and its original position. */
const deadLetterExtraBytes = 64 * 1024;
/** One process or a few share the embedded log; more partitions would only cost ticks. */
const embeddedPartitions = 4;
const dayMs = 86_400_000;

/** The settings that select the log. */
export type LogSettings = { kafka: KafkaSettings; retentionDays: number };

export type OpenStreamParts = {
  config: LogSettings;
  /** Kafka client id of this process. */
  clientId?: string;
  /** Database of the embedded log; may be null with Kafka. */
  db: Db | null;
  logger: Logger;
  clock: Clock;
};

/** The topics that the settings require. */
export function topicsOf({ kafka, retentionDays }: LogSettings): TopicSpec[] {
  const partitions = kafka.brokers ? kafka.partitions : embeddedPartitions;
  const retentionMs = retentionDays * dayMs;
  return [
    { topic: topics.events, partitions, retentionMs, maxRecordBytes },
    { topic: topics.deadLetters, partitions: 1, retentionMs, maxRecordBytes: maxRecordBytes + deadLetterExtraBytes },
  ];
}

/** Creates a client of the configured log, Kafka or else the table in Postgres, without connecting yet. */
export function connectStream({ config, clientId = 'tripline', db, logger, clock }: OpenStreamParts): Stream {
  const { brokers, replicationFactor, clockSkewMs, ...security } = config.kafka;
  if (brokers) return createKafkaStream({ brokers, replicationFactor, clockSkewMs, security, clientId, logger, clock });
  if (db === null) throw new ConfigError('the log lies in Postgres or in Kafka: set DATABASE_URL or KAFKA_BROKERS');
  return createEmbeddedStream({ db, logger, clock });
}

/**
 * Connects to the log and creates missing topics.
 * @throws {StreamUnavailableError} Kafka does not answer. {@link Error}: a topic has another setting than it must have.
 */
export async function openStream(parts: OpenStreamParts): Promise<Stream> {
  const stream = connectStream(parts);
  try {
    await stream.ensureTopics(topicsOf(parts.config));
    return stream;
  } catch (error) {
    await stream.close();
    throw error;
  }
}
