import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '@tripline/config/config';
import { type Db, openDatabase } from '@tripline/db/database';
import { UserError } from './command.ts';

/** Folder of the embedded database within the data folder. */
export const embeddedFolder = (dataDir: string) => join(dataDir, 'postgres');

/**
 * Opens Tripline's database for one command: the configured one, or the embedded one of the data folder, which is
 * shared with a running Tripline, and otherwise started for as long as the command runs.
 * @throws {UserError} when there is none.
 */
export async function withStore<T>(config: Config, use: (db: Db, url: string) => Promise<T>): Promise<T> {
  const source = await databaseSource(config);
  const db = openDatabase(source.url, { applicationName: 'tripline-cli', maxConnections: 4 });
  try {
    return await use(db, source.url);
  } finally {
    await db.close();
    await source.stop();
  }
}

/** Whether there is a database to open: a configured one, or one of the data folder. */
export const hasStore = (config: Config): boolean =>
  config.database.url !== undefined || existsSync(join(embeddedFolder(config.dataDir), 'cluster'));

async function databaseSource(config: Config): Promise<{ url: string; stop: () => Promise<void> }> {
  if (config.database.url) return { url: config.database.url, stop: async () => {} };
  const dataDir = embeddedFolder(config.dataDir);
  if (!existsSync(join(dataDir, 'cluster'))) {
    throw new UserError(
      `there is no Tripline in ${config.dataDir} yet: start one with \`npx tripline up\`, or set DATABASE_URL`,
    );
  }
  const { startEmbedded } = await import('@tripline/embedded-postgres/embedded');
  return startEmbedded({ dataDir });
}
