import { describe, expect, inject, test } from 'vitest';
import '../../packages/testing/kafka/kafka.global.ts';
import '../../packages/testing/postgres/postgres.global.ts';
import type { Ground } from './fault.ts';
import { faults } from './registry.ts';

/** Each fault in the size that CI has time for; `npm run test:faults` plays the same in full. */
const ground = (): Ground => ({
  postgresUrl: inject('postgresUrl'),
  brokers: inject('kafkaBrokers'),
  say: () => {},
});

for (const fault of faults) {
  describe.skipIf(fault.needsKafka === true && inject('kafkaBrokers').length === 0)(fault.name, () => {
    test(`${fault.what}: ${fault.sizes.ci} ${fault.sizes.unit}`, async () => {
      expect((await fault.run(ground(), fault.sizes.ci)).differences).toEqual([]);
    }, 600_000);
  });
}
