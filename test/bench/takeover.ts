import { freshDatabaseOn } from '../../packages/testing/postgres/fresh-database.ts';
import { startTwoOwners } from '../faults/two-owners.ts';
import { openWhole } from '../faults/whole.ts';

/**
 * Milliseconds from kill -9 of a detector to another one having taken over every partition that it owned, on Kafka; one
 * value a round. `postgresUrl`: a server of `startTestPostgres`.
 */
export async function benchTakeover(options: {
  brokers: readonly string[];
  postgresUrl: string;
  rounds: number;
}): Promise<number[]> {
  const values: number[] = [];
  for (let round = 0; round < options.rounds; round += 1) {
    const database = await freshDatabaseOn(options.postgresUrl);
    const whole = await openWhole({ databaseUrl: database.url, brokers: options.brokers, deliveries: 0 });
    try {
      const { first, takenOver } = await startTwoOwners(whole);
      first.child.kill('SIGKILL');
      values.push(await takenOver());
    } finally {
      await whole.close();
      await database.close();
    }
  }
  return values;
}
