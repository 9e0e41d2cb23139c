import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { raceEnds } from '@tripline/testing/services/broker-grants';
import { expect, test } from 'vitest';

test('of 10,000 jobs that end while they are given something, none keeps it', { timeout: 300_000 }, async () => {
  const fresh = await freshDatabase();
  try {
    expect(await raceEnds(fresh.as('broker'), { to: 10_000 })).toBe(0);
  } finally {
    await fresh.close();
  }
});
