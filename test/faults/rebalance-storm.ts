import { freshDatabaseOn } from '../../packages/testing/postgres/fresh-database.ts';
import type { Fault } from './fault.ts';
import type { ServiceProcess } from './service-process.ts';
import { addressOf, openWhole } from './whole.ts';

const services = ['receiver', 'detector'] as const;
/** One process joins or leaves in this time. */
const everyMs = 400;
const most = 4;

/** Detectors join and leave, in an orderly way and by SIGKILL, faster than a group comes to rest. */
export const rebalanceStorm: Fault = {
  name: 'rebalance-storm',
  what: 'detectors join and leave all the time under load',
  sizes: { ci: 12, full: 200, unit: 'joins and leaves' },
  needsKafka: true,
  async run(ground, size) {
    const database = await freshDatabaseOn(ground.postgresUrl);
    const whole = await openWhole({ databaseUrl: database.url, brokers: ground.brokers, deliveries: size * 60 });
    try {
      const base = await addressOf(whole.start('receiver'));
      const sending = whole.sendAll(() => base, 2);
      const detectors: ServiceProcess[] = [whole.start('detector')];
      for (let change = 0; change < size; change += 1) {
        await new Promise((resolve) => setTimeout(resolve, everyMs));
        const grows = detectors.length < 2 || (detectors.length < most && change % 2 === 0);
        if (grows) detectors.push(whole.start('detector'));
        else detectors.shift()!.child.kill(change % 3 === 0 ? 'SIGKILL' : 'SIGTERM');
      }
      await sending;
      const differences = await whole.settle(base, services, 180_000);
      return {
        size: `${size} joins and leaves, ${size * 60} deliveries`,
        compared: 'log; findings and incidents with an undisturbed engine',
        differences,
        figure: '',
      };
    } finally {
      await whole.close();
      await database.close();
    }
  },
};
