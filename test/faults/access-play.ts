import { type Brokers, startBrokers } from '../../packages/testing/kafka/broker.ts';
import { freshDatabaseOn } from '../../packages/testing/postgres/fresh-database.ts';
import { type AccessGround, openAccess } from './access-ground.ts';

/** Where the log of a play lies. Kafka is one of the play's own: all brokers of Tripline read one topic, in one group. */
export type LogPlace = 'Postgres' | 'Kafka';

/** The ground of a play on a database of its own. `kafka`: where the log lies in one, its only broker is number 0. */
export type AccessPlay = { ground: AccessGround; kafka: Brokers | undefined; close: () => Promise<void> };

/** @throws {NoKafkaError} when the log is to lie in Kafka, and this machine cannot run one. */
export async function openAccessPlay(postgresUrl: string, log: LogPlace): Promise<AccessPlay> {
  const kafka = log === 'Kafka' ? await startBrokers({ brokers: 1 }) : undefined;
  const database = await freshDatabaseOn(postgresUrl);
  const ground = await openAccess(database, { brokers: kafka?.bootstrap ?? [] });
  return {
    ground,
    kafka,
    async close() {
      await ground.close();
      await kafka?.close();
      await database.close();
    },
  };
}

/** A play's name and what it needs, by where its log lies. */
export const onLog = (log: LogPlace, name: string, what: string) =>
  log === 'Kafka'
    ? { name: `${name}-kafka`, what: `${what}, the log in Kafka`, needsKafka: true }
    : { name, what, needsKafka: false };
