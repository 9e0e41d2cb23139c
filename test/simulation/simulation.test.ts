import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { prepareServer, type Server } from './database.ts';
import { simulate } from './simulate.ts';

/** What fits CI; `npm run simulate` plays any number. */
const seeds = 100;
const from = 1;

describe('the simulation', () => {
  let server: Server;
  beforeAll(async () => {
    server = await prepareServer(inject('postgresUrl'), 'simulation');
  });
  afterAll(() => server.close());

  test(`${seeds} seeds end as the oracle says`, async () => {
    let findings = 0;
    for (let seed = from; seed < from + seeds; seed += 1) {
      const played = await simulate(seed, server);
      expect(played.differences, `npm run simulate -- --seeds 1 --from ${seed} --verbose`).toEqual([]);
      findings += played.findings;
    }
    expect(findings).toBeGreaterThan(seeds);
  });

  test('the same seed does the same, step by step', async () => {
    for (const seed of [3, 11, 17, 42]) {
      const steps: string[][] = [[], []];
      for (const lines of steps) await simulate(seed, server, { trace: (line) => lines.push(line) });
      expect(steps[0]!.length).toBeGreaterThan(100);
      expect(steps[1]).toEqual(steps[0]);
    }
  });
});
