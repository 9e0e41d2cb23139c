import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { expect, test } from 'vitest';
import { openDatabase } from './database.ts';
import { MigrationError, migrate, refuseUnmigrated } from './migrate.ts';

test('many processes may migrate at once, and again, and nothing is applied twice', async () => {
  const { db, url, close } = await freshDatabase();
  try {
    await db.pool.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public; DROP SCHEMA graphile_worker CASCADE');
    const others = Array.from({ length: 4 }, () => openDatabase(url, { applicationName: 'migrate-test' }));
    await Promise.all(others.map((other) => migrate(other)));
    await Promise.all(others.map((other) => other.close()));
    const { rows } = await db.pool.query<{ name: string }>('SELECT name FROM schema_migrations ORDER BY name');
    expect(rows.length).toBeGreaterThan(1);
    expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length);
    await db.pool.query('SELECT FROM findings, incidents');
  } finally {
    await close();
  }
});

test('a migration that was changed after it had been applied stops the start and is named', async () => {
  const { db, close } = await freshDatabase();
  try {
    await db.pool.query(`UPDATE schema_migrations SET checksum = 'another' WHERE name LIKE '0002%'`);
    await expect(migrate(db)).rejects.toThrow(/0002_findings\.sql was changed/);
  } finally {
    await close();
  }
});

test('a service is refused a database that is older than it, and goes on with one that is newer', async () => {
  const fresh = await freshDatabase();
  try {
    const asBroker = fresh.as('broker');
    await fresh.db.pool.query(`INSERT INTO schema_migrations (name, checksum) VALUES ('9999_later.sql', 'x')`);
    await refuseUnmigrated(asBroker);
    await fresh.db.pool.query(`DELETE FROM schema_migrations WHERE name LIKE '0135%'`);
    await expect(refuseUnmigrated(asBroker)).rejects.toThrow(/lacks 0135_.*run `npx tripline migrate`/);
    await fresh.db.pool.query('DROP TABLE schema_migrations');
    await expect(refuseUnmigrated(asBroker)).rejects.toThrow(/lacks 0001_/);
  } finally {
    await fresh.close();
  }
});

test('a database that is newer than the code stops the start', async () => {
  const { db, close } = await freshDatabase();
  try {
    await db.pool.query(`INSERT INTO schema_migrations (name, checksum) VALUES ('9999_later.sql', 'x')`);
    await expect(migrate(db)).rejects.toThrow(MigrationError);
    await expect(migrate(db)).rejects.toThrow(/9999_later\.sql/);
  } finally {
    await close();
  }
});

test('a migration that fails keeps nothing of itself, is named, and can be tried again', async () => {
  const { db, close } = await freshDatabase();
  const dir = mkdtempSync(join(tmpdir(), 'tripline-migrations-'));
  try {
    await db.pool.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    writeFileSync(join(dir, '0001_first.sql'), 'CREATE TABLE first (id int)');
    writeFileSync(join(dir, '0002_second.sql'), 'CREATE TABLE second (id int); SELECT 1 / 0');
    await expect(migrate(db, { dir })).rejects.toThrow(/0002_second\.sql failed.*division by zero/);
    const { rows } = await db.pool.query(`SELECT to_regclass('first')::text AS f, to_regclass('second')::text AS s`);
    expect(rows).toEqual([{ f: 'first', s: null }]);
    writeFileSync(join(dir, '0002_second.sql'), 'CREATE TABLE second (id int)');
    await migrate(db, { dir });
    await db.pool.query('SELECT FROM second');
  } finally {
    rmSync(dir, { recursive: true, force: true });
    await close();
  }
});

test('a migration that waits for a long transaction keeps nobody else waiting behind it', async () => {
  const { db, close } = await freshDatabase();
  const dir = mkdtempSync(join(tmpdir(), 'tripline-migrations-'));
  const long = await db.pool.connect();
  try {
    await db.pool.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE busy (id int)');
    await long.query('BEGIN; SELECT FROM busy');
    writeFileSync(join(dir, '0001_wider.sql'), 'ALTER TABLE busy ADD COLUMN more int');
    const migrating = migrate(db, { dir });
    const waits = async () => {
      const { rows } = await db.pool.query("SELECT FROM pg_locks WHERE NOT granted AND relation = 'busy'::regclass");
      return rows.length;
    };
    await expect.poll(waits, { interval: 5, timeout: 10_000 }).toBe(1);
    await db.pool.query("BEGIN; SET LOCAL statement_timeout = '5s'; SELECT FROM busy; COMMIT");
    await long.query('COMMIT');
    await migrating;
    await db.pool.query('SELECT more FROM busy');
  } finally {
    long.release(true);
    rmSync(dir, { recursive: true, force: true });
    await close();
  }
});

test('each migration has a number of its own, by which they are ordered', () => {
  const numbers = readdirSync(join(import.meta.dirname, '../../migrations')).flatMap(
    (name) => /^\d{4}(?=_)/.exec(name) ?? [],
  );
  expect(numbers.filter((number, at) => numbers.indexOf(number) !== at)).toEqual([]);
});
