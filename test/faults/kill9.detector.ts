import { join } from 'node:path';
import { configureRule } from '@tripline/engine/settings';
import { toRecords } from '@tripline/testing/timeline/play';
import { freshDatabaseOn } from '../../packages/testing/postgres/fresh-database.ts';
import { minuteMs, rules, someEvents, startMs } from '../detector.rules.ts';
import { layLog } from './laid-log.ts';
import { pointsOf } from './points.ts';
import { startProcess, until } from './service-process.ts';
import { differences, whatMustStand, whatStands } from './standing.ts';
import type { Victim } from './victim.ts';

const child = join(import.meta.dirname, '../detector.child.ts');
const recordsABatch = 4;
/** State is merged and let go of in some batches only: 45 for 20 passings, as measured. */
const rarely = /^detector\.(?:before|after)-(?:merge|drop):/;
const batchesUntil = (failpoint: string) => Number(failpoint.split(':')[1]) * (rarely.test(failpoint) ? 3 : 1);

/** The detector with small rules that use all that an engine offers, on a log that is long enough for every death. */
export const detector: Victim = {
  service: 'detector',
  compared: 'findings, incidents, jobs and histories with an undisturbed engine in memory',
  points: pointsOf('detector'),
  passings: 20,
  async open(ground, failpoints) {
    const batches = failpoints.reduce((sum, failpoint) => sum + batchesUntil(failpoint), 0);
    const events = someEvents((batches + failpoints.length + 20) * recordsABatch);
    const untilMs = startMs + (events.length + 1000) * minuteMs;
    const { db, url, close } = await freshDatabaseOn(ground.postgresUrl);
    const records = toRecords({ events });
    await layLog(
      { db, url },
      records.map(({ topic, key, headers, value }) => ({ topic, key, headers, value: value! })),
      { startMs, everyMs: minuteMs },
    );
    const start = (failpoint: string) =>
      startProcess([child], { DATABASE_URL: url, ...(failpoint === '' ? {} : { FAILPOINT: failpoint }) });
    const position = async () => {
      const { rows } = await db.pool.query(
        'SELECT next::int, (SELECT count(*)::int FROM timers) AS timers FROM positions',
      );
      return rows[0] as { next: number; timers: number } | undefined;
    };

    return {
      async dieAt(failpoint) {
        const victim = start(failpoint);
        const patience = setTimeout(() => victim.child.kill('SIGTERM'), 20_000);
        const end = await victim.ended;
        clearTimeout(patience);
        if (end !== 'SIGKILL' && end !== 'SIGTERM')
          throw new Error(`the detector ended with ${end}:\n${victim.said()}`);
        return end === 'SIGKILL';
      },
      async finish() {
        const before = await position();
        const lines = before!.next < events.length ? [] : ['the log was at its end before the last death'];
        const last = start('');
        await until(
          async () => {
            const now = await position();
            return now?.next === events.length && now.timers === 0;
          },
          { of: last, patienceMs: 60_000, what: 'the end of the log' },
        );
        await last.kill();
        const configured = rules.map((rule) => configureRule(rule));
        const expected = whatMustStand({ records, rules: configured, learningDays: 0, untilMs });
        if (expected.findings.length < 10) lines.push('too little is found to compare');
        return [...lines, ...differences(await whatStands(db.pool), expected)];
      },
      close,
    };
  },
};
