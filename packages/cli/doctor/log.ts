import { setTimeout as pause } from 'node:timers/promises';
import type { Config } from '@tripline/config/config';
import type { Check } from '@tripline/contracts/check';
import type { Db } from '@tripline/db/database';
import { type LogReader, readProgress } from '@tripline/health/progress';
import { systemClock } from '@tripline/runtime/clock';
import { findStandalone } from '@tripline/runtime/data-folder';
import { createLogger } from '@tripline/runtime/logger';
import { connectStream, topicsOf } from '@tripline/stream/open';
import { type Stream, topics } from '@tripline/stream/stream';
import { readDeadLetters } from '../dead-letters/read.ts';
import { sentenceFor } from '../errors.ts';
import { moment } from '../show.ts';
import { ask } from './check.ts';

/** Checks that the log accepts events, and that its topics are as Tripline needs them. Creates nothing. */
export async function checkLog(config: Config, db: Db): Promise<Check[]> {
  const logger = createLogger({ service: 'doctor', level: 'silent' });
  const stream = connectStream({ config, db, logger, clock: systemClock });
  try {
    const checks = await checkStream(config, stream);
    const isBroken = checks.some(({ state }) => state === 'broken');
    // An embedded log is checked only while a process has it open.
    const runs = config.database.url !== undefined || findStandalone(config.dataDir) !== null;
    return isBroken || !runs ? checks : [...checks, ...(await checkReaders(stream, db, readersOf(config)))];
  } finally {
    await stream.close();
  }
}

async function checkStream(config: Config, stream: Stream): Promise<Check[]> {
  const inKafka = stream.backend === 'kafka';
  const name = inKafka ? 'log in Kafka' : 'log';
  const remedy = inKafka
    ? 'check KAFKA_BROKERS, and that the brokers can be reached from here by the names that they advertise'
    : 'check Postgres: the log is a table there';
  const reach = await ask(name, remedy, async () => {
    await stream.check();
    return { state: 'ok', detail: `takes events, ${config.kafka.brokers?.join(', ') ?? 'in Postgres'}` };
  });
  if (reach.state === 'broken') return [reach];
  const topic = await ask(`topic ${topics.events}`, 'start a service: it creates the missing topics', async () => {
    const partitions = await stream.offsets(topics.events);
    const wanted = topicsOf(config).find((spec) => spec.topic === topics.events)!.partitions;
    if (partitions.length !== wanted) {
      const detail = `it has ${partitions.length} partitions, and kafka.partitions says ${wanted}`;
      return { state: 'broken', detail, remedy: `set TRIPLINE_KAFKA_PARTITIONS=${partitions.length}` };
    }
    const records = partitions.reduce((sum, { first, next }) => sum + next - first, 0);
    return { state: 'ok', detail: `${partitions.length} partitions, ${records} events` };
  });
  const letters = await ask('dead letters', 'start a service: it creates the missing topics', () =>
    lookAtLetters(stream),
  );
  return [reach, topic, letters];
}

async function lookAtLetters(stream: Stream): Promise<Omit<Check, 'name'>> {
  const { count, letters } = await readDeadLetters(stream, { limit: 1 });
  const [newest] = letters;
  if (newest === undefined) return { state: 'ok', detail: 'none' };
  const { at, from, reason } = newest;
  const detail = `${count} kept of what could not be read or processed, the last at ${moment(at)} UTC (${from}: ${reason})`;
  return { state: 'ok', detail, remedy: 'see them with `npx tripline dead-letters`' };
}

/** A detector that was killed has its partitions taken over within 8 s. */
const standsStillMs = 10_000;
const lookEveryMs = 250;
/** What is told within a second usually has waited too long by then. */
const farBehindMs = 60_000;

/** Who reads the log by these settings: without policies, and with nothing to give, the broker does not. */
const readersOf = ({ broker }: Pick<Config, 'broker'>): LogReader[] => [
  ...(['detector', 'recorder'] as const),
  ...(broker.policy === undefined ? [] : (['broker'] as const)),
];

/** Whether the log's readers make progress: a reader that reads nothing for a while although events wait is stuck. */
export async function checkReaders(
  stream: Pick<Stream, 'offsets' | 'read'>,
  db: Db,
  readers: readonly LogReader[] = ['detector', 'recorder'],
  patienceMs = standsStillMs,
): Promise<Check[]> {
  const ends = await stream.offsets(topics.events);
  const before = await readProgress(db, topics.events);
  const endMs = performance.now() + patienceMs;
  for (;;) {
    const now = await readProgress(db, topics.events);
    const still = readers.map((who) => ({
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
    return Promise.all(
      still.map(({ who, waiting }) => {
        if (waiting.length === 0) return behind(stream, who, ends, now[who]);
        const detail = `makes no progress: events wait on ${waiting.length} of ${ends.length} partitions`;
        return { name: nameOf(who), state: 'broken' as const, detail, remedy: remedyOf(who) };
      }),
    );
  }
}

/** `broker` alone is the check of its settings. */
const nameOf = (who: LogReader) => (who === 'broker' ? 'broker at the log' : who);
const remedyOf = (who: string) => `start it, or see its log: \`npx tripline ${who}\``;

/** A reader that makes progress: how much waits for it, and since when the oldest of it does. */
async function behind(
  stream: Pick<Stream, 'read'>,
  reader: LogReader,
  ends: Awaited<ReturnType<Stream['offsets']>>,
  progress: ReadonlyMap<number, number>,
): Promise<Check> {
  const name = nameOf(reader);
  const left = ends
    .map(({ partition, first, next }) => ({ partition, next, from: Math.max(progress.get(partition) ?? 0, first) }))
    .filter(({ from, next }) => from < next);
  const events = left.reduce((sum, { from, next }) => sum + next - from, 0);
  const wait = `${events} ${events === 1 ? 'event waits' : 'events wait'} for it`;
  let appended: number[];
  try {
    const oldest = await Promise.all(
      left.map(({ partition, from }) => stream.read({ topic: topics.events, partition, from, limit: 1 })),
    );
    appended = oldest.flat().map(({ appendedAtMs }) => appendedAtMs);
  } catch (error) {
    const reason = sentenceFor(error) ?? (error as Error).message;
    return {
      name,
      state: 'broken',
      detail: `${wait}, and the oldest cannot be read: ${reason}`,
      remedy: remedyOf(reader),
    };
  }
  if (appended.length === 0) return { name, state: 'ok', detail: 'keeps up with the log' };
  const sinceMs = Math.min(...appended);
  const detail = `makes progress; ${wait}, the oldest since ${moment(new Date(sinceMs))} UTC`;
  if (Date.now() - sinceMs < farBehindMs) return { name, state: 'ok', detail };
  const remedy = `wait until it has caught up; where it falls further behind, run more of them (\`npx tripline ${reader}\`), or see its log for what is slow`;
  return { name, state: 'broken', detail, remedy };
}
