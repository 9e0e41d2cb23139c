import { type Db, openDatabase } from '@tripline/db/database';
import { migrate } from '@tripline/db/migrate';

/** Whatever stands in their way cannot write. https://www.postgresql.org/docs/18/explicit-locking.html */
const blocking = ['ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'];

/** Puts volume into the tables that grow, past what a busy organisation holds in a quarter. */
export async function fillTables(db: Db, rows: number): Promise<void> {
  await db.pool.query(
    `INSERT INTO incidents (id, workspace, severity, title, state, resolved_at, resolution, resolved_by)
     SELECT 'INC-9' || n, 'volume', 'high', 'Volume', 'resolved', now(), 'true', '{"via":"tripline","id":"x","name":"x"}'
     FROM generate_series(1, $1::int) AS n`,
    [rows / 2],
  );
  await db.pool.query(
    `INSERT INTO told (incident, sink, mode, version) SELECT 'INC-9' || n, s, 'dry-run', 9
     FROM generate_series(1, $1::int) AS n, unnest(ARRAY['slack', 'pagerduty']) AS s`,
    [rows / 2],
  );
  await db.pool.query(
    `INSERT INTO rule_state (workspace, rule, key, value, expires_ms, partition)
     SELECT 'volume', 'a-rule', 'key-' || n, '{"some":"state"}', 9000000000000, 1000 FROM generate_series(1, $1::int) AS n`,
    [rows],
  );
  await db.pool.query('ANALYZE');
}

/**
 * Migrates the database to this code, and answers how long each table that was there before was locked against writers, in
 * ms: looked at about every millisecond, by Postgres's own clock.
 */
export async function watchMigration(url: string): Promise<Map<string, number>> {
  const migrating = openDatabase(url, { applicationName: 'tripline-migration', maxConnections: 3 });
  const watching = openDatabase(url, { applicationName: 'faults', maxConnections: 1 });
  const held = new Map<string, number>();
  const since = new Map<string, number>();
  try {
    const { rows: before } = await watching.pool.query<{ oid: number }>(
      "SELECT c.oid::int FROM pg_class AS c WHERE c.relkind IN ('r', 'p') AND c.relnamespace::regnamespace::text IN ('public', 'graphile_worker')",
    );
    const tables = before.map(({ oid }) => oid);
    let isOver = false;
    const migration = migrate(migrating).finally(() => {
      isOver = true;
    });
    while (!isOver) {
      const { rows } = await watching.pool.query<{ at: number; name: string | null }>(
        `SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS at, l.relation::regclass::text AS name
         FROM (SELECT 1) AS one LEFT JOIN (SELECT DISTINCT k.relation FROM pg_locks AS k JOIN pg_stat_activity AS a USING (pid)
           WHERE a.application_name = 'tripline-migration' AND a.datname = current_database() AND k.granted
             AND k.mode = ANY ($1) AND k.relation = ANY ($2::oid[])) AS l ON true`,
        [blocking, tables],
      );
      const atMs = rows[0]!.at;
      const names = new Set(rows.flatMap(({ name }) => (name === null ? [] : [name])));
      for (const name of names) {
        if (!since.has(name)) since.set(name, atMs);
        held.set(name, Math.max(held.get(name) ?? 0, atMs - since.get(name)!));
      }
      for (const name of since.keys()) if (!names.has(name)) since.delete(name);
    }
    await migration;
    return held;
  } finally {
    await migrating.close();
    await watching.close();
  }
}
