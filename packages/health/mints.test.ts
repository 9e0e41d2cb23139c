import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { addGrant } from '@tripline/testing/services/broker-grants';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkMints } from './mints.ts';

let fresh: Awaited<ReturnType<typeof freshDatabase>>;
beforeEach(async () => {
  fresh = await freshDatabase();
});
afterEach(() => fresh.close());

const check = () => checkMints(fresh.as('cli'));
const ago = (minutes: number) => Date.now() - minutes * 60_000;
async function refused(id: string, minutes: number, kind: 'github' | 'vault' = 'github'): Promise<void> {
  await addGrant(fresh.db, {
    id,
    keys: { run: id, job: id },
    policy: 'deploy',
    kind,
    credential: 'minting',
    askedAtMs: ago(minutes),
  });
  await fresh.db.pool.query(
    `UPDATE access_credentials SET last_fault = 'not-installed: install it' WHERE grant_id = $1`,
    [id],
  );
}
const given = (id: string, minutes: number, policy = 'deploy') =>
  addGrant(fresh.db, { id, keys: { run: id, job: id }, policy, askedAtMs: ago(minutes) });

test('a policy by which a provider made nothing is broken until a later grant of it is given, or nobody asks for an hour', async () => {
  expect(await check()).toEqual([]);
  await given('before', 30);
  await refused('r1', 20);
  await refused('r2', 10);
  await given('another policy', 1, 'other');
  expect(await check()).toEqual([
    {
      name: 'grants by deploy',
      state: 'broken',
      detail: 'no github credential could be made, 2 times within the last hour: not-installed: install it',
      remedy: expect.stringContaining('do as it says'),
    },
  ]);
  await given('after', 1);
  expect(await check()).toEqual([]);
  await refused('v1', 5, 'vault');
  expect(await check()).toMatchObject([{ detail: expect.stringContaining('no vault credential could be made, once') }]);
  await fresh.db.pool.query(`UPDATE access_grants SET asked_at = now() - interval '61 min'`);
  expect(await check()).toEqual([]);
});
