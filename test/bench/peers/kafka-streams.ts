import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { warmEvents } from '../full-topic.ts';
import { format } from '../measure.ts';
import { built } from './build-cache.ts';
import { withFindings } from './findings-database.ts';
import { type DetectorTask, orAbsent, type Peer, prepare, startProgram } from './peer.ts';

const name = 'Kafka Streams 4.3.1, the same rules, exactly once into Postgres';
const note =
  'exactly_once_v2, commits each 100 ms, RocksDB with shared cache and Bloom filters, one stream thread; findings by ' +
  `topic and idempotent upsert; one JVM for all rounds, warm by ${warmEvents.toLocaleString('en')} events before the first that counts`;
const source = join(import.meta.dirname, 'kafka-streams');

/** Of all peers of this process: no two rounds share an application's name. */
let rounds = 0;

/** What a round may turn beside the defaults that the manual advises. */
type Tuning = { commitMs?: number; compression?: 'none' | 'lz4' };

/**
 * The same three rules on Kafka Streams. From the first record processed, once all tasks are ready, until the offsets of all are committed and
 * their findings stand in Postgres. Needs Java 17 and Maven, which fetches what it is built of once.
 */
export function kafkaStreams(task: DetectorTask & { postgresUrl: string; tuning?: Tuning }) {
  return orAbsent(name, async (): Promise<Peer> => {
    const folder = await built('kafka-streams', [join(source, 'pom.xml'), join(source, 'src')], (draft) =>
      prepare('mvn', ['-q', '-B', '-f', join(source, 'pom.xml'), `-Dout=${draft}`, 'package']),
    );
    const jvm = startJvm(join(folder, 'jars', '*'));
    let warmed = 0;
    const run = async () => {
      for (; warmed < warmEvents; warmed += task.total) await playOnce();
      return playOnce();
    };
    const playOnce = async () => {
      rounds += 1;
      const database = `kafka_streams_${process.pid}_${rounds}`;
      const stateDir = mkdtempSync(join(tmpdir(), 'tripline-bench-'));
      try {
        return await withFindings(task.postgresUrl, database, async ({ read }) => {
          const server = new URL(task.postgresUrl);
          const { records, seconds, cpuSeconds } = await jvm.play({
            application: `bench-streams-${process.pid}-${rounds}`,
            brokers: task.brokers,
            topic: task.topic,
            total: task.total,
            stateDir,
            socket: join(server.searchParams.get('host')!, '.s.PGSQL.5432'),
            user: server.username,
            database,
            learningMs: (task.learningDays ?? 14) * 86_400_000,
            settings: task.settings ?? {},
            ...task.tuning,
          });
          task.check(await read());
          process.stderr.write(`  Kafka Streams: ${format((cpuSeconds * 1e6) / records)} µs CPU an event\n`);
          return records / seconds;
        });
      } finally {
        rmSync(stateDir, { recursive: true, force: true });
      }
    };
    return { name, unit: 'events/s', note, run, close: jvm.close };
  });
}

type Played = { records: number; seconds: number; cpuSeconds: number };

function startJvm(classPath: string) {
  // One core, and so the serial collector; the heap is of one size from the start.
  const { process: child, output } = startProgram(
    [
      'java',
      ...['-Xms2g', '-Xmx2g', '-XX:+UseSerialGC', '-XX:+AlwaysPreTouch'],
      ...['-Dorg.slf4j.simpleLogger.defaultLogLevel=error', '-cp', classPath, 'tripline.peer.Main'],
    ],
    { core: 0 },
  );
  const lines = createInterface({ input: child.stdout! });
  const ended = once(child, 'close').then(() => {
    throw new Error(`the JVM ended:\n${output()}`);
  });
  ended.catch(() => {});
  return {
    async play(round: object): Promise<Played> {
      child.stdin!.write(`${JSON.stringify(round)}\n`);
      for (;;) {
        const [line] = await Promise.race([once(lines, 'line') as Promise<[string]>, ended]);
        if (line.startsWith('{')) return JSON.parse(line) as Played;
      }
    },
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.stdin!.end();
      await exited;
    },
  };
}
