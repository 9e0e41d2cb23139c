import { afterEach, beforeEach, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../test/setup/postgres.ts';

let fresh: FreshDatabase;
beforeEach(async () => {
  fresh = await freshDatabase();
});
afterEach(() => fresh.close());

test('a fresh database is migrated', async () => {
  const { rows } = await fresh.db.pool.query('SELECT count(*) AS n FROM incidents');
  expect(rows).toEqual([{ n: 0 }]);
});
