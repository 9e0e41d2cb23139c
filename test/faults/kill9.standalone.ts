import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbedded } from '@tripline/embedded-postgres/embedded';
import { createSender, someDeliveries, webhookSecret } from './deliveries.ts';
import { points } from './points.ts';
import { type ServiceProcess, startService, until } from './service-process.ts';
import { setDifferences } from './standing.ts';
import type { Victim } from './victim.ts';
import { everyService, openWhole } from './whole.ts';

/** Places that are passed in the first seconds of a standalone under load, and those of the embedded Postgres’s start. */
const passed = [
  /^embedded\./,
  /^receiver\.(before|after)-append$/,
  /^log\./,
  /^recorder\./,
  /^detector\.(after-read|before-begin|after-batch|after-findings|before-commit|after-commit)$/,
  /^notifier\.(before-claim|before-intent|after-record|after-release)$/,
  /^remediator\.(before-read|after-plan|before-claim|after-acting)$/,
  // Here alone is there a publisher that has something to publish.
  /^outbox\./,
];
/** Passed once in the life of a data folder. */
const isOfTheFirstStart = (failpoint: string) => /initdb|placing/.test(failpoint);

/** All services in one process, on the embedded Postgres, which dies with its user or is taken over by the next one. */
export const standalone: Victim = {
  service: 'standalone',
  compared: 'log, trail, findings and incidents with an undisturbed engine; messages and steps, each once',
  points: Object.keys(points)
    .filter((name) => passed.some((pattern) => pattern.test(name)))
    .sort(),
  passings: 2,
  sampled: 3,
  canPass: (point, passing) => passing === 1 || !/^embedded|-take$|-head$|-days$/.test(point),
  async open(_ground, failpoints) {
    const folder = mkdtempSync(join(tmpdir(), 'tripline-standalone-'));
    const sender = createSender(someDeliveries(failpoints.length * 400 + 500));
    const start = (dataDir: string, more: Record<string, string> = {}) =>
      startService('up', {
        TRIPLINE_DATA: dataDir,
        TRIPLINE_GITHUB_WEBHOOK_SECRET: webhookSecret,
        TRIPLINE_LEARNING_DAYS: '0',
        ...more,
      });
    const address = (up: ServiceProcess) =>
      until(() => /Webhook URL +(http:\/\/127\.0\.0\.1:\d+)/.exec(up.said())?.[1], { of: up, patienceMs: 60_000 });
    const isKilled = (up: ServiceProcess) => up.child.signalCode === 'SIGKILL';

    /** In a folder of its own: dies while the database is made, and starts there all the same. */
    async function dieInFirstStart(failpoint: string): Promise<boolean> {
      const dataDir = join(folder, failpoint.replace(':', '-'));
      const victim = start(dataDir, { FAILPOINT: failpoint });
      await Promise.race([victim.ended, address(victim).catch(() => {})]);
      const died = isKilled(victim);
      await victim.kill();
      const next = start(dataDir);
      await address(next);
      await next.kill('SIGTERM');
      return died;
    }

    return {
      async dieAt(failpoint) {
        if (isOfTheFirstStart(failpoint)) return dieInFirstStart(failpoint);
        const victim = start(join(folder, 'data'), { FAILPOINT: failpoint });
        const base = await address(victim).catch(() => undefined);
        const endMs = performance.now() + 20_000;
        while (base !== undefined && !isKilled(victim) && performance.now() < endMs) await sender.sendNext(base);
        const died = isKilled(victim);
        if (!died && victim.child.exitCode !== null) throw new Error(`the standalone ended:\n${victim.said()}`);
        await victim.kill();
        return died;
      },
      async finish() {
        const up = start(join(folder, 'data'));
        const base = await address(up);
        await sender.sendUnacknowledged(base);
        // So many hold something to find, however few came before.
        for (let nth = 0; nth < 250; nth += 1) await sender.sendNext(base);
        const server = await startEmbedded({ dataDir: join(folder, 'data/postgres') });
        const whole = await openWhole({ databaseUrl: server.url, deliveries: 0 });
        try {
          const services = everyService.filter((name) => name !== 'receiver');
          const differences = await whole.settle(base, services);
          // Answers to look-ups are events too.
          const ids = (await whole.readLog()).map(({ headers }) => headers['ce_id']!);
          const kept = new Set(ids.filter((id) => id.startsWith('github:')));
          return [...differences, ...setDifferences('event of the log', [...kept], [...sender.sentIds()])];
        } finally {
          await whole.close();
          await up.kill('SIGTERM');
          await server.stop();
        }
      },
      async close() {
        rmSync(folder, { recursive: true, force: true });
      },
    };
  },
};
