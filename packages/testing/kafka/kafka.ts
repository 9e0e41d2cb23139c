import { inject } from 'vitest';
import './kafka.global.ts';

/** Whether this run has a broker. A suite without one says so: `describe.skipIf(!haveKafka())`. */
export function haveKafka(): boolean {
  return inject('kafkaBrokers').length > 0;
}

/** Brokers of the run (wide project only), shared by all files: take topics and groups of your own. */
export function kafkaBrokers(): string[] {
  const brokers = inject('kafkaBrokers');
  if (brokers.length === 0) throw new Error('this run has no Kafka: set KAFKA_BROKERS, or install Java 17 and Maven');
  return brokers;
}
