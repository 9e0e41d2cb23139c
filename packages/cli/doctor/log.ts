import { setTimeout as pause } from 'node:timers/promises';
import type { Config } from '@tripline/config/config';
import type { Check } from '@tripline/contracts/check';
import type { Db } from '@tripline/db/database';
import { readProgress } from '@tripline/health/progress';
import { systemClock } from '@tripline/runtime/clock';
import { findStandalone } from '@tripline/runtime/data-folder';
import { createLogger } from '@tripline/runtime/logger';
import { connectStream, topicsOf } from '@tripline/stream/open';
import { type Stream, topics } from '@tripline/stream/stream';
import { ask } from './check.ts';

/** The log: whether it takes events, and whether its topics are as Tripline needs them. Makes nothing. */
export async function checkLog(config: Config, db: Db): Promise<Check[]> {
  const logger = createLogger({ service: 'doctor', level: 'silent' });
  const stream = connectStream({ config, db, logger, clock: systemClock });
  try {
    const checks = await checkStream(config, stream);
    const isBroken = checks.some(({ state }) => state === 'broken');
    // An embedded log that nobody has open is judged as soon as somebody has.
    const runs = config.database.url !== undefined || findStandalone(config.dataDir) !== null;
    return isBroken || !runs ? checks : [...checks, ...(await checkReaders(stream, db))];
  } finally {
    await stream.close();
  }
}

async function checkStream(config: Config, stream: Stream): Promise<Check[]> {
  const inKafka = stream.backend === 'kafka';
  const name = inKafka ? 'log in Kafka' : 'log';
  const remedy = inKafka
    ? 'check KAFKA_BROKERS, and that the brokers can be reached from here by the names that they advertise'
    : 'see to Postgres: the log lies there';
  const reach = await ask(name, remedy, async () => {
    await stream.check();
    return { state: 'ok', detail: `takes events, ${config.kafka.brokers?.join(', ') ?? 'in Postgres'}` };
  });
  if (reach.state === 'broken') return [reach];
  const topic = await ask(
    `topic ${topics.events}`,
    'start a service: it makes the topics that are missing',
    async () => {
      const partitions = await stream.offsets(topics.events);
      const wanted = topicsOf(config).find((spec) => spec.topic === topics.events)!.partitions;
      if (partitions.length !== wanted) {
        const detail = `it has ${partitions.length} partitions, and kafka.partitions says ${wanted}`;
        return { state: 'broken', detail, remedy: `set TRIPLINE_KAFKA_PARTITIONS=${partitions.length}` };
      }
      const records = partitions.reduce((sum, { first, next }) => sum + next - first, 0);
      return { state: 'ok', detail: `${partitions.length} partitions, ${records} events` };
    },
  );
  return [reach, topic];
}

/** A detector that was killed has its partitions taken over within 8 s. */
const standsStillMs = 10_000;
const lookEveryMs = 250;

/** Whether those who read the log move on: where events wait, and nothing is read of them for a while, somebody stands still. */
export async function checkReaders(
  stream: Pick<Stream, 'offsets'>,
  db: Db,
  patienceMs = standsStillMs,
): Promise<Check[]> {
  const ends = await stream.offsets(topics.events);
  const before = await readProgress(db, topics.events);
  const endMs = performance.now() + patienceMs;
  for (;;) {
    const now = await readProgress(db, topics.events);
    const still = (['detector', 'recorder'] as const).map((who) => ({
      who,
      waiting: ends.filter(({ partition, first, next }) => {
        const at = Math.max(now[who].get(partition) ?? 0, first);
        return at < next && now[who].get(partition) === before[who].get(partition);
      }),
    }));
    const isOver = performance.now() >= endMs;
    if (!isOver && still.some(({ waiting }) => waiting.length > 0)) {
      await pause(lookEveryMs);
      continue;
    }
    return still.map(({ who, waiting }): Check => {
      if (waiting.length === 0) return { name: who, state: 'ok', detail: 'reads what the log gets' };
      const detail = `stands still: events wait on ${waiting.length} of ${ends.length} partitions`;
      return { name: who, state: 'broken', detail, remedy: `start it, or see its log: \`npx tripline ${who}\`` };
    });
  }
}
