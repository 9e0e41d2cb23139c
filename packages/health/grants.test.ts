import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { addGrant, endJobs } from '@tripline/testing/services/broker-grants';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkGrants } from './grants.ts';

let fresh: Awaited<ReturnType<typeof freshDatabase>>;
beforeEach(async () => {
  fresh = await freshDatabase();
});
afterEach(() => fresh.close());

const keys = { run: 'run', job: 'run/1' };
const check = () => checkGrants(fresh.as('cli'));
const ago = (minutes: number) => Date.now() - minutes * 60_000;

test('says nothing where nothing was ever given', async () => {
  expect(await check()).toEqual([]);
});

test('a credential that is alive a minute after its job ended is broken, and says what its provider says', async () => {
  await addGrant(fresh.db, { id: 'g1', keys, askedAtMs: ago(1) });
  expect(await check()).toEqual([
    { name: 'grants', state: 'ok', detail: 'one credential is alive, of a job that runs' },
  ]);
  await endJobs(fresh.db, [keys.job]);
  await fresh.db.pool.query(`UPDATE access_grants SET ending_at = now() - interval '30 s'`);
  expect(await check()).toMatchObject([{ state: 'ok' }]);
  await fresh.db.pool.query(`UPDATE access_grants SET ending_at = now() - interval '61 s'`);
  await fresh.db.pool.query(`UPDATE access_credentials SET last_fault = 'http-500: GitHub is away'`);
  expect(await check()).toMatchObject([
    { state: 'broken', detail: expect.stringMatching(/one credential is alive \(github\).*GitHub is away/) },
  ]);
  // Its provider said so, and only the log was not told yet.
  await fresh.db.pool.query(`UPDATE access_credentials SET dead_at = now()`);
  expect(await check()).toMatchObject([{ state: 'ok', detail: 'nothing that was given is alive' }]);
});

test('a credential that no configured key could revoke is broken while its job runs', async () => {
  await addGrant(fresh.db, { id: 'g1', keys, askedAtMs: ago(1) });
  await fresh.db.pool.query(`UPDATE access_credentials SET last_fault = 'sealed by a key that is not named'`);
  expect(await check()).toEqual([
    {
      ...{ name: 'grants', state: 'broken' },
      detail: expect.stringMatching(/^one credential that a job has cannot be revoked .*sealed by a key/),
      remedy: expect.stringContaining('put the former key back'),
    },
  ]);
});

test('shows that no end of any job is received while something is alive for long', async () => {
  await addGrant(fresh.db, { id: 'g1', keys, askedAtMs: ago(11) });
  expect(await check()).toMatchObject([{ state: 'ok', detail: expect.stringMatching(/no end of any job/) }]);
  await fresh.db.pool.query(`INSERT INTO access_ends VALUES ('another', now(), now())`);
  expect((await check())[0]).not.toHaveProperty('remedy');
});
