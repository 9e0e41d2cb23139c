import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '@tripline/runtime/logger';
import { runMigrations, Logger as WorkerLogger } from 'graphile-worker';
import type pg from 'pg';
import type { Db } from './database.ts';

/** Schema and code do not match, or a migration failed. The message says why and what to do. */
export class MigrationError extends Error {
  readonly code = 'MIGRATION';
}

const migrationsDir = join(import.meta.dirname, '../../migrations');

/**
 * How long a migration may wait for a lock, since all later statements queue behind it. Then it retries after a pause.
 */
const lockTimeoutMs = 80;
const lockPauseMs = 300;
const lockPatienceMs = 120_000;

/** Arbitrary, but used by no other advisory lock of Tripline. */
const lockKey = 7_470_111;

/**
 * Brings a database to the schema of this code: the numbered files of migrations/ in order, each in a transaction of
 * its own, then graphile-worker's own. Any number of processes may call it at once; one works and the others wait for
 * it. Uses two connections of the pool.
 * @throws {MigrationError} when an applied file was changed since, or the database is newer than the code.
 */
export async function migrate(db: Db, options: { logger?: Logger; dir?: string } = {}): Promise<void> {
  const files = readMigrations(options.dir ?? migrationsDir);
  const client = await db.pool.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [lockKey]);
    await client.query(
      `CREATE TABLE IF NOT EXISTS schema_migrations (
         name       text PRIMARY KEY,
         -- Hex SHA-256 of the file.
         checksum   text NOT NULL,
         applied_at timestamptz NOT NULL DEFAULT now()
       )`,
    );
    for (const file of await filesToApply(client, files)) {
      await apply(client, file);
      options.logger?.info({ migration: file.name }, 'migrated the database');
    }
    await runMigrations({ pgPool: db.pool, logger: workerLogger(options.logger) });
  } catch (error) {
    throw await withMissingRight(client, error);
  } finally {
    // Ends the session and with it the lock, whatever state a failed migration left it in.
    client.release(true);
  }
}

/** Adds which right is missing, and the statement that grants it. */
async function withMissingRight(client: pg.PoolClient, error: unknown): Promise<unknown> {
  const isMissing = [error, (error as Error).cause].some(
    (one) => (one as { code?: string } | undefined)?.code === '42501',
  );
  if (!isMissing) return error;
  const { rows } = await client.query<{ role: string; database: string; schema: boolean; create: boolean }>(
    `SELECT quote_ident(current_user) AS role, quote_ident(current_database()) AS database,
            has_schema_privilege('public', 'CREATE') AS schema,
            has_database_privilege(current_database(), 'CREATE') AS create`,
  );
  const { role, database, schema, create } = rows[0]!;
  const missing = [
    ...(create ? [] : [`GRANT CREATE ON DATABASE ${database} TO ${role}`]),
    ...(schema ? [] : [`GRANT CREATE, USAGE ON SCHEMA public TO ${role}`]),
  ];
  const remedy =
    missing.length > 0
      ? `as the database's owner, run \`${missing.join('; ')}\` in it`
      : `migrate by the role that owns the tables (\`\\dt\` names it), and leave this one to the services`;
  return new MigrationError(`${role} may not make or change the tables (${(error as Error).message}): ${remedy}`, {
    cause: error,
  });
}

/**
 * Migrations that the database lacks, in order; graphile-worker's schema counts as one. If some but not all are
 * missing, a migration was interrupted or failed.
 * @throws {MigrationError} as `migrate` does.
 */
export async function readMissingMigrations(db: Db): Promise<{ missing: string[]; applied: number }> {
  const files = readMigrations(migrationsDir);
  const { rows } = await db.pool.query<{ ours: boolean; workers: boolean }>(
    `SELECT to_regclass('schema_migrations') IS NOT NULL AS ours, to_regclass('graphile_worker.jobs') IS NOT NULL AS workers`,
  );
  const { ours, workers } = rows[0]!;
  const missing = (ours ? await filesToApply(db.pool, files) : files).map(({ name }) => name);
  return { missing: workers ? missing : [...missing, 'graphile_worker'], applied: files.length - missing.length };
}

