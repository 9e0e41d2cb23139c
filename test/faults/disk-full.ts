import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '@tripline/db/database';
import { startEmbedded } from '@tripline/embedded-postgres/embedded';
import { freshDatabaseOn } from '../../packages/testing/postgres/fresh-database.ts';
import { createSender, someDeliveries, webhookSecret } from './deliveries.ts';
import type { Fault, Ground } from './fault.ts';
import { startPostgresProxy } from './postgres-proxy.ts';
import { startService, until } from './service-process.ts';
import { addressOf, openWhole } from './whole.ts';

/**
 * The disk takes no more bytes, in two ways. The receiver's: its process may no longer extend a file (RLIMIT_FSIZE, which
 * needs no privilege), while the log is away. The standalone's: all of it, database too, on a file system of its own that
 * fills up; this part needs the right to mount one, and the size says when it was left out.
 */
export const diskFull: Fault = {
  name: 'disk-full',
  what: 'a full disk under the spool, and under the standalone with its database',
  sizes: { ci: 1, full: 10, unit: 'rounds' },
  async run(ground, size) {
    const differences = await fillSpool(ground, size);
    const standalone = await fillStandalone();
    return {
      size: `${size} rounds of the spool; the standalone ${standalone ? 'once' : 'left out, since nothing may be mounted here'}`,
      compared: 'answers (503 while full, 202 before and after); what was acknowledged with what the log holds',
      differences: [...differences, ...(standalone?.differences ?? [])],
      figure: standalone?.figure ?? '',
    };
  },
};

async function fillSpool(ground: Ground, rounds: number): Promise<string[]> {
  const database = await freshDatabaseOn(ground.postgresUrl);
  const proxy = await startPostgresProxy(database.url);
  const whole = await openWhole({ databaseUrl: database.url, servicesUrl: proxy.url, deliveries: rounds * 60 });
  const differences: string[] = [];
  try {
    const receiver = whole.start('receiver');
    const base = await addressOf(receiver);
    /** At most so many bytes a file; only the soft limit, so that it can be raised again. */
    const limitFiles = (bytes: number | 'unlimited') =>
      execFileSync('prlimit', ['--pid', String(receiver.child.pid), `--fsize=${bytes}:`]);
    /** Sends until one is neither a duplicate nor ignored, and says how it was answered. */
    const expectAnswer = async (wanted: number, when: string) => {
      for (let nth = 0; nth < 5; nth += 1) {
        const before = whole.sender.acknowledged().size;
        const status = await whole.sender.sendNext(base);
        const isIgnored = status === 202 && whole.sender.acknowledged().size === before;
        if (!isIgnored && status !== wanted) differences.push(`${when}: answered ${status}, not ${wanted}`);
      }
    };
    for (let round = 0; round < rounds; round += 1) {
      await expectAnswer(202, 'with the log there');
      proxy.cut();
      await expectAnswer(202, 'with the log away and room on the disk');
      // In the midst of a frame first, then before its first byte.
      for (const bytes of [200 + round * 97, 0]) {
        limitFiles(bytes);
        await expectAnswer(503, `with the log away and files of at most ${bytes} bytes`);
      }
      limitFiles('unlimited');
      await expectAnswer(202, 'with the log away and room again');
      proxy.mend();
      await until(async () => (await whole.undone(['receiver'])).length === 0, {
        of: receiver,
        what: 'an empty spool',
      });
    }
    differences.push(...(await whole.settle(base, ['receiver'])));
    return differences;
  } finally {
    await whole.close();
    await proxy.close();
    await database.close();
  }
}

const megabyte = 1024 * 1024;

async function fillStandalone(): Promise<{ differences: string[]; figure: string } | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'tripline-full-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=200m,mode=711', 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    rmSync(folder, { recursive: true });
    return undefined;
  }
  try {
    return await playStandalone(folder);
  } finally {
    execFileSync('umount', ['--lazy', folder]);
    rmSync(folder, { recursive: true });
  }
}

async function playStandalone(folder: string) {
  const differences: string[] = [];
  const sender = createSender(someDeliveries(3000, { seed: 9 }));
  const start = () =>
    startService('up', { TRIPLINE_DATA: join(folder, 'data'), TRIPLINE_GITHUB_WEBHOOK_SECRET: webhookSecret });
  const address = (up: ReturnType<typeof start>) =>
    until(() => /http:\/\/127\.0\.0\.1:\d+/.exec(up.said())?.[0], {
      of: up,
      patienceMs: 60_000,
      what: 'the standalone',
    });
  let up = start();
  let base = await address(up);
  for (let nth = 0; nth < 30; nth += 1) await sender.sendNext(base);
  const filler = join(folder, 'filler');
  const free = Number(execFileSync('df', ['--output=avail', '-B1', folder], { encoding: 'utf8' }).split('\n')[1]);
  writeFileSync(filler, Buffer.alloc(Math.max(0, free - 2 * megabyte)));
  let last: number | null | undefined = 202;
  let whileFull = 0;
  for (let nth = 0; nth < 2500 && last === 202; nth += 1, whileFull += 1) last = await sender.sendNext(base);
  if (last === 202) differences.push(`${whileFull} deliveries were taken on a full disk`);
  for (let nth = 0; nth < 10; nth += 1) {
    const status = await sender.sendNext(base);
    if (status !== 503 && status !== null && status !== 202) differences.push(`on a full disk: answered ${status}`);
  }
  const survived = up.child.exitCode === null && up.child.signalCode === null;
  if (!survived && /^\s+at /m.test(up.said()))
    differences.push(`the standalone ended without a sentence:\n${up.said().slice(-500)}`);
  rmSync(filler);
  const recovered = await comesBack(() => sender.sendNext(base), 20_000);
  if (!recovered) {
    await up.kill('SIGTERM');
    up = start();
    base = await address(up);
    if (!(await comesBack(() => sender.sendNext(base), 20_000)))
      differences.push('with room again it takes no deliveries, not even started anew');
  }
  await sender.sendUnacknowledged(base);
  const unlogged = await until(async () => (await missing(folder, sender.acknowledged())).length === 0, {
    patienceMs: 30_000,
  }).then(
    () => [],
    () => missing(folder, sender.acknowledged()),
  );
  differences.push(...unlogged.map((id) => `acknowledged and lost: ${id}`));
  await up.kill('SIGTERM');
  const how = `${survived ? 'ran on' : 'stopped'}, and took deliveries again ${recovered ? 'by itself' : 'after a start anew'}`;
  return { differences, figure: `standalone: first answer but 202 was ${last} (null: none); it ${how}` };
}

async function comesBack(send: () => Promise<number | null | undefined>, patienceMs: number): Promise<boolean> {
  return until(async () => (await send()) === 202, { patienceMs, everyMs: 200 }).then(
    () => true,
    () => false,
  );
}

/** Ids that the standalone's log does not hold. */
async function missing(folder: string, ids: ReadonlySet<string>): Promise<string[]> {
  const server = await startEmbedded({ dataDir: join(folder, 'data/postgres') });
  const db = openDatabase(server.url, { applicationName: 'faults', maxConnections: 1 });
  try {
    const { rows } = await db.pool.query<{ id: string }>("SELECT headers->>'ce_id' AS id FROM log");
    const kept = new Set(rows.map(({ id }) => id));
    return [...ids].filter((id) => !kept.has(id));
  } finally {
    await db.close();
    await server.stop();
  }
}
