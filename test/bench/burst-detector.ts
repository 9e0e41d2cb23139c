import { writeFileSync } from 'node:fs';
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

/**
 * The detector as `tripline detector` runs it, on a topic that grows. After so many records it writes for each, to the
 * file that it was given, when the log got it and how long after that its verdict was committed: JSON, [ms, ms] each.
 */
const [total, file] = [Number(process.argv[2]), process.argv[3]!];
const config = { ...loadConfig(), internalKeys: [internalKey] };
const logger = createLogger({ service: 'bench', level: 'warn' });
/** By partition: when the log got its records, and of how many the verdict was committed. */
const appendedMs: number[][] = [];
const judged: number[] = [];
const lags: [number, number][] = [];
const done = Promise.withResolvers<void>();
const db = watchCommits(openDatabase(config.database.url!, { applicationName: 'bench' }), (partition, next) => {
  const nowMs = Date.now();
  const from = judged[partition] ?? 0;
  for (const atMs of appendedMs[partition]!.slice(from, next)) lags.push([atMs, nowMs - atMs]);
  judged[partition] = next;
  if (lags.length >= total) done.resolve();
});
await migrate(db);
const stream = await openStream({ config, db, logger, clock: systemClock });
const timed: Stream = {
  ...stream,
  consume: (options: ConsumerOptions) =>
    stream.consume({
      ...options,
      handlers: {
        ...options.handlers,
        onBatch: async (batch) => {
          const times = appendedMs[batch.partition] ?? [];
          appendedMs[batch.partition] = times;
          for (const { offset, appendedAtMs } of batch.records) times[offset] = appendedAtMs;
          await options.handlers.onBatch(batch);
        },
      },
    }),
};
const parts = { config, db, logger, clock: systemClock, metrics: createMetrics({ service: 'bench' }) };
const detector = await createDetector({ ...parts, stream: timed, ruleSet: await loadRuleSet(config) });
console.log('ready');
await done.promise;
writeFileSync(file, JSON.stringify(lags));
await detector.close();
await stream.close();
await db.close();
