import { openDatabase } from '@tripline/db/database';
import { databaseUrl } from '../../../packages/testing/postgres/postgres.global.ts';
import type { Found } from './peer.ts';

/** A database of a round's own, with a table of findings for peers that write into Postgres. */
export async function withFindings<T>(
  server: string,
  name: string,
  work: (database: { url: string; read: () => Promise<Found[]> }) => Promise<T>,
): Promise<T> {
  const maintenance = openDatabase(server, { applicationName: 'bench' });
  await maintenance.pool.query(`CREATE DATABASE ${name}`);
  const url = databaseUrl(server, name);
  const db = openDatabase(url, { applicationName: 'bench' });
  try {
    await db.pool.query(
      `CREATE TABLE findings (id text PRIMARY KEY, rule text NOT NULL, workspace text NOT NULL, subject text NOT NULL,
         occasion text NOT NULL, withdrawn text, body jsonb NOT NULL)`,
    );
    const read = async () => {
      const { rows } = await db.pool.query<Found>(
        'SELECT rule, workspace, subject, occasion FROM findings WHERE withdrawn IS NULL',
      );
      return rows;
    };
    return await work({ url, read });
  } finally {
    await db.close();
    await maintenance.pool.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await maintenance.close();
  }
}
