import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { loadConfig } from '@tripline/config/config';
import { openDatabase } from '@tripline/db/database';
import { migrate } from '@tripline/db/migrate';
import { createDetector } from '@tripline/detector/detector';
import { loadRuleSet } from '@tripline/detector/load-rules';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
import { openStream } from '@tripline/stream/open';
import type { ConsumerOptions, Stream } from '@tripline/stream/stream';
import { internalKey } from '../../packages/testing/internal-key.ts';
import { watchCommits } from '../../packages/testing/postgres/commits.ts';
import { pinnedOf } from './pinned-rules.ts';
import { unfenced } from './unfenced.ts';

/**
 * The detector as `tripline detector` runs it, with the pinned rules alone, over a topic that is full already: once for each line of its input, which
 * names an empty database, and whether the position is fenced. Prints records, seconds and µs of its CPU from the first batch to the commit of the last,
 * what was found, and how many rows were written, of all tables together.
 */
const total = Number(process.argv[2]);
const logger = createLogger({ service: 'bench', level: 'warn' });

type Request = { databaseUrl: string; fenced: boolean };

async function play({ databaseUrl, fenced }: Request) {
  const config = { ...loadConfig({ ...process.env, DATABASE_URL: databaseUrl }), internalKeys: [internalKey] };
  const committed = new Map<number, number>();
  const opened = openDatabase(databaseUrl, { applicationName: 'bench', lowLatency: true });
  const db = watchCommits(fenced ? opened : unfenced(opened), (partition, next) => {
    committed.set(partition, next);
    if ([...committed.values()].reduce((sum, of) => sum + of, 0) >= total) done.resolve(sinceBegun());
  });
  await migrate(db);
  const stream = await openStream({ config, db, logger, clock: systemClock });
  let judged = 0;
  let begun = 0;
  let cpu = process.cpuUsage();
  const done = Promise.withResolvers<number>();
  /** Partitions that were told since the last commit that nothing more comes: what was held until then is found. */
  const caughtUp = new Set<number>();
  let isDone = false;
  const settled = Promise.withResolvers<void>();
  const sinceBegun = () => (performance.now() - begun) / 1000;
  const counted: Stream = {
    ...stream,
    consume: (options: ConsumerOptions) =>
      stream.consume({
        ...options,
        handlers: {
          ...options.handlers,
          onBatch: async (batch) => {
            if (batch.records.length > 0 && begun === 0) {
              begun = performance.now();
              cpu = process.cpuUsage();
            }
            await options.handlers.onBatch(batch);
            judged += batch.records.length;
            if (!isDone || batch.caughtUpAtMs === null) return;
            if (caughtUp.add(batch.partition).size === committed.size) settled.resolve();
          },
        },
      }),
  };
  const ruleSet = await loadRuleSet(config);
  const detector = await createDetector({
    config,
    stream: counted,
    db,
    ruleSet: { ...ruleSet, rules: pinnedOf(ruleSet.rules, ({ rule }) => rule) },
    logger,
    clock: systemClock,
    metrics: createMetrics({ service: 'bench' }),
  });
  const seconds = await done.promise;
  const { user, system } = process.cpuUsage(cpu);
  isDone = true;
  await settled.promise;
  await detector.close();
  await stream.close();
  await db.close();
  const after = openDatabase(databaseUrl, { applicationName: 'bench' });
  // Ours names the fact that two webhooks may tell; the peers know the event that decided.
  const { rows: found } = await after.pool.query(
    `SELECT rule, workspace, subject, CASE WHEN occasion LIKE 'fact:%' THEN deciding_event ELSE occasion END AS occasion
     FROM findings`,
  );
  const { rows } = await after.pool.query<{ written: number }>(
    'SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::int AS written FROM pg_stat_user_tables',
  );
  await after.close();
  return { records: judged, seconds, cpuMicros: user + system, written: rows[0]!.written, found };
}

const lines = createInterface({ input: process.stdin });
lines.on('line', async (line) => {
  console.log(JSON.stringify(await play(JSON.parse(line) as Request)));
});
await once(lines, 'close');
process.exit(0);
