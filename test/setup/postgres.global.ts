import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { openDatabase } from '../../packages/db/database.ts';
import { startEmbedded } from '../../packages/db/embedded.ts';
import { migrate } from '../../packages/db/migrate.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The test server's maintenance database. Test files take one of their own: `freshDatabase`. */
    postgresUrl: string;
  }
}

export const templateName = 'tripline_template';

/** One server for a project's run, with a migrated database that each test file copies. Durability is off: it dies with the run. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'tripline-test-'));
  const server = await startEmbedded({
    dataDir: join(folder, 'postgres'),
    settings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '300' },
  });
  const maintenance = openDatabase(server.url, { applicationName: 'test-setup' });
  await maintenance.pool.query(`CREATE DATABASE ${templateName}`);
  const template = openDatabase(databaseUrl(server.url, templateName), { applicationName: 'test-setup' });
  await migrate(template);
  await template.close();
  await maintenance.close();
  project.provide('postgresUrl', server.url);
  return async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  };
}

/** `url` with another database name. */
export function databaseUrl(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.toString();
}
