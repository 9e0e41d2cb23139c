import { freshDatabaseOn } from '../../packages/testing/postgres/fresh-database.ts';
import type { Fault } from './fault.ts';
import { startTwoOwners } from './two-owners.ts';
import { addressOf, openWhole } from './whole.ts';

const services = ['receiver', 'detector'] as const;
const deliveriesARound = 1000;

/**
 * A detector is stopped amid its work (SIGSTOP) for longer than Kafka waits, another one takes its partitions over, and it
 * is let go on (SIGCONT), believing that it owns them still: it may commit nothing.
 */
export const stoppedOwner: Fault = {
  name: 'stopped-owner',
  what: 'a detector stopped past the session timeout and let go on beside its successor',
  sizes: { ci: 1, full: 8, unit: 'rounds' },
  needsKafka: true,
  async run(ground, size) {
    const takenOverMs: number[] = [];
    const differences: string[] = [];
    let fenced = 0;
    for (let round = 0; round < size; round += 1) {
      const database = await freshDatabaseOn(ground.postgresUrl);
      const deliveries = deliveriesARound;
      const whole = await openWhole({
        databaseUrl: database.url,
        brokers: ground.brokers,
        deliveries,
        seed: 100 + round,
      });
      try {
        const receiver = whole.start('receiver');
        const { first, second, takenOver } = await startTwoOwners(whole);
        const base = await addressOf(receiver);
        const sending = whole.sendAll(() => base, 2);
        // Somewhere between two steps of a batch: where, is for chance to say.
        await new Promise((resolve) => setTimeout(resolve, 300 + Math.random() * 300));
        first.child.kill('SIGSTOP');
        const tookMs = await takenOver();
        takenOverMs.push(tookMs);
        ground.say(`taken over ${tookMs} ms after the stop`);
        first.child.kill('SIGCONT');
        await sending;
        differences.push(...(await whole.settle(base, services)));
        fenced += first.said().match(/"code":"FENCED"|no longer owns partition|is not the detector's/g)?.length ?? 0;
        for (const one of [first, second]) {
          if (one.child.exitCode !== null) differences.push(`a detector ended:\n${one.said().slice(-1000)}`);
        }
      } finally {
        await whole.close();
        await database.close();
      }
    }
    return {
      size: `${size} rounds of ${deliveriesARound} deliveries`,
      compared: 'log; findings and incidents with an undisturbed engine',
      differences,
      figure: `taken over after ${takenOverMs.join(', ')} ms; fenced ${fenced} times`,
    };
  },
};
