import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { prepareServer, type Server } from './database.ts';
import { mutants } from './mutants.ts';
import { simulate } from './simulate.ts';

const from = 1;

/** That seeds end as the oracle says is the fault `simulation`. */
describe('the simulation', () => {
  let server: Server;
  beforeAll(async () => {
    server = await prepareServer(inject('postgresUrl'), 'simulation');
  });
  afterAll(() => server.close());

  test('the same seed does the same, step by step', { timeout: 200_000 }, async () => {
    for (const seed of [3, 5, 17, 20]) {
      const steps: string[][] = [[], []];
      for (const lines of steps) await simulate(seed, server, { trace: (line) => lines.push(line) });
      expect(steps[0]!.length).toBeGreaterThan(100);
      expect(steps[1]).toEqual(steps[0]);
    }
  });

  // The quickest of the list; `npm run simulate -- --mutants` plays it whole.
  test.each([
    'the position moves outside',
    'duplicates are not recognised',
    'what is about to be sent',
    'an equal body',
  ])(
    'a planted bug is found: %s',
    async (name) => {
      const mutant = mutants.find((one) => one.name.startsWith(name))!;
      let differences: unknown[] = [];
      for (let seed = from; seed < from + 20 && differences.length === 0; seed += 1) {
        ({ differences } = await simulate(seed, server, { mutant }));
      }
      expect(differences).not.toEqual([]);
    },
    200_000,
  );
});
