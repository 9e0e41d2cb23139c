import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '@tripline/db/database';
import { applyGrants } from '@tripline/db/grants';
import { migrate } from '@tripline/db/migrate';
import { startEmbedded } from '@tripline/embedded-postgres/embedded';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Of the server that tests share; the database in it is for making others. */
    postgresUrl: string;
  }
}

/** Name of the migrated database that every test's own is a copy of. */
export const template = 'tripline_template';

/** One server a project. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startTestPostgres();
  project.provide('postgresUrl', server.url);
  return server.stop;
}

/** A server in a folder of its own, with the template in it. Nothing of it need outlive a power cut, so nothing is synced to disk. */
export async function startTestPostgres(): Promise<{ url: string; stop: () => Promise<void> }> {
  const dir = mkdtempSync(join(tmpdir(), 'tripline-test-'));
  // Started by root, Postgres runs as nobody, who must get through to its data.
  chmodSync(dir, 0o711);
  const remove = () => rmSync(dir, { recursive: true, force: true });
  const server = await startEmbedded({
    dataDir: join(dir, 'postgres'),
    settings: { fsync: 'off', full_page_writes: 'off', max_connections: '300', shared_buffers: '64MB' },
  });
  const stop = async () => {
    await server.stop();
    remove();
  };
  try {
    await makeTemplate(server.url);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: server.url, stop };
}

async function makeTemplate(url: string): Promise<void> {
  const admin = openDatabase(url, { applicationName: 'tripline-test', maxConnections: 1 });
  await admin.pool.query(`CREATE DATABASE ${template}`);
  await admin.close();
  const db = openDatabase(databaseUrl(url, template), { applicationName: 'tripline-test', maxConnections: 2 });
  try {
    await migrate(db);
    await applyGrants(db);
  } finally {
    await db.close();
  }
}

/** The same server's database of another name. */
export function databaseUrl(url: string, name: string): string {
  const other = new URL(url);
  other.pathname = `/${name}`;
  return other.href;
}
