import { copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '@tripline/db/database';
import { migrate } from '@tripline/db/migrate';
import { emptyDatabaseOn } from '../../packages/testing/postgres/fresh-database.ts';
import type { Fault, Ground } from './fault.ts';
import { beforeNewestMigration, checkOut } from './former-checkout.ts';
import { fillTables, watchMigration } from './migration-locks.ts';
import { startService, until } from './service-process.ts';
import { addressOf, everyService, openWhole } from './whole.ts';

const lockLimitMs = 100;
/** What is too long in so many attempts is no accident of a loaded machine. */
const attempts = 3;
const tableRows = 200_000;

/**
 * The version before the newest migration runs under load, the database is migrated beneath it, the new version starts
 * beside it, dies once so that the former one takes over again, and at last stands alone.
 */
export const upgrade: Fault = {
  name: 'upgrade',
  what: 'the former version and this one side by side, over a migration',
  sizes: { ci: 600, full: 6000, unit: 'deliveries' },
  async run(ground, size) {
    const revision = ground.upgradeFrom ?? beforeNewestMigration();
    if (revision === undefined) {
      const { differences, worst } = await measureLocks(ground, migrateToTheLastButOne);
      return {
        size: `no former version: this clone holds no history; the newest migration over ${tableRows} rows a table`,
        ...{ compared: 'locks of the migration only', differences, figure: worst },
      };
    }
    const former = checkOut(revision);
    try {
      const { differences, worst } = await measureLocks(ground, (url) => migrateBy(former.folder, url));
      differences.push(...(await playSideBySide(ground, former.folder, size)));
      return {
        size: `${size} deliveries; from ${revision.slice(0, 7)}; ${tableRows} rows a table`,
        compared: 'log, trail, findings and incidents with an undisturbed engine; messages and steps, each once',
        differences,
        figure: worst,
      };
    } finally {
      former.remove();
    }
  },
};

/** Where history is not at hand: the schema as it was before the newest migration. */
async function migrateToTheLastButOne(url: string): Promise<void> {
  const here = join(import.meta.dirname, '../../migrations');
  const names = readdirSync(here).filter((name) => /^\d{4}_/.test(name));
  const dir = mkdtempSync(join(tmpdir(), 'tripline-migrations-'));
  for (const name of names.sort().slice(0, -1)) copyFileSync(join(here, name), join(dir, name));
  const db = openDatabase(url, { applicationName: 'faults', maxConnections: 2 });
  await migrate(db, { dir }).finally(() => db.close());
  rmSync(dir, { recursive: true, force: true });
}

async function migrateBy(folder: string | undefined, url: string): Promise<void> {
  const migration = startService('migrate', { DATABASE_URL: url }, folder === undefined ? {} : { of: folder });
  const end = await migration.ended;
  if (end !== 0) throw new Error(`the former version does not migrate (${end}):\n${migration.said()}`);
}

async function measureLocks(ground: Ground, prepare: (url: string) => Promise<void>) {
  const least = new Map<string, number>();
  const isLong = () => [...least.values()].some((ms) => ms > lockLimitMs);
  for (let attempt = 0; attempt === 0 || (attempt < attempts && isLong()); attempt += 1) {
    const database = await emptyDatabaseOn(ground.postgresUrl);
    try {
      await prepare(database.url);
      await fillTables(database.db, tableRows);
      const held = await watchMigration(database.url);
      for (const name of attempt === 0 ? held.keys() : least.keys()) {
        least.set(name, Math.min(least.get(name) ?? Number.POSITIVE_INFINITY, held.get(name) ?? 0));
      }
    } finally {
      await database.close();
    }
  }
  const sorted = [...least].sort(([, a], [, b]) => b - a);
  const differences = sorted
    .filter(([, ms]) => ms > lockLimitMs)
    .map(([name, ms]) => `a migration locks ${name} for ${Math.round(ms)} ms against writers`);
  const [first] = sorted;
  const longest = first ? `${first[1].toFixed(1)} ms, of ${first[0]}` : 'under a millisecond';
  return { differences, worst: `longest lock of a migration against writers: ${longest}` };
}

async function playSideBySide(ground: Ground, folder: string, size: number): Promise<string[]> {
  const database = await emptyDatabaseOn(ground.postgresUrl);
  await migrateBy(folder, database.url);
  const whole = await openWhole({ databaseUrl: database.url, deliveries: size });
  try {
    const old = everyService.map((name) => whole.start(name, { of: folder }));
    const oldBase = await addressOf(old[0]!);
    let base = oldBase;
    let isHeldBack = false;
    const sending = whole.sendAll(
      () => base,
      2,
      () => isHeldBack,
    );
    const sent = (share: number) =>
      until(() => whole.sender.left() <= size * (1 - share), {
        patienceMs: 120_000,
        what: `${share} of the deliveries`,
      });
    await sent(0.2);
    await migrateBy(undefined, database.url);
    const others = everyService.filter((name) => name !== 'receiver');
    const fresh = others.map((name) => whole.start(name));
    await until(() => fresh[0]!.said().includes('partition assigned; processing from its committed offset'), {
      of: fresh[0]!,
      what: 'the new detector',
    });
    await sent(0.4);
    // The former detector takes over what the new one has judged.
    await fresh[0]!.kill();
    await sent(0.55);
    const again = whole.start('detector');
    await until(() => again.said().includes('partition assigned; processing from its committed offset'), {
      of: again,
      what: 'the new detector',
    });
    await sent(0.7);
    // The spool's folder is for one receiver alone: the former one ends before the new one starts.
    isHeldBack = true;
    await Promise.all(old.map((one) => one.kill('SIGTERM')));
    base = await addressOf(whole.start('receiver'));
    isHeldBack = false;
    await sending;
    return await whole.settle(base, everyService);
  } finally {
    await whole.close();
    await database.close();
  }
}
