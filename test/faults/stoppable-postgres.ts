import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '@tripline/db/database';
import { migrate } from '@tripline/db/migrate';
import { startEmbedded } from '@tripline/embedded-postgres/embedded';
import type { FreshDatabase } from '../../packages/testing/postgres/fresh-database.ts';
import { until } from './service-process.ts';

/** A migrated Postgres of its own that may be stopped in the manner `immediate` (SIGQUIT: no goodbye, recovery at the next start). */
export async function openStoppable() {
  const dir = mkdtempSync(join(tmpdir(), 'tripline-stoppable-'));
  // Started by root, Postgres runs as nobody, who must get through to its data.
  chmodSync(dir, 0o711);
  const dataDir = join(dir, 'postgres');
  const servers = [await startEmbedded({ dataDir })];
  const { url } = servers[0]!;
  const db = openDatabase(url, { applicationName: 'faults', maxConnections: 10 });
  await migrate(db);
  const database: Pick<FreshDatabase, 'db' | 'url' | 'urlAs'> = { db, url, urlAs: () => url };
  return {
    database,
    /** @returns for how long it was away, ms. */
    async stopAndStart(): Promise<number> {
      const pid = Number(readFileSync(join(dataDir, 'cluster/postmaster.pid'), 'utf8').split('\n')[0]);
      process.kill(pid, 'SIGQUIT');
      await until(() => !isAlive(pid), { what: 'the end of Postgres' });
      const fromMs = performance.now();
      servers.push(await startEmbedded({ dataDir }));
      return performance.now() - fromMs;
    },
    async close(): Promise<void> {
      await db.close();
      for (const server of servers.reverse()) await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
