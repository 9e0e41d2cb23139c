import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '@tripline/db/database';
import { startEmbedded } from '@tripline/db/embedded';
import { systemClock } from '@tripline/runtime/clock';
import { loadConfig } from '@tripline/runtime/config';
import { createLogger } from '@tripline/runtime/logger';
import type { NewRecord } from '@tripline/stream/contract';
import { openStream } from '@tripline/stream/open';
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
  /** After the burst's last event, until events are judged again as fast as 99 of 100 were before; s. */
  normalAfterS: number;
};

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
    { perSecond: steadyPerSecond, seconds: 8 },
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
    const lags = JSON.parse(readFileSync(file, 'utf8')) as [number, number][];
    const burst = times[1]!;
    // The first seconds of a process are those of its compiler.
    const before = lags.filter(([ms]) => ms < burst.beganMs && ms >= times[0]!.beganMs + 3000).map(([, lag]) => lag);
    const during = lags.filter(([ms]) => ms >= burst.beganMs && ms <= burst.endedMs).map(([, lag]) => lag);
    const usual = percentile(before, 0.99);
    const late = lags
      .filter(([ms, lag]) => ms > burst.endedMs && lag > Math.max(usual, 1))
      .map(([ms, lag]) => ms + lag);
    return {
      wantedPerSecond: burstPerSecond,
      reachedPerSecond: burst.count / ((burst.endedMs - burst.beganMs) / 1000),
      before: { p50: percentile(before, 0.5), p99: usual },
      during: { p50: percentile(during, 0.5), p99: percentile(during, 0.99) },
      // One in a hundred is later than usual anyhow.
      normalAfterS: late.length === 0 ? 0 : Math.max(0, (percentile(late, 0.95) - burst.endedMs) / 1000),
    };
  } finally {
    await detector.stop();
    await stream.close();
    await db.close();
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
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
