import { type FreshDatabase, freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { applyGrants, grantStatements, readTables, roleName, serviceRoles, undecided } from './grants.ts';

let database: FreshDatabase;
beforeEach(async () => {
  database = await freshDatabase();
});
afterEach(() => database.close());

test('somebody has decided for each table who may do what', async () => {
  const { own } = await readTables(database.db);
  expect(undecided(own)).toEqual([]);
  expect(undecided([...own, 'a_new_table'])).toEqual(['a_new_table']);
});

test('what there is no grant for is not allowed: the rights in Postgres are those that are written down, and no more', async () => {
  const { rows } = await database.db.pool.query(
    `SELECT format('%s %s %s', r.rolname, string_agg(p.privilege, ',' ORDER BY p.privilege), t.relname) AS granted
     FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
       CROSS JOIN pg_roles r
       CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER', 'REFERENCES']) AS p(privilege)
     WHERE n.nspname = 'public' AND t.relkind IN ('r', 'p') AND r.rolname = ANY ($1)
       AND has_table_privilege(r.rolname, t.oid, p.privilege)
     GROUP BY r.rolname, t.relname`,
    [serviceRoles.map(roleName)],
  );
  const real = rows.map(({ granted }) => granted as string).sort();
  const written = grantStatements(await readTables(database.db)).flatMap((statement) => {
    const [, rights, table, role] = /^GRANT ([A-Z, ]+?)(?:, UPDATE \(\w+\))? ON (\w+) TO (\w+)$/.exec(statement) ?? [];
    return rights ? [`${role} ${rights.split(', ').sort().join(',')} ${table}`] : [];
  });
  expect(real).toEqual(written.sort());
});

describe('the trail', () => {
  const day = '2026-03-02';
  const insert = `INSERT INTO trail (topic, partition, "offset", appended_at, key, headers, value, hash)
    VALUES ('t', 0, $1, '${day} 12:00Z', 'k', '{}', NULL, decode(repeat('00', 32), 'hex'))`;

  test('is added to by the recorder, who makes its days, and changed by no service', async () => {
    const recorder = database.as('recorder');
    await recorder.pool.query('SELECT make_trail_day($1)', [day]);
    await recorder.pool.query(insert, [0]);
    await database.db.pool.query(insert, [1]);
    const forbidden = [
      `UPDATE trail SET value = 'x'`,
      'DELETE FROM trail',
      'TRUNCATE trail',
      'DROP TABLE trail',
      `UPDATE trail_20260302 SET value = 'x'`,
      'DELETE FROM trail_20260302',
      'DROP TABLE trail_20260302',
      'ALTER TABLE trail DETACH PARTITION trail_20260302',
      'ALTER FUNCTION make_trail_day(date) SECURITY INVOKER',
    ];
    for (const service of serviceRoles) {
      const { pool } = database.as(service);
      for (const statement of forbidden) {
        await expect(pool.query(statement), `${service}: ${statement}`).rejects.toThrow(
          /permission denied|must be owner/,
        );
      }
      if (service === 'recorder') continue;
      await expect(pool.query(insert, [2])).rejects.toThrow('permission denied for table trail');
      await expect(pool.query(`UPDATE trail_heads SET hash = decode(repeat('00', 32), 'hex')`)).rejects.toThrow(
        /denied/,
      );
      await expect(pool.query('SELECT make_trail_day($1)', ['2026-03-03'])).rejects.toThrow(/denied/);
    }
    expect((await database.db.pool.query('SELECT FROM trail')).rowCount).toBe(2);
  });

  test('gives its maker of days no way to run something else as the owner', async () => {
    const { pool } = database.as('recorder');
    const client = await pool.connect();
    await client.query(
      `CREATE FUNCTION pg_temp.to_char(date, text) RETURNS text LANGUAGE sql AS $$ SELECT 'x; DROP TABLE trail' $$`,
    );
    await client.query('SET search_path = pg_temp, public');
    await client.query('SELECT make_trail_day($1)', ['2026-03-04']);
    client.release();
    expect((await database.db.pool.query(`SELECT to_regclass('trail_20260304')::text AS day`)).rows).toEqual([
      { day: 'trail_20260304' },
    ]);
  });
});

test('the receiver, who hears hostile bytes, sees nothing but the log', async () => {
  const { pool } = database.as('receiver');
  for (const table of ['trail', 'findings', 'incidents', 'outbox', 'told', 'queue', 'graphile_worker._private_jobs']) {
    await expect(pool.query(`SELECT FROM ${table}`)).rejects.toThrow('permission denied');
  }
});

test('nobody but those who run jobs or leave them sees one', async () => {
  for (const service of ['receiver', 'reconciler', 'recorder'] as const) {
    const { pool } = database.as(service);
    await expect(pool.query(`SELECT graphile_worker.add_job('look-up', '{}')`)).rejects.toThrow('permission denied');
  }
});

test('applied again they are the same, and a right that is written down no more is taken', async () => {
  const acl = `SELECT relname, relacl::text AS acl FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1`;
  const before = await database.db.pool.query(acl);
  await database.db.pool.query('GRANT ALL ON trail, findings TO tripline_notifier');
  await applyGrants(database.db);
  const sorted = ({ rows }: typeof before) =>
    rows.map((row) => ({ ...row, acl: row.acl?.replace(/[{}]/g, '').split(',').sort() }));
  expect(sorted(await database.db.pool.query(acl))).toEqual(sorted(before));
});