/**
 * For a service that would start, and fail at each of its calls. One that is older than the database goes on: it works on the same tables
 * while an upgrade runs.
 * @throws {MigrationError} the database lacks a migration of this code.
 */
export async function refuseUnmigrated({ pool }: Pick<Db, 'pool'>): Promise<void> {
  const { rows: found } = await pool.query<{ ours: boolean }>(
    `SELECT to_regclass('schema_migrations') IS NOT NULL AS ours`,
  );
  const { rows } = found[0]!.ours
    ? await pool.query<{ name: string }>('SELECT name FROM schema_migrations')
    : { rows: [] };
  const applied = new Set(rows.map(({ name }) => name));
  const missing = readMigrations(migrationsDir).filter(({ name }) => !applied.has(name));
  if (missing.length === 0) return;
  const which = missing.slice(0, 5).map(({ name }) => name);
  throw new MigrationError(
    `the database is older than this Tripline (it lacks ${which.join(', ')}): run \`npx tripline migrate\`, and start it again`,
  );
}

type Migration = { name: string; sql: string; checksum: string };

function readMigrations(dir: string): Migration[] {
  const names = readdirSync(dir).filter((name) => /^\d{4}_\w+\.sql$/.test(name));
  return names.sort().map((name) => {
    const sql = readFileSync(join(dir, name), 'utf8').replaceAll('\r\n', '\n');
    return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
  });
}

async function filesToApply(client: Pick<pg.PoolClient, 'query'>, files: Migration[]): Promise<Migration[]> {
  const { rows } = await client.query<{ name: string; checksum: string }>(
    'SELECT name, checksum FROM schema_migrations',
  );
  const applied = new Map(rows.map((row) => [row.name, row.checksum]));
  for (const { name, checksum } of files) {
    const before = applied.get(name);
    if (before !== undefined && before !== checksum) {
      throw new MigrationError(
        `migrations/${name} was changed after it was applied to this database: put it back as it was, and write the ` +
          'change as a new migration',
      );
    }
  }
  const unknown = [...applied.keys()].filter((name) => !files.some((file) => file.name === name)).sort();
  if (unknown.length > 0) {
    throw new MigrationError(
      `the database is newer than this Tripline (it has ${unknown.join(', ')}): start the newer version, or restore the ` +
        'database from before it',
    );
  }
  return files.filter(({ name }) => !applied.has(name));
}

async function apply(client: pg.PoolClient, { name, sql, checksum }: Migration): Promise<void> {
  const endMs = performance.now() + lockPatienceMs;
  for (;;) {
    try {
      await client.query(`BEGIN; SET LOCAL lock_timeout = ${lockTimeoutMs}`);
      await client.query(sql);
      await client.query('INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)', [name, checksum]);
      await client.query('COMMIT');
      return;
    } catch (error) {
      await client.query('ROLLBACK').catch(() => {});
      const isLocked = (error as { code?: string }).code === '55P03';
      if (isLocked && performance.now() < endMs) {
        await pause(lockPauseMs);
        continue;
      }
      const advice = isLocked
        ? '; somebody holds a transaction open for minutes: end it (pg_stat_activity names it)'
        : '';
      throw new MigrationError(
        `migrations/${name} failed, and nothing of it was kept: ${(error as Error).message}${advice}`,
        { cause: error },
      );
    }
  }
}

/** graphile-worker's logger, which writes to the console when it is given none. */
function workerLogger(logger: Logger | undefined): WorkerLogger {
  return new WorkerLogger(() => (level, message) => {
    if (level === 'error') logger?.error(message);
    else logger?.debug(message);
  });
}
