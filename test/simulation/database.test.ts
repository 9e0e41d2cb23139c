import type { Db } from '@tripline/db/database';
import { inTransaction } from '@tripline/db/transaction';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { createSimulatedDatabase, prepareServer, type Server } from './database.ts';
import { simulateGlobals } from './globals.ts';
import { createRandom } from './random.ts';
import { createWorld } from './world.ts';

const names = ['ada', 'ben', 'cyd', 'dan', 'eve'];
const noFaults = { lostBefore: 0, lostAfter: 0 };

/** What each name does to its own connections, at the same time as the others; answers the steps taken. */
async function playAtOnce(seed: number, server: Server, act: (name: string, db: Db) => Promise<unknown>) {
  const steps: string[] = [];
  const world = createWorld({ random: createRandom(seed), startMs: 0, trace: (line) => steps.push(line) });
  const database = createSimulatedDatabase({ server, world, faults: () => noFaults });
  const restore = simulateGlobals();
  try {
    const lives = names.map((name) => world.begin(name));
    const acts = lives.map((life) => world.within(life, () => act(life.name, database.openFor(life))));
    while (await world.step());
    await Promise.all(acts);
  } finally {
    await database.close();
    restore();
  }
  return steps;
}

describe('the simulated database', () => {
  let server: Server;
  beforeAll(async () => {
    server = await prepareServer(inject('postgresUrl'), 'simulated_locks');
    await server.db.pool.query('CREATE TABLE held (id int PRIMARY KEY, names text[])');
  });
  afterAll(() => server.close());
  beforeEach(() =>
    server.db.pool.query(`TRUNCATE held; INSERT INTO held SELECT id, '{}' FROM generate_series(1, 2) AS id`),
  );

  const add = (name: string, id: number) => ({
    text: 'UPDATE held SET names = names || $1::text WHERE id = $2',
    values: [name, id],
  });
  const putFirst = (name: string, id: number) => ({
    text: 'UPDATE held SET names = $1::text || names WHERE id = $2',
    values: [name, id],
  });

  test('those that wait for one row have it in the order in which they came', async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      await server.db.pool.query(`UPDATE held SET names = '{}'`);
      const steps = await playAtOnce(seed, server, (name, db) =>
        inTransaction(db, (client) => client.query(add(name, 1))),
      );
      const came = steps.flatMap((step) => /(\w+): UPDATE held/.exec(step)?.[1] ?? []);
      const { rows } = await server.db.pool.query('SELECT names FROM held WHERE id = 1');
      expect(rows[0].names).toEqual(came);
    }
  });

  test('of those that wait for one another in a circle, the one that closed it fails', async () => {
    let circles = 0;
    for (let seed = 1; seed <= 10; seed += 1) {
      const failed: string[] = [];
      const steps = await playAtOnce(seed, server, async (name, db) => {
        const own = (names.indexOf(name) % 2) + 1;
        const both = inTransaction(db, async (client) => {
          await client.query(add(name, own));
          await client.query(putFirst(name, 3 - own));
        });
        await both.catch((error) => {
          expect(error.code).toBe('40P01');
          failed.push(name);
        });
      });
      const waited = steps.flatMap((step, place) =>
        step.includes('waits for a lock')
          ? (/(\w+): UPDATE held SET names = \$1/.exec(steps[place - 1]!)?.[1] ?? [])
          : [],
      );
      expect(failed.filter((name) => waited.includes(name))).toEqual([]);
      circles += failed.length;
    }
    expect(circles).toBeGreaterThan(0);
  });
});
