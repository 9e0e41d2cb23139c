import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freshDatabaseOn } from '../../packages/testing/postgres/fresh-database.ts';
import { createSender, someDeliveries, webhookSecret } from './deliveries.ts';
import { openLog } from './laid-log.ts';
import { pointsOf } from './points.ts';
import { startPostgresProxy } from './postgres-proxy.ts';
import { type ServiceProcess, startService, until } from './service-process.ts';
import { setDifferences } from './standing.ts';
import type { Victim } from './victim.ts';
import { addressOf } from './whole.ts';

/** It comes by these only when it finds a segment whose end a crash cut short: once a start. */
const onceAStart = ['receiver.before-mend', 'receiver.after-mend'];
/** Once each time that the log went away and came back. */
const onceAnOutage = /segment|unlink|drain/;
/** Only while the log takes records. */
const atTheLog = /append/;

/** The receiver on an embedded log that goes away and comes back all the time, so that it appends, spools and drains. */
export const receiver: Victim = {
  service: 'receiver',
  compared: 'what was acknowledged and what the log holds, as sets; the spool is empty',
  points: pointsOf('receiver'),
  passings: 12,
  canPass: (point, passing) =>
    passing === 1 || (!onceAStart.includes(point) && (passing <= 6 || !onceAnOutage.test(point))),
  async open(ground, failpoints) {
    const { db, url, close } = await freshDatabaseOn(ground.postgresUrl);
    await (await openLog(db, url, 4)).close();
    const proxy = await startPostgresProxy(url);
    const dataDir = mkdtempSync(join(tmpdir(), 'tripline-spool-'));
    const spooled = () => readdirSync(join(dataDir, 'spool')).filter((name) => name.includes('.spool'));
    const sender = createSender(someDeliveries(failpoints.length * 400 + 1000));
    const start = (more: Record<string, string>) =>
      startService('receiver', {
        DATABASE_URL: proxy.url,
        TRIPLINE_DATA: dataDir,
        TRIPLINE_GITHUB_WEBHOOK_SECRET: webhookSecret,
        ...more,
      });
    const inLog = async () => {
      const { rows } = await db.pool.query<{ id: string }>("SELECT headers->>'ce_id' AS id FROM log");
      // What the receiver says of what it ignored is an event too.
      return rows.map(({ id }) => id).filter((id) => id.startsWith('github:'));
    };

    return {
      async dieAt(failpoint) {
        // A write that a power cut cut short.
        if (failpoint.includes('-mend')) await leaveCutOffSegment(dataDir, start, proxy, sender);
        const victim = start({ FAILPOINT: failpoint });
        let isAlive = true;
        victim.ended.then(() => (isAlive = false));
        const endMs = performance.now() + 25_000;
        const base = await addressOf(victim).catch(() => undefined);
        while (isAlive && base !== undefined && performance.now() < endMs) {
          if (atTheLog.test(failpoint)) proxy.mend();
          else proxy.cut();
          await Promise.all([sender.sendNext(base), sender.sendNext(base)]);
          if (!onceAnOutage.test(failpoint)) continue;
          proxy.mend();
          await until(() => !isAlive || spooled().length === 0, { patienceMs: 10_000, what: 'the end of an outage' });
        }
        proxy.mend();
        if (isAlive && base !== undefined) await victim.kill();
        const end = await victim.ended;
        if (end !== 'SIGKILL') throw new Error(`the receiver ended with ${end}:\n${victim.said()}`);
        return !isAlive;
      },
      async finish() {
        const last = start({});
        const base = await addressOf(last);
        await sender.sendUnacknowledged(base);
        await until(() => spooled().length === 0, { of: last, what: 'the end of the spool' });
        await last.kill('SIGTERM');
        const kept = new Set(await inLog());
        const sentIds = sender.sentIds();
        return [
          ...(sender.left() === 0 ? ['there were too few deliveries for so many deaths'] : []),
          ...[...sender.acknowledged()].filter((id) => !kept.has(id)).map((id) => `acknowledged and lost: ${id}`),
          ...setDifferences('event of the log', [...kept], [...sentIds]),
        ];
      },
      async close() {
        await proxy.close();
        rmSync(dataDir, { recursive: true, force: true });
        await close();
      },
    };
  },
};

async function leaveCutOffSegment(
  dataDir: string,
  start: (more: Record<string, string>) => ServiceProcess,
  proxy: { cut: () => void },
  sender: { sendNext: (base: string) => Promise<unknown> },
): Promise<void> {
  proxy.cut();
  const before = start({});
  const base = await addressOf(before);
  const status = await sender.sendNext(base);
  if (status !== 202) throw new Error(`with the log away a delivery was answered ${status}:\n${before.said()}`);
  await before.kill();
  const folder = join(dataDir, 'spool');
  const newest = readdirSync(folder)
    .filter((name) => name.endsWith('.spool'))
    .sort()
    .at(-1)!;
  appendFileSync(join(folder, newest), Buffer.from([0xff, 0, 0, 0, 1, 2, 3, 4, 5]));
}
