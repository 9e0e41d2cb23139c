import type { JobName } from '@tripline/contracts/job';
import { freshDatabaseOn } from '../setup/fresh-database.ts';
import type { Fault } from './fault.ts';
import { until } from './service-process.ts';
import { startTwoOwners } from './two-owners.ts';
import { addressOf, openWhole, type Whole } from './whole.ts';

const services = ['receiver', 'detector'] as const;
const deliveriesARound = 1000;

/**
 * A detector is stopped amid its work (SIGSTOP) for longer than Kafka waits, another one takes its partitions over, and it
 * is let go on (SIGCONT), believing that it owns them still: it may commit nothing. Every other time it stops within a
 * transaction, holding locks that its successor needs.
 */
export const stoppedOwner: Fault = {
  name: 'stopped-owner',
  what: 'a detector stopped past the session timeout and let go on beside its successor',
  sizes: { ci: 2, full: 8, unit: 'rounds' },
  needsKafka: true,
  async run(ground, size) {
    const takenOverMs: number[] = [];
    const differences: string[] = [];
    let fenced = 0;
    let within = 0;
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
        await knowAllJobs(whole);
        const receiver = whole.start('receiver');
        const { first, second, takenOver } = await startTwoOwners(
          whole,
          round % 2 === 0 ? { FAILPOINT: 'detector.before-commit:1:SIGSTOP' } : {},
        );
        const base = await addressOf(receiver);
        const sending = whole.sendAll(() => base, 2);
        // Somewhere between two steps of a batch: where, is for chance to say, also where nothing of what it judges needs
        // a transaction.
        if (round % 2 === 0 && (await standsWithin(whole))) within += 1;
        else await new Promise((resolve) => setTimeout(resolve, 300 + Math.random() * 300));
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
      figure: `taken over after ${takenOverMs.join(', ')} ms; fenced ${fenced} times; ${within} stops within a transaction`,
    };
  },
};

/** As where Tripline has run before: the first job ever of its kind makes a row that every other's transaction waits for. */
async function knowAllJobs({ db }: Whole): Promise<void> {
  await db.pool.query(
    `INSERT INTO graphile_worker._private_tasks (identifier) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING`,
    [['tell-slack', 'tell-pagerduty', 'remediate'] satisfies JobName[]],
  );
}

/** Waits some seconds for somebody who does nothing in a transaction for longer than one that runs would. */
function standsWithin({ db }: Whole): Promise<boolean> {
  const look = async () => {
    const { rows } = await db.pool.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'
         AND state_change < clock_timestamp() - interval '300 ms'`,
    );
    return rows.length > 0;
  };
  return until(look, { patienceMs: 4000 }).then(
    () => true,
    () => false,
  );
}
