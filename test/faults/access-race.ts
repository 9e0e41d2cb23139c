import { setTimeout as pause } from 'node:timers/promises';
import { type AccessGround, accessDifferences, persistently } from './access-ground.ts';
import { type LogPlace, onLog, openAccessPlay } from './access-play.ts';
import type { Fault } from './fault.ts';
import { until } from './service-process.ts';

/** Jobs that ask at once. */
const atOnce = 16;
const toldAtOnce = 200;
const batchMs = 5;
/** A sweep finds what no end was heard of after two minutes: what it had to find was missed. */
const patienceMs = 30_000;

/**
 * Jobs that end before, while and after they are given something, over two replicas, at a GitHub that now and then fails, limits or
 * breaks off.
 */
const accessRaceOn = (log: LogPlace, sizes: { ci: number; full: number }): Fault => ({
  ...onLog(log, 'access-race', 'jobs that end while they are given something, at two brokers'),
  sizes: { ...sizes, unit: 'jobs' },
  async run({ postgresUrl, say }, size) {
    const play = await openAccessPlay(postgresUrl, log);
    const { ground } = play;
    const replicas = [ground.start(), ground.start()];
    ground.github.provider.delayMs = 5;
    let asked = 0;
    ground.github.provider.misbehaves = (what) => {
      asked += 1;
      if (asked % 41 === 0) return 'fails';
      if (asked % 43 === 0) return 'limits';
      // What it minted, and nobody read, nobody can revoke: it expires.
      if (what === 'revoke' && asked % 47 === 0) return 'half';
      return undefined;
    };
    try {
      const urls = await Promise.all(replicas.map(({ url }) => url));
      const { handedOut, statuses } = await race(ground, urls, { size, say });
      const fromMs = performance.now();
      await until(() => ground.github.alive.size === 0, { patienceMs }).catch(() => {});
      const differences = await accessDifferences(ground, handedOut);
      const late = statuses.get('410 job-ended') ?? 0;
      if (handedOut.size < size / 10 || late < size / 50)
        differences.push(`too few were given (${handedOut.size}) or ended meanwhile (${late}) to prove anything`);
      for (const one of replicas)
        if (one.child.exitCode !== null) differences.push(`a broker ended:\n${one.said().slice(-1000)}`);
      return {
        size: `${size} jobs, ${handedOut.size} of them given something`,
        compared: 'what lives at the provider with none; what was handed out with what the log names',
        differences,
        figure: `all dead ${Math.round(performance.now() - fromMs)} ms after the last end; ${[...statuses].map(([status, count]) => `${count} × ${status}`).join(', ')}`,
      };
    } finally {
      for (const one of replicas) await one.kill();
      await play.close();
    }
  },
});
export const accessRace = accessRaceOn('Postgres', { ci: 400, full: 100_000 });
export const accessRaceOnKafka = accessRaceOn('Kafka', { ci: 100, full: 20_000 });

/**
 * Jobs that ask, each at one of `urls`, and end, from before they ask until after they were answered.
 * @returns what was handed out, by token, and how many were answered how.
 */
export async function race(
  ground: AccessGround,
  urls: readonly string[],
  { size, say }: { size: number; say: (text: string) => void },
): Promise<{ handedOut: Map<string, number>; statuses: Map<string, number> }> {
  const handedOut = new Map<string, number>();
  const statuses = new Map<string, number>();
  let next = 0;
  const ask = async (job: number, nth = 0) => {
    const answer = await ground.ask(urls[(job + nth) % urls.length]!, await ground.token(job), { job });
    const key = `${answer.status} ${answer.reason ?? ''}`.trim();
    statuses.set(key, (statuses.get(key) ?? 0) + 1);
    if (answer.token !== undefined) handedOut.set(answer.token, job);
  };
  const endSoon = inBatches((jobs) => persistently(() => ground.end(jobs)));
  const end = async (job: number) => {
    await pause((job * 7) % 60);
    await endSoon(job);
  };
  const told = new Map<number, Promise<void>>();
  const tell = (job: number) => {
    const first = job - (job % toldAtOnce);
    const jobs = Array.from({ length: toldAtOnce }, (_, nth) => first + nth);
    if (!told.has(first))
      told.set(
        first,
        persistently(() => ground.tellOf(jobs)),
      );
    return told.get(first)!;
  };
  const runner = async () => {
    for (let job = next++; job < size; job = next++) {
      if (job % 1000 === 0) say(`${job} jobs`);
      await tell(job);
      const asking = job % 3 === 0 ? ask(job) : pause((job * 5) % 15).then(() => ask(job));
      // Some ask twice at once, at both: of these one lives, until the end.
      const again = job % 5 === 0 ? [ask(job, 1)] : [];
      await Promise.all([asking, ...again, end(job)]);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, runner));
  return { handedOut, statuses };
}

/** What is told of within a moment is told of at once, as a log that is written by many is. */
function inBatches(work: (of: readonly number[]) => Promise<void>): (one: number) => Promise<void> {
  let waiting: number[] = [];
  let batch: Promise<void> | undefined;
  return (one) => {
    waiting.push(one);
    batch ??= pause(batchMs).then(() => {
      const all = waiting;
      waiting = [];
      batch = undefined;
      return work(all);
    });
    return batch;
  };
}
