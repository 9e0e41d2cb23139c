import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { openDatabase } from '@tripline/db/database';
import { migrate } from '@tripline/db/migrate';
import { startEmbedded } from '@tripline/embedded-postgres/embedded';
import { fillTrail } from './full-trail.ts';
import { format, median } from './measure.ts';
import { endedCpuMs, treeCpuMs, treeMib } from './process-tree.ts';
import { tripline } from './processes.ts';
import { replayed } from './replay.ts';
import { bounded, type Row, row } from './table.ts';

/** What one `tripline replay` took, from its start to its end; `cpuSeconds`: of its threads and of Postgres. */
type TrailPlay = { events: number; seconds: number; cpuSeconds: number; postgresSeconds: number };

/** The seconds that 90 days of a busy organisation take: by the clock, and by the CPU time of all that takes part in it. */
export async function trailReplayRows({ rounds, quick }: { rounds: number; quick: boolean }): Promise<Row[]> {
  const { short, long, peakMib } = await benchTrailReplay({
    rounds,
    ...(quick ? { deliveries: 10_000, days: 3 } : { deliveries: 400_000, days: 7 }),
  });
  const projected = (of: (play: TrailPlay) => number) => {
    const each = (of(long) - of(short)) / (long.events - short.events);
    return of(short) + each * (replayed - short.events);
  };
  const cores = availableParallelism();
  const what = `\`tripline replay\` of ${format(replayed)} events (90 days) under the whole catalogue`;
  // V8 compiles all along.
  if (quick)
    return [row({ what, figure: `${format(long.events)} events were played`, beside: 'too few to project from' })];
  const [byClock, byCpu] = [projected(({ seconds }) => seconds), projected(({ cpuSeconds }) => cpuSeconds)];
  const share = (of: (play: TrailPlay) => number) =>
    `${format(((of(long) - of(short)) * 1e6) / (long.events - short.events))} µs`;
  const note = `${cores} threads; projected from plays of ${format(short.events)} and ${format(long.events)} events, of which the first bears starting and compiling; load of the machine meanwhile ${format(loadavg()[1]!)}, of which it made ${cores}`;
  return [
    bounded(what, byClock, {
      ...{ unit: 's', most: 400, note, headline: true },
      beside: `${share(({ seconds }) => seconds)} an event; ${format(peakMib)} MiB resident at most`,
    }),
    bounded(`${what}, by its CPU time on ${cores} cores`, byCpu / cores, {
      ...{ unit: 's', most: 400, note, headline: true },
      beside: `${share(({ cpuSeconds }) => cpuSeconds)} of CPU an event, Postgres ${share(({ postgresSeconds }) => postgresSeconds)} of it`,
    }),
  ];
}

/**
 * `tripline replay` under the whole catalogue over the first two sevenths of a trail and over all of it, in turns: medians of
 * each. `deliveries` of the first day, which all days are like. Nothing is synced to disk while the trail is filled; after that
 * Postgres is as `tripline up` has it.
 */
async function benchTrailReplay(options: {
  deliveries: number;
  days: number;
  rounds: number;
}): Promise<{ short: TrailPlay; long: TrailPlay; peakMib: number }> {
  const { deliveries, days } = options;
  const folder = mkdtempSync(join(tmpdir(), 'tripline-bench-'));
  const dataDir = join(folder, 'postgres');
  const filling = await startEmbedded({ dataDir, settings: { fsync: 'off', full_page_writes: 'off' } });
  const filled = openDatabase(filling.url, { applicationName: 'bench' });
  const trail = await migrate(filled)
    .then(() => fillTrail(filled, { deliveries, days }))
    .finally(() => filled.close());
  await filling.stop();

  const postgres = await startEmbedded({ dataDir });
  const serverPid = Number(readFileSync(join(dataDir, 'cluster/postmaster.pid'), 'utf8').split('\n')[0]);
  let peakMib = 0;

  async function play(ofDays: number): Promise<TrailPlay> {
    const to = new Date(trail.from.getTime() + ofDays * 86_400_000);
    const mustBeFound = (trail.attacks * ofDays) / days;
    const before = { ms: performance.now(), ours: endedCpuMs(process.pid), postgres: ofPostgres() };
    const args = [tripline, 'replay', '--from', trail.from.toISOString(), '--to', to.toISOString(), '--json'];
    const env = { PATH: process.env['PATH'], HOME: folder, DATABASE_URL: postgres.url };
    const child = spawn(process.execPath, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
    const looking = setInterval(() => {
      peakMib = Math.max(peakMib, treeMib(child.pid!));
    }, 1000);
    const [out, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
    clearInterval(looking);
    const [counts, ...findings] = out.split('\n').filter((line) => line !== '');
    if (code !== 0 || findings.length < mustBeFound)
      throw new Error(`tripline replay ended with ${code}, and found ${findings.length} of ${mustBeFound}`);
    const postgresSeconds = (ofPostgres() - before.postgres) / 1000;
    return {
      events: (JSON.parse(counts!) as { events: number }).events,
      seconds: (performance.now() - before.ms) / 1000,
      cpuSeconds: (endedCpuMs(process.pid) - before.ours) / 1000 + postgresSeconds,
      postgresSeconds,
    };
  }
  /** Of the server and its sessions, those too that ended. */
  const ofPostgres = () => treeCpuMs(serverPid) + endedCpuMs(serverPid);

  try {
    const lengths = [Math.max(1, Math.round((days * 2) / 7)), days] as const;
    const plays: TrailPlay[][] = [[], []];
    for (let round = 0; round < options.rounds; round += 1) {
      for (const [nth, length] of lengths.entries()) plays[nth]!.push(await play(length));
    }
    const [short, long] = plays.map(middle);
    return { short: short!, long: long!, peakMib };
  } finally {
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function middle(plays: readonly TrailPlay[]): TrailPlay {
  const of = (name: keyof TrailPlay) => median(plays.map((play) => play[name]));
  return {
    ...{ events: of('events'), seconds: of('seconds') },
    ...{ cpuSeconds: of('cpuSeconds'), postgresSeconds: of('postgresSeconds') },
  };
}
