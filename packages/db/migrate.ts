import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '@tripline/runtime/logger';
import { runMigrations } from 'graphile-worker';
import type { PoolClient } from 'pg';
import type { Db } from './database.ts';

/** The database and the code do not fit together. The message says which migration, and what to do. */
export class MigrationError extends Error {
  readonly code = 'MIGRATION';
}

const folder = join(import.meta.dirname, '../../migrations');
/** Any number that no other advisory lock of ours has. */
const lockKey = 7_261_453;

type Migration = { name: string; checksum: string; sql: string };

/**
 * Brings the schema up to date: the numbered files of /migrations, each in a transaction of its own, then
 * graphile-worker's own. Many processes may start at once: one migrates, the others wait for it.
 * @throws {MigrationError} a file was changed after it was applied, or the database is newer than this code.
 */
export async function migrate(db: Db, options: { logger?: Logger } = {}): Promise<void> {
  const client = await db.pool.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [lockKey]);
    try {
      await applyMissing(client, options.logger);
      // On the locked connection's watch: its own migrations do not wait for each other everywhere.
      await runMigrations({ pgPool: db.pool });
    } finally {
      await client.query('SELECT pg_advisory_unlock($1)', [lockKey]);
    }
  } finally {
    client.release();
  }
}

function readMigrations(): Migration[] {
  return readdirSync(folder)
    .filter((name) => /^\d{4}_[a-z_]+\.sql$/.test(name))
    .sort()
    .map((name) => {
      const sql = readFileSync(join(folder, name), 'utf8');
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    });
}

async function applyMissing(client: PoolClient, logger: Logger | undefined): Promise<void> {
  await client.query(`CREATE TABLE IF NOT EXISTS schema_migrations (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now())`);
  const { rows } = await client.query<{ name: string; checksum: string }>(
    'SELECT name, checksum FROM schema_migrations',
  );
  const applied = new Map(rows.map(({ name, checksum }) => [name, checksum]));
  const migrations = readMigrations();
  const unknown = [...applied.keys()].filter((name) => !migrations.some((migration) => migration.name === name));
  if (unknown.length > 0) {
    throw new MigrationError(
      `the database has migrations that this version does not know (${unknown.join(', ')}): start the version that made them, or a newer one`,
    );
  }
  for (const migration of migrations) {
    const checksum = applied.get(migration.name);
    if (checksum === migration.checksum) continue;
    if (checksum !== undefined) {
      throw new MigrationError(
        `migrations/${migration.name} was changed after it had been applied: restore it, and put the change into a new file`,
      );
    }
    await apply(client, migration);
    logger?.info({ migration: migration.name }, 'migration applied');
  }
}

async function apply(client: PoolClient, migration: Migration): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query(migration.sql);
    await client.query('INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)', [
      migration.name,
      migration.checksum,
    ]);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw new MigrationError(`migrations/${migration.name} failed: ${(error as Error).message}`);
  }
}
