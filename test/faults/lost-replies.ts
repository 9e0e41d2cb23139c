import { freshDatabaseOn } from '../../packages/testing/postgres/fresh-database.ts';
import type { Fault } from './fault.ts';
import { startPostgresProxy } from './postgres-proxy.ts';
import { addressOf, everyService, openWhole } from './whole.ts';

/** Every so many commits one loses its reply: often, and yet the services come to do something in between. */
const every = 7;

/** Postgres commits, and whoever asked it to never hears so: for every service at once, under load. */
export const lostReplies: Fault = {
  name: 'lost-replies',
  what: 'replies to COMMIT and to appends lost on the way from Postgres',
  sizes: { ci: 150, full: 3000, unit: 'deliveries' },
  async run(ground, size) {
    const database = await freshDatabaseOn(ground.postgresUrl);
    const proxy = await startPostgresProxy(database.url);
    const whole = await openWhole({ databaseUrl: database.url, servicesUrl: proxy.url, deliveries: size });
    try {
      const services = everyService.map((name) => whole.start(name));
      const base = await addressOf(services[0]!);
      proxy.loseReplies(/^(commit\b|\0log-append\0)/i, every);
      await whole.sendAll(() => base, 2);
      // The last batches too, and then peace.
      await new Promise((resolve) => setTimeout(resolve, 1000));
      const lost = proxy.lost();
      proxy.loseReplies(/^$/, 0);
      const differences = await whole.settle(base, everyService);
      if (lost < 5) differences.push(`only ${lost} replies were lost: too few to prove anything`);
      for (const one of services) {
        if (one.child.exitCode !== null) differences.push(`a service ended:\n${one.said().slice(-1000)}`);
      }
      return {
        size: `${size} deliveries, ${lost} replies lost`,
        compared: 'log, trail, findings and incidents with an undisturbed engine; messages and steps, each once',
        differences,
        figure: '',
      };
    } finally {
      await whole.close();
      await proxy.close();
      await database.close();
    }
  },
};
