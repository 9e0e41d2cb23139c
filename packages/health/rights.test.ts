import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkRights } from './rights.ts';

let fresh: Awaited<ReturnType<typeof freshDatabase>>;
beforeEach(async () => {
  fresh = await freshDatabase();
});
afterEach(() => fresh.close());

const check = () => checkRights(fresh.as('cli'));
async function given(id: string, untilS: number, fault: string | null = null): Promise<void> {
  await fresh.db.pool.query(
    `INSERT INTO access_requests VALUES ($1, 'acme', 'acme/api', 'admin', 'ada', 3600000, 'INC-1', '{}', now())`,
    [id],
  );
  await fresh.db.pool.query(
    `INSERT INTO access_rights (request, state, policy, owner, repository_id, repository, grantee_id, grantee, former,
       given_until, due_at, last_fault)
     VALUES ($1, 'given', 'help', 'acme', '74', 'acme/api', $1, 'ada', 'read', now() + $2 * interval '1 s', now(), $3)`,
    [id, untilS, fault],
  );
}

test('says nothing where nobody has a right, and how many have one', async () => {
  expect(await check()).toEqual([]);
  await given('1', 600);
  expect(await check()).toEqual([{ name: 'rights', state: 'ok', detail: 'one person has a right for minutes' }]);
});

test('a right that stands a minute after its end, or after somebody ended it, is broken, and says why', async () => {
  await given('1', -59);
  expect(await check()).toMatchObject([{ state: 'ok' }]);
  await given('2', -61, 'http-500: GitHub is away');
  expect(await check()).toMatchObject([
    {
      state: 'broken',
      detail: 'one right stands a minute after its end, at first that of ada on acme/api: http-500: GitHub is away',
    },
  ]);
  await given('3', 600);
  await fresh.db.pool.query(`INSERT INTO access_request_ends VALUES ('3', '{}', now() - interval '2 min')`);
  expect(await check()).toMatchObject([{ detail: expect.stringMatching(/^2 rights stand/) }]);
});
