import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Db, openDatabase } from '@tripline/db/database';
import { EmbeddedPostgresError } from '@tripline/db/embedded-program';
import type { Config } from '@tripline/runtime/config';
import { UserError } from './command.ts';

/** Folder of the embedded database within the data folder. */
export const embeddedFolder = (dataDir: string) => join(dataDir, 'postgres');

/**
 * Opens Tripline's database for one command: the configured one, or the embedded one of the data folder, which is
 * joined when Tripline runs and started for the moment when it does not.
 * @throws {UserError} when there is none, or it does not answer.
 */
export async function withStore<T>(config: Config, use: (db: Db) => Promise<T>): Promise<T> {
  const source = await databaseSource(config);
  const db = openDatabase(source.url, { applicationName: 'tripline-cli', maxConnections: 4 });
  try {
    return await use(db);
  } catch (error) {
    throw explain(error, config);
  } finally {
    await db.close();
    await source.stop();
  }
}

async function databaseSource(config: Config): Promise<{ url: string; stop: () => Promise<void> }> {
  if (config.database.url) return { url: config.database.url, stop: async () => {} };
  const dataDir = embeddedFolder(config.dataDir);
  if (!existsSync(join(dataDir, 'cluster'))) {
    throw new UserError(
      `there is no Tripline in ${config.dataDir} yet: start one with \`npx tripline up\`, or set DATABASE_URL`,
    );
  }
  const { startEmbedded } = await import('@tripline/db/embedded');
  try {
    return await startEmbedded({ dataDir });
  } catch (error) {
    if (error instanceof EmbeddedPostgresError) throw new UserError(error.message);
    throw error;
  }
}

/** Turns what a user can mend into a sentence; passes on the rest. */
export function explain(error: unknown, config: Config): unknown {
  const { code, message } = error as { code?: string; message?: string };
  const where = config.database.url ? 'DATABASE_URL' : config.dataDir;
  if (code === '42P01' || code === '3F000') {
    return new UserError(`the database of ${where} lacks tables of Tripline: run \`npx tripline migrate\``);
  }
  if (code === '28P01' || code === '28000' || code === '3D000') {
    return new UserError(`the database of ${where} refuses: ${message}`);
  }
  if (/^(ECONN|ENOTFOUND|EHOSTUNREACH|ETIMEDOUT|EAI_AGAIN|57P0)/.test(code ?? '')) {
    return new UserError(`the database of ${where} does not answer (${code}): is it running?`);
  }
  return error;
}
