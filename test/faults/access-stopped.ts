import { setTimeout as pause } from 'node:timers/promises';
import { type AccessGround, accessDifferences, openAccess } from './access-ground.ts';
import { openAccessPlay } from './access-play.ts';
import { race } from './access-race.ts';
import type { Fault, FaultOutcome } from './fault.ts';
import { until } from './service-process.ts';
import { openStoppable } from './stoppable-postgres.ts';

/** Jobs a stop. */
const jobsAStop = 200;
/** How long a Kafka that is frozen stands still: longer than an append is waited for, and than its members' sessions last. */
const frozenMs = 7000;

/** Postgres, which holds the log too, stops in the middle of grants and revocations, and comes back, while two brokers run on. */
export const accessStopped: Fault = {
  name: 'access-stopped',
  what: 'Postgres and the log stopped in the manner `immediate` while jobs are given something and end',
  sizes: { ci: 1, full: 20, unit: 'stops' },
  async run({ say }, size) {
    const postgres = await openStoppable();
    const ground = await openAccess(postgres.database);
    try {
      return await playStops(ground, { size, say, stopAndStart: () => postgres.stopAndStart() });
    } finally {
      await ground.close();
      await postgres.close();
    }
  },
};

/** The log alone is away: what was minted cannot be told of, and no end is received. Each other time it is frozen, its connections open. */
export const accessKafkaStopped: Fault = {
  name: 'access-kafka-stopped',
  what: 'Kafka killed and started again, or frozen (SIGSTOP) for 7 s, while jobs are given something and end',
  sizes: { ci: 1, full: 20, unit: 'stops' },
  needsKafka: true,
  async run({ postgresUrl, say }, size) {
    const { ground, kafka, close } = await openAccessPlay(postgresUrl, 'Kafka');
    const stopAndStart = async (nth: number) => {
      if (nth % 2 === 0) {
        await kafka!.kill(0);
        await kafka!.restart(0);
      } else {
        kafka!.freeze(0);
        await pause(frozenMs);
        kafka!.thaw(0);
      }
    };
    try {
      return await playStops(ground, { size, say, stopAndStart });
    } finally {
      await close();
    }
  },
};

type Stops = { size: number; say: (text: string) => void; stopAndStart: (nth: number) => Promise<unknown> };

/** Jobs ask two brokers and end, while what these stand on stops `size` times and comes back. */
async function playStops(ground: AccessGround, { size, say, stopAndStart }: Stops): Promise<FaultOutcome> {
  const replicas = [ground.start(), ground.start()];
  ground.github.provider.delayMs = 10;
  try {
    const urls = await Promise.all(replicas.map((one) => one.url));
    let isOver = false;
    const racing = race(ground, urls, { size: size * jobsAStop, say }).finally(() => {
      isOver = true;
    });
    let stops = 0;
    while (stops < size && !isOver) {
      await pause(400 + ((stops * 37) % 200));
      await stopAndStart(stops);
      stops += 1;
    }
    const { handedOut, statuses } = await racing;
    const fromMs = performance.now();
    await until(() => ground.github.alive.size === 0, { patienceMs: 60_000 }).catch(() => {});
    const afterMs = performance.now() - fromMs;
    const differences = await accessDifferences(ground, handedOut);
    if (stops < size) differences.push(`only ${stops} stops came before all jobs were done`);
    if (handedOut.size === 0) differences.push('nothing was given, which proves nothing');
    for (const one of replicas)
      if (one.child.exitCode !== null) differences.push(`a broker ended:\n${one.said().slice(-1000)}`);
    return {
      size: `${stops} stops, ${size * jobsAStop} jobs, ${handedOut.size} of them given something`,
      compared: 'what lives at the provider with none; what was handed out with what the log names',
      differences,
      figure: `${ground.github.tokens.size} minted; all dead ${Math.round(afterMs)} ms after the last end; ${[...statuses].map(([status, count]) => `${count} × ${status}`).join(', ')}`,
    };
  } finally {
    for (const one of replicas) await one.kill();
  }
}
