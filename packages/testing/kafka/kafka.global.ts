import type { TestProject } from 'vitest/node';
import { startBrokers } from './broker.ts';
import { NoKafkaError } from './jars.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Brokers of the run; empty where Kafka cannot be had. */
    kafkaBrokers: string[];
  }
}

/** One broker for the run: `KAFKA_BROKERS` where set, else a real one by Java and Maven. Without either, suites that need it are skipped, and under CI that fails. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const given = process.env['KAFKA_BROKERS'];
  if (given) {
    project.provide('kafkaBrokers', given.split(','));
    return undefined;
  }
  try {
    const brokers = await startBrokers({ brokers: 1 });
    project.provide('kafkaBrokers', brokers.bootstrap);
    return brokers.close;
  } catch (error) {
    if (!(error instanceof NoKafkaError) || process.env['CI'] === 'true') throw error;
    console.warn(`\n*** KAFKA SUITES ARE SKIPPED: ${error.message} ***\n`);
    project.provide('kafkaBrokers', []);
    return undefined;
  }
}
