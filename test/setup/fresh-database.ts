import { randomBytes } from 'node:crypto';
import { type Db, openDatabase } from '@tripline/db/database';
import { databaseUrl, template } from './postgres.global.ts';

export type FreshDatabase = { url: string; db: Db; close: () => Promise<void> };

/** A database of the caller's own, migrated and empty, on a server of `startTestPostgres`. `close` drops it. */
export function freshDatabaseOn(serverUrl: string): Promise<FreshDatabase> {
  return makeDatabase(serverUrl, `TEMPLATE ${template}`);
}

/** The same without any table. */
export function emptyDatabaseOn(serverUrl: string): Promise<FreshDatabase> {
  return makeDatabase(serverUrl, '');
}

async function makeDatabase(serverUrl: string, options: string): Promise<FreshDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  await onServer(serverUrl, `CREATE DATABASE ${name} ${options}`);
  const url = databaseUrl(serverUrl, name);
  const db = openDatabase(url, { applicationName: 'tripline-test', maxConnections: 10 });
  return {
    url,
    db,
    close: async () => {
      await db.close();
      await onServer(serverUrl, `DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

async function onServer(url: string, sql: string): Promise<void> {
  const admin = openDatabase(url, { applicationName: 'tripline-test', maxConnections: 1 });
  await admin.pool.query(sql).finally(() => admin.close());
}
