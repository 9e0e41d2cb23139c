import type { Check } from '@tripline/contracts/check';
import type { Db } from '@tripline/db/database';
import { systemClock } from '@tripline/runtime/clock';
import type { Config } from '@tripline/runtime/config';
import { createLogger } from '@tripline/runtime/logger';
import { type Stream, topics } from '@tripline/stream/contract';
import { connectStream, topicsOf } from '@tripline/stream/open';
import { ask } from './check.ts';

/** The log: whether it takes events, and whether its topics are as Tripline needs them. Makes nothing. */
export async function checkLog(config: Config, db: Db): Promise<Check[]> {
  const logger = createLogger({ service: 'doctor', level: 'silent' });
  const stream = connectStream({ config, db, logger, clock: systemClock });
  try {
    return await checkStream(config, stream);
  } finally {
    await stream.close();
  }
}

async function checkStream(config: Config, stream: Stream): Promise<Check[]> {
  const inKafka = stream.backend === 'kafka';
  const name = inKafka ? 'log in Kafka' : 'log';
  const mend = inKafka
    ? 'check KAFKA_BROKERS, and that the brokers can be reached from here by the names that they advertise'
    : 'see to Postgres: the log lies there';
  const reach = await ask(name, mend, async () => {
    await stream.check();
    return { state: 'ok', said: `takes events, ${config.kafka.brokers?.join(', ') ?? 'in Postgres'}` };
  });
  if (reach.state === 'broken') return [reach];
  const topic = await ask(
    `topic ${topics.events}`,
    'start a service: it makes the topics that are missing',
    async () => {
      const partitions = await stream.offsets(topics.events);
      const wanted = topicsOf(config).find((spec) => spec.topic === topics.events)!.partitions;
      if (partitions.length !== wanted) {
        const said = `it has ${partitions.length} partitions, and kafka.partitions says ${wanted}`;
        return { state: 'broken', said, mend: `set TRIPLINE_KAFKA_PARTITIONS=${partitions.length}` };
      }
      const records = partitions.reduce((sum, { first, next }) => sum + next - first, 0);
      return { state: 'ok', said: `${partitions.length} partitions, ${records} events` };
    },
  );
  return [reach, topic];
}
