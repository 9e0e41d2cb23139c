import { topics } from '@tripline/stream/stream';
import { toRecords } from '@tripline/testing/timeline/play';
import { verifyTrail } from '@tripline/trail/verify-trail';
import { freshDatabaseOn } from '../../packages/testing/postgres/fresh-database.ts';
import { someEvents } from '../detector.rules.ts';
import { openLog } from './laid-log.ts';
import { pointsOf } from './points.ts';
import { startService, until } from './service-process.ts';
import { setDifferences } from './standing.ts';
import type { Victim } from './victim.ts';

/** It comes by these once a start. */
const onceAStart = /-(?:take|head)$/;
const points = pointsOf('recorder', 'log').filter((name) => !name.endsWith('-write'));

/** The recorder on an embedded log that grows as long as it lives. */
export const recorder: Victim = {
  service: 'recorder',
  compared: 'the trail with the log, row by row, and its chain',
  points,
  passings: 16,
  canPass: (point, passing) => passing === 1 || !onceAStart.test(point),
  async open(ground) {
    const { db, url, close } = await freshDatabaseOn(ground.postgresUrl);
    const stream = await openLog(db, url, 4);
    const shapes = toRecords({ events: someEvents(200) });
    let appended = 0;
    const grow = async () => {
      const { key, headers, value } = shapes[appended % shapes.length]!;
      appended += 1;
      const own = { ...headers, ce_id: `event-${appended}` };
      await stream.append([{ topic: topics.events, key, headers: own, value: value! }]);
    };
    const start = (more: Record<string, string>) =>
      startService('recorder', { DATABASE_URL: url, TRIPLINE_LOG_LEVEL: 'warn', ...more });

    return {
      async dieAt(failpoint) {
        const victim = start({ FAILPOINT: failpoint });
        const endMs = performance.now() + 20_000;
        let end: number | string | undefined;
        victim.ended.then((how) => (end = how));
        while (end === undefined && performance.now() < endMs) {
          await grow();
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        if (end === undefined) await victim.kill();
        else if (end !== 'SIGKILL') throw new Error(`the recorder ended with ${end}:\n${victim.said()}`);
        return end !== undefined;
      },
      async finish() {
        await grow();
        const last = start({});
        const head = async () => {
          const { rows } = await db.pool.query('SELECT last_offset::int AS at FROM trail_heads WHERE topic = $1', [
            topics.events,
          ]);
          return rows[0]?.at === appended - 1;
        };
        await until(head, { of: last, what: 'the end of the trail' });
        await last.kill();
        const verdict = await verifyTrail(db.pool);
        const read = async (table: string) => {
          const columns = "\"offset\"::int, encode(key, 'escape') AS key, md5(value) AS value, headers->>'ce_id' AS id";
          return (await db.pool.query(`SELECT ${columns} FROM ${table} WHERE topic = $1`, [topics.events])).rows;
        };
        const log = await read('log');
        const lines = log.length === appended ? [] : [`${appended} records were appended, the log has ${log.length}`];
        return [
          ...lines,
          ...verdict.faults.map(({ what }) => `the chain: ${what}`),
          ...setDifferences('row of the trail', await read('trail'), log),
        ];
      },
      async close() {
        await stream.close();
        await close();
      },
    };
  },
};
