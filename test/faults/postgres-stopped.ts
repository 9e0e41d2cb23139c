import type { Fault } from './fault.ts';
import { until } from './service-process.ts';
import { openStoppable } from './stoppable-postgres.ts';
import { addressOf, everyService, openWhole } from './whole.ts';

/** Deliveries between two stops. */
const between = 150;

/**
 * Postgres, which holds the log too, is stopped in the manner `immediate` (SIGQUIT: no goodbye, recovery at the next
 * start) in the middle of the load, and started again, while all services run on.
 */
export const postgresStopped: Fault = {
  name: 'postgres-stopped',
  what: 'Postgres stopped in the manner `immediate` under load',
  sizes: { ci: 1, full: 20, unit: 'stops' },
  async run(ground, size) {
    const postgres = await openStoppable();
    const { url } = postgres.database;
    const whole = await openWhole({ databaseUrl: url, deliveries: (size + 1) * between });
    let longestMs = 0;
    try {
      const services = everyService.map((name) => whole.start(name));
      const base = await addressOf(services[0]!);
      const sending = whole.sendAll(() => base, 3);
      for (let stop = 1; stop <= size; stop += 1) {
        await until(() => whole.sender.left() <= (size + 1 - stop) * between, {
          patienceMs: 120_000,
          what: 'the next stop',
        });
        const awayMs = await postgres.stopAndStart();
        longestMs = Math.max(longestMs, awayMs);
        ground.say(`stop ${stop}, started again in ${Math.round(awayMs)} ms`);
      }
      await sending;
      const differences = await whole.settle(base, everyService, 150_000);
      for (const one of services) {
        if (one.child.exitCode !== null) differences.push(`a service ended:\n${one.said().slice(-1000)}`);
      }
      const refused = [...whole.sender.statuses()].filter(([status]) => status !== 202);
      return {
        size: `${size} stops, ${(size + 1) * between} deliveries`,
        compared: 'log, trail, findings and incidents with an undisturbed engine; messages and steps, each once',
        differences,
        figure: `Postgres away for up to ${Math.round(longestMs)} ms; not answered 202: ${refused.map(([status, count]) => `${count} × ${status}`).join(', ') || 'none'}`,
      };
    } finally {
      await whole.close();
      await postgres.close();
    }
  },
};
