import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { type Db, openDatabase } from '../../packages/db/database.ts';
import { databaseUrl, templateName } from './postgres.global.ts';

/** A migrated database of its own on the run's server; `close` drops it with whatever is still connected to it. */
export async function freshDatabase(): Promise<{ url: string; db: Db; close: () => Promise<void> }> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  const server = inject('postgresUrl');
  const maintenance = openDatabase(server, { applicationName: 'test', maxConnections: 1 });
  await maintenance.pool.query(`CREATE DATABASE ${name} TEMPLATE ${templateName}`);
  const url = databaseUrl(server, name);
  const db = openDatabase(url, { applicationName: 'test' });
  return {
    url,
    db,
    close: async () => {
      await db.close();
      await maintenance.pool.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await maintenance.close();
    },
  };
}
