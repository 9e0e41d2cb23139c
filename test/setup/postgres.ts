import { randomBytes } from 'node:crypto';
import { type Db, openDatabase } from '@tripline/db/database';
import { inject } from 'vitest';
import { databaseUrl, template } from './postgres.global.ts';

export type FreshDatabase = { url: string; db: Db; close: () => Promise<void> };

/** A database of the test's own, migrated and empty, on the server that the test run started. `close` drops it. */
export async function freshDatabase(): Promise<FreshDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const serverUrl = inject('postgresUrl');
  await onServer(serverUrl, `CREATE DATABASE ${name} TEMPLATE ${template}`);
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
