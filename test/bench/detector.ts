import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toEventRecord } from '@tripline/contracts/event-record';
import { openDatabase } from '@tripline/db/database';
import { startEmbedded } from '@tripline/db/embedded';
import { systemClock } from '@tripline/runtime/clock';
import { loadConfig } from '@tripline/runtime/config';
import { createLogger } from '@tripline/runtime/logger';
import { github } from '@tripline/sources/github/source';
import { createWorkspaces } from '@tripline/sources/workspace';
import { topics } from '@tripline/stream/contract';
import { openStream } from '@tripline/stream/open';
import { databaseUrl } from '../setup/postgres.global.ts';
import { makeCorpus } from './corpus.ts';
import { interleave, type Series } from './measure.ts';
import { start } from './processes.ts';

/**
 * Events a second that one detector process judges by all rules and commits to Postgres exactly once, beside kafkajs
 * that reads the same records and parses each. Either has core 0 to itself; broker and database share core 1.
 */
export async function benchDetector(options: {
  brokers: string;
  deliveries: number;
  rounds: number;
}): Promise<Series[]> {
  const { total, attacks } = await fillTopic(options.brokers, options.deliveries);
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

/** Normalises the corpus as the receiver would, and appends it. */
async function fillTopic(brokers: string, deliveries: number): Promise<{ total: number; attacks: number }> {
  const corpus = makeCorpus({ deliveries, workspaces: 200, attackEvery: 500, seed: 42, startMs: Date.now() });
  const config = loadConfig({ KAFKA_BROKERS: brokers }, tmpdir());
  const workspaces = createWorkspaces(config);
  const records = corpus.deliveries.map((delivery) => {
    const normalised = github.normalise(
      {
        rawBody: delivery.body,
        headers: { 'x-github-event': delivery.event, 'x-github-delivery': delivery.id },
        receivedAtMs: Date.now(),
        bodySha256: createHash('sha256').update(delivery.body).digest('hex'),
      },
      workspaces,
    );
    if (!('event' in normalised))
      throw new Error(`${delivery.event} was not normalised: ${JSON.stringify(normalised)}`);
    return { topic: topics.events, ...toEventRecord(normalised.event) };
  });
  // Kafka asks nothing of it.
  const db = openDatabase('postgres://localhost/unused', { applicationName: 'bench' });
  const stream = await openStream({
    config,
    db,
    logger: createLogger({ service: 'bench', level: 'warn' }),
    clock: systemClock,
  });
  for (let at = 0; at < records.length; at += 1000) await stream.append(records.slice(at, at + 1000));
  await stream.close();
  return { total: records.length, attacks: corpus.attacks.length };
}
