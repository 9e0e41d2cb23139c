import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { expect, test } from 'vitest';

test('Postgres ends the session of whoever stands still within a transaction, and the pool goes on', async () => {
  const { db, close } = await freshDatabase();
  const client = await db.pool.connect();
  try {
    const { rows } = await client.query('SHOW idle_in_transaction_session_timeout');
    expect(rows).toEqual([{ idle_in_transaction_session_timeout: '5s' }]);
    const { pid } = (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]!;
    // As it is after 5 s.
    await client.query(`BEGIN; SET LOCAL idle_in_transaction_session_timeout = 20`);
    const alive = async () => (await db.pool.query('SELECT FROM pg_stat_activity WHERE pid = $1', [pid])).rowCount;
    await expect.poll(alive).toBe(0);
    await expect(client.query('COMMIT')).rejects.toThrow();
  } finally {
    client.release(true);
    await close();
  }
});
