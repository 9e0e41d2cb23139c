import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '@tripline/db/database';
import { startEmbedded } from '@tripline/db/embedded';
import { topics } from '@tripline/stream/contract';
import { databaseUrl } from '../setup/postgres.global.ts';
import { makeCorpus } from './corpus.ts';
import { interleave, type Series } from './measure.ts';
import { start } from './processes.ts';
import { fillTopic, recordsOf } from './records.ts';

/**
 * Events a second that one detector process judges by all rules and commits to Postgres exactly once, beside kafkajs
 * that reads the same records and parses each. Either has core 0 to itself; broker and database share core 1.
 */
export async function benchDetector(options: {
  brokers: string;
  deliveries: number;
  rounds: number;
}): Promise<Series[]> {
  const corpus = makeCorpus({
    deliveries: options.deliveries,
    workspaces: 200,
    attackEvery: 30,
    seed: 42,
    startMs: Date.now(),
  });
  const records = recordsOf(corpus);
  await fillTopic(options.brokers, records);
  const [total, attacks] = [records.length, corpus.attacks.length];
  const folder = mkdtempSync(join(tmpdir(), 'tripline-bench-'));
  const postgres = await startEmbedded({ dataDir: join(folder, 'postgres') });
  let round = 0;

  const run = async (args: string[], env: Record<string, string> = {}) => {
    const contestant = start(args, { core: 0, env });
    await new Promise((resolve) => contestant.process.once('exit', resolve));
    const line = contestant
      .output()
      .split('\n')
      .find((text) => text.startsWith('{"records"'));
    if (line === undefined) throw new Error(`the contestant said nothing:\n${contestant.output()}`);
    return JSON.parse(line) as { records: number; seconds: number; findings?: number };
  };
  const ours = async () => {
    const name = `bench_${++round}`;
    const maintenance = openDatabase(postgres.url, { applicationName: 'bench' });
    await maintenance.pool.query(`CREATE DATABASE ${name}`);
    const result = await run([join(import.meta.dirname, 'detector-ours.ts'), String(total)], {
      DATABASE_URL: databaseUrl(postgres.url, name),
      KAFKA_BROKERS: options.brokers,
    });
    await maintenance.pool.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await maintenance.close();
    if (result.findings !== attacks)
      throw new Error(`the corpus holds ${attacks} true findings, and ${result.findings} were found`);
    return result.records / result.seconds;
  };
  const limit = async () => {
    const result = await run([
      join(import.meta.dirname, 'detector-limit.ts'),
      options.brokers,
      topics.events,
      String(total),
    ]);
    return result.records / result.seconds;
  };
  try {
    return await interleave(
      [
        { name: 'detector, all rules, exactly once into Postgres', unit: 'events/s', run: ours },
        { name: 'limit: kafkajs with one JSON.parse an event', unit: 'events/s', run: limit },
      ],
      options.rounds,
    );
  } finally {
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
