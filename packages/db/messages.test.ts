import { expect, test } from 'vitest';
import { openIncidents } from '../../test/faults/sinks.ts';
import { freshDatabase } from '../../test/setup/postgres.ts';
import { openDatabase } from './database.ts';
import { foldWaiting, park } from './messages.ts';

test('folding reads what waits, however many were told or folded before', async () => {
  const database = await freshDatabase();
  // Statistics are told by the connection that made them.
  const db = openDatabase(database.url, { applicationName: 'test', maxConnections: 1 });
  const readInOrder = async () => {
    await db.pool.query('SELECT pg_stat_force_next_flush()');
    const { rows } = await db.pool.query<{ read: number }>(
      `SELECT sum(seq_tup_read)::int AS read FROM pg_stat_user_tables WHERE relname IN ('told', 'incidents')`,
    );
    return rows[0]!.read;
  };
  try {
    // As the notifier's connections have it.
    await db.pool.query('SET plan_cache_mode = force_generic_plan');
    const before = 20_000;
    await openIncidents(db, before, { remediate: false });
    await db.pool.query(`INSERT INTO told (sink, mode) VALUES ('slack', 'live')`);
    await db.pool.query(
      `INSERT INTO told (incident, sink, mode, digest, due_at)
       SELECT i.id, sink, 'live', CASE sink WHEN 'slack' THEN (SELECT id FROM told WHERE incident IS NULL) END, now()
       FROM incidents i CROSS JOIN (VALUES ('slack'), ('pagerduty')) AS s (sink)`,
    );
    const first = await openIncidents(db, 300, { remediate: false });
    for (let nth = 0; nth < 300; nth += 1)
      await park(db, { incident: `INC-${first + nth}`, sink: 'slack', mode: 'live' });
    await db.pool.query('ANALYZE');

    const readBefore = await readInOrder();
    expect(await foldWaiting(db, { above: 20, keep: 5, mode: 'live' })).toBe(295);
    expect(await foldWaiting(db, { above: 20, keep: 5, mode: 'live' })).toBe(0);
    expect((await readInOrder()) - readBefore).toBeLessThan(before);
  } finally {
    await db.close();
    await database.close();
  }
});
