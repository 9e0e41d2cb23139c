import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { openDatabase } from '@tripline/db/database';
import { startEmbedded } from '@tripline/embedded-postgres/embedded';
import { topics } from '@tripline/stream/stream';
import { databaseUrl } from '../../packages/testing/postgres/postgres.global.ts';
import { makeCorpus } from './corpus.ts';
import { type Found, startProgram } from './peers/peer.ts';
import { checkFindings, restatedRules } from './peers/true-findings.ts';
import { fillTopic, recordsOf } from './records.ts';

/** What a contestant took for the whole topic, from its first batch on; `cpuMicros`: of its own process. */
export type Played = { records: number; seconds: number; cpuMicros: number };

type OurPlay = Played & { written: number; found: Found[] };

/**
 * So many events a process plays before the first round that counts, ours as a peer's: a detector runs for months, and V8's compiler
 * takes 2 to 4 µs an event until some 350,000 have been judged, and 1 and less after.
 */
export const warmEvents = 500_000;

/**
 * A topic full of the corpus, a database server beside it, and the two who are always held against each other: our
 * detector with the pinned rules, and kafkajs that parses each record. Either has core 0 to itself, in one process for all
 * rounds, which plays `warmEvents` before the first that counts.
 */
export async function fullTopic(options: { brokers: string; deliveries: number }) {
  const { brokers } = options;
  const corpus = makeCorpus({
    deliveries: options.deliveries,
    workspaces: 200,
    attackEvery: 30,
    seed: 42,
    startMs: Date.now(),
    answered: true,
  });
  const records = recordsOf(corpus);
  await fillTopic(brokers, records);
  const total = records.length;
  const warmUps = Math.ceil(warmEvents / total);
  const check = checkFindings(corpus);
  const checkPeer = checkFindings(corpus, restatedRules);
  const folder = mkdtempSync(join(tmpdir(), 'tripline-bench-'));
  const postgres = await startEmbedded({ dataDir: join(folder, 'postgres') });
  const here = import.meta.dirname;
  let databases = 0;
  const opened: (() => Promise<void>)[] = [];

  /** Plays `warmUps` times before the first time that it is asked to. */
  function warmed<Result>(play: () => Promise<Result>): () => Promise<Result> {
    let warm = false;
    return async () => {
      for (let nth = 0; !warm && nth < warmUps; nth += 1) await play();
      warm = true;
      return play();
    };
  }

  return {
    corpus,
    records,
    total,
    checkPeer,
    topic: topics.events,
    postgresUrl: postgres.url,

    /**
     * Our detector, each time on a database of its own: as it is, and in the same process, whose compiled code is the
     * same, without the fence of its position.
     */
    ours(): { fenced: () => Promise<OurPlay>; unfenced: () => Promise<OurPlay> } {
      const args = [...asTripline, join(here, 'detector-ours.ts'), String(total)];
      const living = startLiving<OurPlay>(args, { KAFKA_BROKERS: brokers });
      opened.push(living.close);
      const play = async (fenced: boolean) => {
        const name = `bench_${++databases}`;
        const maintenance = openDatabase(postgres.url, { applicationName: 'bench' });
        await maintenance.pool.query(`CREATE DATABASE ${name}`);
        const played = await living.play({ databaseUrl: databaseUrl(postgres.url, name), fenced });
        await maintenance.pool.query(`DROP DATABASE ${name} WITH (FORCE)`);
        await maintenance.close();
        check(played.found);
        return played;
      };
      return { fenced: warmed(() => play(true)), unfenced: () => play(false) };
    },
    /** kafkajs with one JSON.parse an event. */
    parsing(): () => Promise<Played> {
      const living = startLiving<Played>([join(here, 'detector-limit.ts'), brokers, topics.events, String(total)]);
      opened.push(living.close);
      return warmed(() => living.play({}));
    },

    async close(): Promise<void> {
      for (const close of opened) await close();
      await postgres.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** As `tripline detector` starts itself (packages/cli/tripline.mjs). */
export const asTripline = ['--min-semi-space-size=64', '--max-semi-space-size=64', '--no-parallel-scavenge'];

/** A contestant's process on core 0 that answers each line of JSON with one. */
function startLiving<Line>(args: string[], env: Record<string, string> = {}) {
  const { process: child, output } = startProgram([process.execPath, ...args], { core: 0, env });
  const lines = createInterface({ input: child.stdout! });
  const ended = once(child, 'close').then(() => {
    throw new Error(`a contestant ended:\n${output()}`);
  });
  ended.catch(() => {});
  return {
    async play(request: object): Promise<Line> {
      child.stdin!.write(`${JSON.stringify(request)}\n`);
      for (;;) {
        const [line] = (await Promise.race([once(lines, 'line'), ended])) as [string];
        if (line.startsWith('{"records"')) return JSON.parse(line) as Line;
      }
    },
    async close(): Promise<void> {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.stdin!.end();
      await exited;
    },
  };
}
