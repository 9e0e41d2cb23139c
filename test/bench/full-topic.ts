import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '@tripline/db/database';
import { startEmbedded } from '@tripline/db/embedded';
import { topics } from '@tripline/stream/contract';
import { databaseUrl } from '../setup/postgres.global.ts';
import { makeCorpus } from './corpus.ts';
import type { Found } from './peers/peer.ts';
import { checkFindings } from './peers/true-findings.ts';
import { start } from './processes.ts';
import { fillTopic, recordsOf } from './records.ts';

/** What a contestant took for the whole topic, from its first batch on; `cpuMicros`: of its own process. */
export type Played = { records: number; seconds: number; cpuMicros: number };

/**
 * A topic full of the corpus, a database server beside it, and the two who are always held against each other: our
 * detector, and kafkajs that parses each record. Either has core 0 to itself.
 */
export async function fullTopic(options: { brokers: string; deliveries: number }) {
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
  let round = 0;

  return {
    corpus,
    records,
    total,
    check,
    topic: topics.events,
    postgresUrl: postgres.url,

    /** Our detector on a database of its own. `preload`: what its process imports first. */
    async ours(preload: readonly string[] = []): Promise<Played & { written: number }> {
      const name = `bench_${++round}`;
      const maintenance = openDatabase(postgres.url, { applicationName: 'bench' });
      await maintenance.pool.query(`CREATE DATABASE ${name}`);
      const imports = preload.flatMap((file) => ['--import', join(import.meta.dirname, file)]);
      const args = [...asTripline, ...imports, join(import.meta.dirname, 'detector-ours.ts'), String(total)];
      const played = await said<Played & { written: number; found: Found[] }>(args, {
        DATABASE_URL: databaseUrl(postgres.url, name),
        KAFKA_BROKERS: brokers,
      });
      await maintenance.pool.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await maintenance.close();
      check(played.found);
      return played;
    },
    /** kafkajs with one JSON.parse an event. */
    parsing: () =>
      said<Played>([join(import.meta.dirname, 'detector-limit.ts'), brokers, topics.events, String(total)]),

    async close(): Promise<void> {
      await postgres.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** As `tripline detector` starts itself (packages/cli/tripline.mjs). */
const asTripline = ['--min-semi-space-size=32', '--max-semi-space-size=32'];

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
