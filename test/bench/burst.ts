import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '@tripline/config/config';
import { openDatabase } from '@tripline/db/database';
import { startEmbedded } from '@tripline/embedded-postgres/embedded';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { openStream } from '@tripline/stream/open';
import type { NewRecord } from '@tripline/stream/stream';
import { makeCorpus } from './corpus.ts';
import { percentile } from './measure.ts';
import { start } from './processes.ts';
import { recordsOf } from './records.ts';

export type Burst = {
  /** Asked for, and what the generator brought into the log beside everything else on this machine, events/s. */
  wantedPerSecond: number;
  reachedPerSecond: number;
  /** From an event's append to the commit of its verdict, ms: before the burst, and of the burst's own events. */
  before: { p50: number; p99: number };
  during: { p50: number; p99: number };
  /**
   * After the burst's last event, until from some moment on 99 of 100 events are judged as fast as in the slowest single
   * second before the burst; s. A p99 of all the seconds before would be exceeded by one event in a hundred for ever.
   */
  normalAfterS: number;
  /** The same of a moment in the steady seconds before, after which nothing happened: what the measure says of no burst. */
  normalWithoutBurstS: number;
};

/** When the log got an event, ms since the epoch, and how long after that its verdict was committed, ms. */
type Lag = [appendedMs: number, lagMs: number];

/** The first seconds of a process are those of its compiler. */
const warmingSeconds = 3;

/**
 * How far one detector process falls behind in a burst, and how soon it is up again: `steadyPerSecond`, then
 * `burstPerSecond` for ten seconds, then as before. Events are appended to the log as receivers would.
 */
export async function benchBurst(options: {
  brokers: string;
  steadyPerSecond: number;
  burstPerSecond: number;
  /** Ten unless told otherwise. */
  burstSeconds?: number;
}): Promise<Burst> {
  const { brokers, steadyPerSecond, burstPerSecond, burstSeconds = 10 } = options;
  const folder = mkdtempSync(join(tmpdir(), 'tripline-bench-'));
  const postgres = await startEmbedded({ dataDir: join(folder, 'postgres') });
  const phases = [
    { perSecond: steadyPerSecond, seconds: warmingSeconds + 12 },
    { perSecond: burstPerSecond, seconds: burstSeconds },
    { perSecond: steadyPerSecond, seconds: 10 },
  ];
  const total = phases.reduce((sum, { perSecond, seconds }) => sum + perSecond * seconds, 0);
  const records = makeRecords(total);
  const file = join(folder, 'lags.json');
  const env = { DATABASE_URL: postgres.url, KAFKA_BROKERS: brokers };
  const detector = start([join(import.meta.dirname, 'burst-detector.ts'), String(total), file], { env });
  const db = openDatabase(postgres.url, { applicationName: 'bench' });
  const logger = createLogger({ service: 'bench', level: 'warn' });
  const config = loadConfig({ KAFKA_BROKERS: brokers }, folder);
  const stream = await openStream({ config, db, logger, clock: systemClock });
  try {
    while (!detector.output().includes('ready')) {
      if (detector.process.exitCode !== null) throw new Error(`the detector ended:\n${detector.output()}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const times: { beganMs: number; endedMs: number; count: number }[] = [];
    let at = 0;
    for (const { perSecond, seconds } of phases) {
      const count = perSecond * seconds;
      times.push({ ...(await append(stream.append, records.slice(at, at + count), perSecond)), count });
      at += count;
    }
    await new Promise((resolve) => detector.process.once('exit', resolve));
    const lags = JSON.parse(readFileSync(file, 'utf8')) as Lag[];
    const burst = times[1]!;
    const warmMs = times[0]!.beganMs + warmingSeconds * 1000;
    const middleMs = (warmMs + burst.beganMs) / 2;
    const within = (fromMs: number, toMs = Number.POSITIVE_INFINITY) =>
      lags.filter(([ms]) => ms >= fromMs && ms < toMs);
    const before = within(warmMs, burst.beganMs).map(([, lag]) => lag);
    const during = within(burst.beganMs, burst.endedMs + 1).map(([, lag]) => lag);
    return {
      wantedPerSecond: burstPerSecond,
      reachedPerSecond: burst.count / ((burst.endedMs - burst.beganMs) / 1000),
      before: { p50: percentile(before, 0.5), p99: percentile(before, 0.99) },
      during: { p50: percentile(during, 0.5), p99: percentile(during, 0.99) },
      normalAfterS: secondsUntil(within(burst.endedMs + 1), slowestSecond(within(warmMs, burst.beganMs))),
      normalWithoutBurstS: secondsUntil(within(middleMs, burst.beganMs), slowestSecond(within(warmMs, middleMs))),
    };
  } finally {
    await detector.stop();
    await stream.close();
    await db.close();
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The highest p99 of a single second, ms. */
function slowestSecond(lags: readonly Lag[]): number {
  const seconds = Map.groupBy(lags, ([ms]) => Math.floor(ms / 1000));
  return Math.max(
    1,
    ...[...seconds.values()].map((second) =>
      percentile(
        second.map(([, lag]) => lag),
        0.99,
      ),
    ),
  );
}

/** Seconds after the first of these until, from there to their end, 99 of 100 lag no more than `usualMs`. */
function secondsUntil(lags: readonly Lag[], usualMs: number): number {
  const inOrder = [...lags].sort(([a], [b]) => a - b);
  let late = inOrder.filter(([, lag]) => lag > usualMs).length;
  for (const [index, [ms, lag]] of inOrder.entries()) {
    if (late <= (inOrder.length - index) / 100) return (ms - inOrder[0]![0]) / 1000;
    if (lag > usualMs) late -= 1;
  }
  return ((inOrder.at(-1)?.[0] ?? 0) - (inOrder[0]?.[0] ?? 0)) / 1000;
}

/** In portions, since deliveries are much larger than the records that they become. */
function makeRecords(total: number): NewRecord[] {
  const records: NewRecord[] = [];
  // Far apart: ids count up from the seed.
  for (let seed = 500; records.length < total; seed += 1_000_000) {
    const deliveries = Math.min(20_000, total - records.length);
    records.push(
      ...recordsOf(makeCorpus({ deliveries, workspaces: 200, attackEvery: 300, seed, startMs: Date.now() })),
    );
  }
  return records.slice(0, total);
}

/** Appends at a rate, as far as the log takes it; answers when the first was sent and the last acknowledged. */
async function append(
  send: (records: readonly NewRecord[]) => Promise<unknown>,
  records: readonly NewRecord[],
  perSecond: number,
): Promise<{ beganMs: number; endedMs: number }> {
  const beganMs = Date.now();
  const under = new Set<Promise<unknown>>();
  for (let sent = 0; sent < records.length; ) {
    const due = Math.min(records.length, Math.ceil(((Date.now() - beganMs) / 1000) * perSecond));
    if (due > sent) {
      const one = send(records.slice(sent, due)).finally(() => under.delete(one));
      under.add(one);
      sent = due;
    }
    if (under.size > 8) await Promise.race(under);
    else await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await Promise.all(under);
  return { beganMs, endedMs: Date.now() };
}
