import { setTimeout as pause } from 'node:timers/promises';
import { freshDatabaseOn } from '../../packages/testing/postgres/fresh-database.ts';
import { type AccessGround, accessDifferences, openAccess } from './access-ground.ts';
import { type LogPlace, onLog, openAccessPlay } from './access-play.ts';
import type { Fault } from './fault.ts';
import { until } from './service-process.ts';

/** Half of them are given something by both brokers before, and half ask the one that freezes as it does. */
const jobsARound = 8;
/** A revoker that is frozen loses its claims after 30 s, and its lease of the log after 2 s, in Kafka after 6 s. */
const patienceMs = 60_000;
const aheadMs = 10 * 60_000;

/** One of two brokers is frozen while it gives, hears of ends or revokes, and thawed once the other did all that is to be done. */
const accessFrozenOn = (log: LogPlace): Fault => ({
  ...onLog(log, 'access-frozen', 'one of two brokers frozen (SIGSTOP) while jobs are given something and end'),
  sizes: { ci: 1, full: 20, unit: 'rounds' },
  async run({ postgresUrl, say }, size) {
    const play = await openAccessPlay(postgresUrl, log);
    const { ground } = play;
    const [victim, other] = [ground.start(), ground.start()];
    const handedOut = new Map<string, number>();
    ground.github.provider.delayMs = 10;
    const deadAfterMs: number[] = [];
    try {
      const urls = await Promise.all([victim.url, other.url]);
      const differences: string[] = [];
      for (let round = 0; round < size; round += 1) {
        const jobs = Array.from({ length: jobsARound }, (_, nth) => round * jobsARound + nth);
        const [given, asking] = [jobs.slice(0, jobsARound / 2), jobs.slice(jobsARound / 2)];
        await ground.tellOf(jobs);
        const ask = async (url: string, job: number) => {
          const { token } = await ground.ask(url, await ground.token(job), { job });
          if (token !== undefined) handedOut.set(token, job);
          return token;
        };
        const tokens = await Promise.all(given.map((job, nth) => ask(urls[nth % 2]!, job)));
        // At another moment of a revocation in each round, and of a grant.
        await ground.end(given.slice(0, given.length / 2));
        await pause((round * 7) % 20);
        const asked = asking.map((job) => ask(urls[0]!, job));
        await pause((round * 13) % 60);
        victim.child.kill('SIGSTOP');
        const fromMs = performance.now();
        await ground.end([...given.slice(given.length / 2), ...asking]);
        const left = () => tokens.filter((token) => token !== undefined && ground.github.alive.has(token));
        await until(() => left().length === 0, { patienceMs }).catch(() => {});
        deadAfterMs.push(performance.now() - fromMs);
        for (const token of left())
          differences.push(`job ${handedOut.get(token!)} kept its token while one was frozen`);
        victim.child.kill('SIGCONT');
        await Promise.all(asked);
        // What it minted, and could not record, it revokes now.
        await until(() => ground.github.alive.size === 0, { patienceMs }).catch(() => {});
        say(`round ${round}: dead after ${Math.round(deadAfterMs.at(-1)!)} ms`);
      }
      if (handedOut.size === 0) differences.push('nothing was given, which proves nothing');
      return {
        size: `${size} rounds, ${handedOut.size} of ${size * jobsARound} jobs given something`,
        compared: 'what lives at the provider with none; what was handed out with what the log names',
        differences: [...differences, ...(await accessDifferences(ground, handedOut))],
        figure: `all that was handed out is dead ${Math.round(Math.max(...deadAfterMs))} ms after the end at most, one broker being frozen`,
      };
    } finally {
      for (const one of [victim, other]) await one.kill();
      await play.close();
    }
  },
});
export const accessFrozen = accessFrozenOn('Postgres');
export const accessFrozenOnKafka = accessFrozenOn('Kafka');

/** A broker whose clock is wrong beside one whose clock is right. */
export const accessClock: Fault = {
  name: 'access-clock',
  what: 'one of two brokers whose clock is ten minutes ahead, and one ten minutes behind',
  sizes: { ci: 20, full: 2000, unit: 'jobs each' },
  async run({ postgresUrl }, size) {
    const differences: string[] = [];
    const told: string[] = [];
    for (const wrongMs of [aheadMs, -aheadMs]) {
      const database = await freshDatabaseOn(postgresUrl);
      const ground = await openAccess(database);
      const one = ground.start({ CLOCK_AHEAD_MS: String(wrongMs) });
      // The first of them hears of ends.
      await one.url;
      const other = ground.start();
      try {
        const outcome = await playJobs(ground, [await one.url, await other.url], size);
        differences.push(...outcome.differences.map((line) => `${wrongMs} ms: ${line}`));
        told.push(
          `${wrongMs / 60_000} min: ${outcome.given} given, all dead ${Math.round(outcome.afterMs)} ms after the last end`,
        );
      } finally {
        for (const service of [one, other]) await service.kill();
        await ground.close();
        await database.close();
      }
    }
    return {
      size: `2 × ${size} jobs`,
      compared: 'what lives at the provider with none; what was handed out with what the log names',
      differences,
      figure: told.join('; '),
    };
  },
};

async function playJobs(ground: AccessGround, [wrong, right]: [string, string], size: number) {
  const handedOut = new Map<string, number>();
  const differences: string[] = [];
  const jobs = Array.from({ length: size }, (_, nth) => nth);
  for (const job of jobs) {
    await ground.tellOf([job]);
    const refused = await ground.ask(wrong, await ground.token(job), { job });
    if (refused.status !== 401) differences.push(`a broker whose clock is wrong answered job ${job} ${refused.status}`);
    const { token } = await ground.ask(right, await ground.token(job), { job });
    if (token !== undefined) handedOut.set(token, job);
    await ground.end([job]);
  }
  const fromMs = performance.now();
  await until(() => ground.github.alive.size === 0, { patienceMs: 30_000 }).catch(() => {});
  const afterMs = performance.now() - fromMs;
  if (handedOut.size < size) differences.push(`only ${handedOut.size} of ${size} jobs were given something`);
  return {
    differences: [...differences, ...(await accessDifferences(ground, handedOut))],
    given: handedOut.size,
    afterMs,
  };
}
