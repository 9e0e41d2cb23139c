import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkGate } from './gate.ts';

let fresh: Awaited<ReturnType<typeof freshDatabase>>;
beforeEach(async () => {
  fresh = await freshDatabase();
});
afterEach(() => fresh.close());

const check = () => checkGate(fresh.as('cli'));
const asked = (run: string, seconds: number, fault: string | null) =>
  fresh.db.pool.query(
    `INSERT INTO access_gates (id, workspace, instance, repository_id, repository, owner_id, owner, run_id, environment,
       installation, heard_at, due_at, last_fault)
     VALUES ('q' || $1, 'acme', 'github.com', '74', 'acme/api', '65', 'acme', $1, 'production', '1',
       now() - $2 * interval '1 s', now(), $3)`,
    [run, seconds, fault],
  );

test('says nothing where no deployment waits, and how many wait for people', async () => {
  expect(await check()).toEqual([]);
  await asked('1', 3600, null);
  expect(await check()).toEqual([
    { name: 'gate', state: 'ok', detail: 'one deployment waits for what is not known yet, or for people' },
  ]);
});

test('a deployment that has waited for a minute for an answer that cannot be given is broken, and says why', async () => {
  await asked('1', 59, 'timeout: GitHub is away');
  expect(await check()).toMatchObject([{ state: 'ok' }]);
  await asked('2', 61, 'not-permitted: grant it deployments: write');
  await asked('3', 62, 'no-app: installation 12 is of no App');
  expect(await check()).toMatchObject([
    {
      state: 'broken',
      detail:
        '2 deployments wait for an answer that cannot be given, at first acme/api#3 to production: no-app: installation 12 is of no App',
    },
  ]);
});
