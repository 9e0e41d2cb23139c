import type { Db } from '@tripline/db/database';
import { topics } from '@tripline/stream/stream';
import { Kafka, logLevel } from 'kafkajs';
import { freshDatabaseOn } from '../../packages/testing/postgres/fresh-database.ts';
import { until } from '../faults/service-process.ts';
import { openWhole } from '../faults/whole.ts';
import type { Series } from './measure.ts';

/**
 * Events a second that 1, 2 and 4 detector processes together judge and commit, over the partitions of a topic that is
 * full already. They share the machine with each other, the broker and the database. `postgresUrl`: a server of
 * `startTestPostgres`.
 */
export async function benchScaleOut(options: {
  brokers: readonly string[];
  postgresUrl: string;
  rounds: number;
}): Promise<Series[]> {
  const counts = [1, 2, 4];
  const series = counts.map(processSeries);
  for (let round = 0; round < options.rounds; round += 1) {
    for (const [index, processes] of counts.entries()) {
      const database = await freshDatabaseOn(options.postgresUrl);
      try {
        series[index]!.values.push(await judgeAll({ brokers: options.brokers, database, processes }));
      } finally {
        await database.close();
      }
    }
  }
  return series;
}

export function processSeries(count: number): Series {
  return { name: `${count} detector process${count === 1 ? '' : 'es'}`, unit: 'events/s', values: [] };
}

/**
 * Has so many `tripline detector` judge the whole topic, and answers events a second: from the first commit to the last,
 * with all of them in their group before anybody may begin, so that starting counts for nobody. `database`: migrated,
 * with no position yet.
 */
export async function judgeAll(options: {
  brokers: readonly string[];
  database: { url: string; db: Db };
  processes: number;
  env?: Record<string, string>;
}): Promise<number> {
  const { brokers, database } = options;
  const whole = await openWhole({ databaseUrl: database.url, brokers, deliveries: 0 });
  try {
    const total = await whole.logged();
    if (total === 0) throw new Error('the topic is empty: fill it first');
    const judged = async () => {
      const { rows } = await database.db.pool.query<{ judged: number }>(
        "SELECT coalesce(sum(next), 0)::int AS judged FROM positions WHERE consumer = 'detector' AND topic = $1",
        [topics.events],
      );
      return rows[0]!.judged;
    };
    const env = { TRIPLINE_LOG_LEVEL: 'warn', ...options.env };
    const held = await database.db.pool.connect();
    // Nobody can take a partition until it ends.
    await held.query('BEGIN; LOCK TABLE positions IN SHARE ROW EXCLUSIVE MODE');
    for (let nth = 0; nth < options.processes; nth += 1) whole.start('detector', { env });
    await haveJoined(brokers, options.processes).finally(() => held.release(true));
    let begunMs = 0;
    let before = 0;
    for (;;) {
      const now = await judged();
      if (begunMs === 0 && now > 0) [begunMs, before] = [performance.now(), now];
      if (now >= total) return (total - before) / ((performance.now() - begunMs) / 1000);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  } finally {
    await whole.close();
  }
}

/** Resolves when the detectors' group has so many members, each with its share; those killed before are out of it by then. */
async function haveJoined(brokers: readonly string[], processes: number): Promise<void> {
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const isWhole = async () => {
    const named = (await admin.listGroups()).groups.map(({ groupId }) => groupId);
    const { groups } = await admin.describeGroups(named.filter((name) => name.startsWith('tripline-detector')));
    return groups.some(({ state, members }) => state === 'Stable' && members.length === processes);
  };
  // A broker that has just begun says so, and is asked again.
  const looks = () =>
    isWhole().catch((error) => {
      if ((error as { retriable?: boolean }).retriable) return false;
      throw error;
    });
  try {
    await until(looks, { patienceMs: 120_000, everyMs: 100, what: `a group of ${processes} detectors` });
  } finally {
    await admin.disconnect();
  }
}
