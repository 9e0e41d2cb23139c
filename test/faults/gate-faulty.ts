import { freshDatabaseOn } from '../../packages/testing/postgres/fresh-database.ts';
import { openAccess } from './access-ground.ts';
import type { Fault } from './fault.ts';
import { openGate } from './gate-ground.ts';
import type { AskedFor, Misbehaviour } from './token-provider.ts';

const atOnce = 16;
const ways: readonly Misbehaviour[] = ['fails', 'limits', 'half', 'hangs', 'lost'];
/** Of so many requests of a kind each way befalls one: more, and hardly anything would ever be answered. */
const cycle = 100;

/** Two brokers answer at a GitHub that fails, limits, breaks off, never answers, or does what it was told and never says so. */
export const gateFaulty: Fault = {
  name: 'gate-faulty',
  what: 'GitHub answers the gate 429, 500, half or nothing, and has done what it was told or has not',
  sizes: { ci: 24, full: 1600, unit: 'deployments' },
  async run({ postgresUrl, say }, size) {
    const database = await freshDatabaseOn(postgresUrl);
    const ground = await openAccess(database);
    const gate = openGate(ground);
    const replicas = [ground.start(), ground.start()];
    const counts = new Map<AskedFor, number>();
    let bad = 0;
    ground.github.provider.misbehaves = (what) => {
      const nth = (counts.get(what) ?? 0) % cycle;
      counts.set(what, nth + 1);
      const way = nth % 2 === 1 ? ways[(nth - 1) / 2] : undefined;
      if (way !== undefined) bad += 1;
      return way;
    };
    try {
      await Promise.all(replicas.map((one) => one.url));
      let next = 0;
      await Promise.all(
        Array.from({ length: atOnce }, async () => {
          for (let job = next++; job < size; job = next++) {
            if (job % 100 === 0) say(`${job} deployments`);
            await gate.begin(job);
          }
        }),
      );
      const tookMs = await gate.answered(60_000 + size * 200);
      ground.github.provider.misbehaves = () => undefined;
      const differences = await gate.differences();
      if (bad < size / 10) differences.push(`GitHub misbehaved ${bad} times only: too few to prove anything`);
      for (const one of replicas)
        if (one.child.exitCode !== null) differences.push(`a broker ended:\n${one.said().slice(-1000)}`);
      const { size: asked, figure } = gate.figures();
      return {
        size: `${asked}, ${bad} bad answers`,
        compared: 'what GitHub was told of each deployment with what the policies give, and with what the log says',
        differences,
        figure: `${figure}; all answered ${Math.round(tookMs)} ms after the last question`,
      };
    } finally {
      for (const one of replicas) await one.kill();
      await ground.close();
      await database.close();
    }
  },
};
