import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '@tripline/db/database';
import { startEmbedded } from '@tripline/db/embedded';
import { topics } from '@tripline/stream/contract';
import { databaseUrl } from '../setup/postgres.global.ts';
import { makeCorpus } from './corpus.ts';
import { interleave, median, type Series } from './measure.ts';
import { kafkaStreams } from './peers/kafka-streams.ts';
import { kafkajsLimit } from './peers/limits.ts';
import type { Absent, Found, Peer } from './peers/peer.ts';
import { rsigma } from './peers/rsigma.ts';
import { checkFindings } from './peers/true-findings.ts';
import { start } from './processes.ts';
import { fillTopic, recordsOf } from './records.ts';
import { beside, bounded, type Row, row } from './table.ts';

/**
 * Events a second that one detector process judges by all rules and commits to Postgres exactly once, beside itself
 * without the fenced position, kafkajs that reads the same records and parses each or does nothing, and the peers.
 * Each has core 0 to itself; broker and database share core 1.
 */
export async function benchDetector(options: { brokers: string; deliveries: number; rounds: number }): Promise<Row[]> {
  const { brokers } = options;
  const corpus = makeCorpus({
    deliveries: options.deliveries,
    workspaces: 200,
    attackEvery: 30,
    seed: 42,
    startMs: Date.now(),
  });
  const records = recordsOf(corpus);
  await fillTopic(brokers, records);
  const total = records.length;
  const check = checkFindings(corpus);
  const folder = mkdtempSync(join(tmpdir(), 'tripline-bench-'));
  const postgres = await startEmbedded({ dataDir: join(folder, 'postgres') });
  const asked = [
    await kafkaStreams({ brokers, topic: topics.events, total, check, postgresUrl: postgres.url }),
    await rsigma({ records, corpus, check }),
  ];
  const peers = asked.filter((peer): peer is Peer => 'run' in peer);
  const absent = asked.filter((peer): peer is Absent => 'absent' in peer);
  const idle = kafkajsLimit({ brokers, topic: topics.events, total });

  let round = 0;
  const rowsWritten: number[] = [];
  const ours = async (preload: string[]) => {
    const name = `bench_${++round}`;
    const maintenance = openDatabase(postgres.url, { applicationName: 'bench' });
    await maintenance.pool.query(`CREATE DATABASE ${name}`);
    const args = [...preload, join(import.meta.dirname, 'detector-ours.ts'), String(total)];
    const result = await said<{ records: number; seconds: number; written: number; found: Found[] }>(args, {
      DATABASE_URL: databaseUrl(postgres.url, name),
      KAFKA_BROKERS: brokers,
    });
    await maintenance.pool.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await maintenance.close();
    check(result.found);
    rowsWritten.push(result.written / result.records);
    return result.records / result.seconds;
  };
  const limit = async () => {
    const args = [join(import.meta.dirname, 'detector-limit.ts'), brokers, topics.events, String(total)];
    const result = await said<{ records: number; seconds: number }>(args);
    return result.records / result.seconds;
  };
  try {
    const series = await interleave(
      [
        { name: 'detector, all rules, exactly once into Postgres', unit: 'events/s', run: () => ours([]) },
        { name: 'limit: kafkajs with one JSON.parse an event', unit: 'events/s', run: limit },
        idle,
        {
          name: 'the same without the fenced position',
          unit: 'events/s',
          run: () => ours(['--import', join(import.meta.dirname, 'without-position.ts')]),
        },
        ...peers,
      ],
      options.rounds,
    );
    const [us, parsing, doing, unfenced, ...others] = series as [Series, Series, Series, Series, ...Series[]];
    return [
      beside(us, parsing, { least: 0.5, headline: true }),
      beside(us, doing, { note: idle.note }),
      beside(us, unfenced, { least: 0.95, note: 'what exactly-once costs' }),
      ...others.map((other, index) => {
        return beside(us, other, {
          note: peers[index]!.note,
          headline: true,
          least: other.name.startsWith('Kafka Streams') ? 1.5 : 1,
        });
      }),
      ...absent.map(({ name, absent: why }) => row({ what: us.name, figure: '', beside: `${name}: ${why}` })),
      bounded('rows written an event, all tables, the findings with them', median(rowsWritten), {
        unit: 'rows',
        most: 0.05,
        headline: true,
      }),
    ];
  } finally {
    for (const { close } of [...peers, idle]) await close();
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs a contestant on core 0 to its end; it prints one line of JSON. */
async function said<Line>(args: string[], env: Record<string, string> = {}): Promise<Line> {
  const contestant = start(args, { core: 0, env });
  await new Promise((resolve) => contestant.process.once('close', resolve));
  const line = contestant
    .output()
    .split('\n')
    .find((text) => text.startsWith('{"records"'));
  if (line === undefined) throw new Error(`the contestant said nothing:\n${contestant.output()}`);
  return JSON.parse(line) as Line;
}
