import { randomUUID } from 'node:crypto';
import { openDatabase } from '@tripline/db/database';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { expect, test } from 'vitest';
import { openIncidents } from '../../../test/faults/sinks.ts';
import { groupIntoDigest } from './digests.ts';
import { claimDue, deferDigest, deferNotification, noteIntent } from './messages.ts';

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
      await deferNotification(db, { incident: `INC-${first + nth}`, channel: 'slack', mode: 'live' });
    await db.pool.query('ANALYZE');

    const readBefore = await readInOrder();
    expect(await groupIntoDigest(db, { above: 20, keep: 5, mode: 'live' })).toBe(295);
    expect(await groupIntoDigest(db, { above: 20, keep: 5, mode: 'live' })).toBe(0);
    expect((await readInOrder()) - readBefore).toBeLessThan(before);
  } finally {
    await db.close();
    await database.close();
  }
});

test('whoever has a digest has it for as long as reading a storm takes, before each time it is told', async () => {
  const { db, close } = await freshDatabase();
  const claimMs = 10_000;
  // As if so much time had passed, for that is all that a claim hangs on.
  const pass = (ms: number) =>
    db.pool.query(
      `UPDATE told SET claimed_until = claimed_until - $1 * interval '1 ms', due_at = due_at - $1 * interval '1 ms'`,
      [ms],
    );
  try {
    const { rows } = await db.pool.query<{ id: number }>(
      `INSERT INTO told (sink, mode) VALUES ('slack', 'live') RETURNING id`,
    );
    await deferDigest(db, rows[0]!.id);
    const claim = await claimDue(db, 'slack', 'oldest', randomUUID(), claimMs);
    for (const intent of ['posted', 'updated'] as const) {
      await pass(9 * claimMs);
      expect(await claimDue(db, 'slack', 'oldest', randomUUID(), claimMs)).toBeUndefined();
      expect(await noteIntent(db, claim!, intent, claimMs)).toBe(true);
    }
    await pass(10 * claimMs);
    expect(await claimDue(db, 'slack', 'oldest', randomUUID(), claimMs)).toBeDefined();
    expect(await noteIntent(db, claim!, 'updated', claimMs)).toBe(false);

    const first = await openIncidents(db, 1, { remediate: false });
    await deferNotification(db, { incident: `INC-${first}`, channel: 'slack', mode: 'live' });
    expect(await claimDue(db, 'slack', 'newest', randomUUID(), claimMs)).toBeDefined();
    await pass(claimMs);
    expect(await claimDue(db, 'slack', 'newest', randomUUID(), claimMs)).toBeDefined();
  } finally {
    await close();
  }
});
