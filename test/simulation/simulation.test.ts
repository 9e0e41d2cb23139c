import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { prepareServer, type Server } from './database.ts';
import { type Play, plays } from './plays.ts';

const [ofLog, ofAccess] = plays as [Play, Play];

/** That seeds end as the oracle says is the fault `simulation`. */
describe('the simulation', () => {
  let server: Server;
  beforeAll(async () => {
    server = await prepareServer(inject('postgresUrl'), 'simulation');
  });
  afterAll(() => server.close());

  test.each([
    { play: ofLog, seeds: [3, 5, 17, 20] },
    { play: ofAccess, seeds: [3, 4, 5] },
  ])('the same seed does the same, step by step: $play.name', { timeout: 200_000 }, async ({ play, seeds }) => {
    const { simulate } = play;
    for (const seed of seeds) {
      const steps: string[][] = [[], []];
      for (const lines of steps) await simulate(seed, server, { trace: (line) => lines.push(line) });
      expect(steps[0]!.length).toBeGreaterThan(100);
      expect(steps[1]).toEqual(steps[0]);
    }
  });

  // The quickest of the list; `npm run simulate -- --mutants` plays it whole.
  test.each([
    { play: ofLog, name: 'the position moves outside' },
    { play: ofLog, name: 'duplicates are not recognised' },
    // Few seeds play a notifier that falls between sending and noting.
    { play: ofLog, name: 'what is about to be sent', from: 30 },
    { play: ofLog, name: 'an equal body' },
    { play: ofAccess, name: 'hands out before' },
    // Few seeds end a job between a mint and its record.
    { play: ofAccess, name: 'does not take the lock', from: 400 },
    { play: ofAccess, name: 'does not look whether the job had ended' },
    { play: ofAccess, name: 'the sweep passes over' },
    { play: ofAccess, name: 'a token is good twice' },
    { play: ofAccess, name: 'one attempt ends' },
    { play: ofAccess, name: 'asks for the policies' },
    // Few incidents open while their job holds something, and nothing else ends that soon.
    { play: ofAccess, name: 'incidents end nothing', from: 20 },
  ])(
    'a planted bug is found: $play.name, $name',
    async ({ play: { simulate, mutants }, name, from = 1 }) => {
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
