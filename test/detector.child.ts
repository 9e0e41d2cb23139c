import { loadConfig } from '@tripline/config/config';
import { openDatabase } from '@tripline/db/database';
import { createDetector } from '@tripline/detector/detector';
import { loadRuleSet } from '@tripline/detector/load-rules';
import { rules as ownRules } from '@tripline/rules/registry';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
import { connectStream } from '@tripline/stream/open';

/** A detector as a process of its own, with the small rules of detector.rules.ts, for tests that kill it. */
/** One says that others may be wrong, and is always on. */
const off = ownRules.map(({ id }) => id).filter((id) => id !== 'state-flooded');
const config = {
  ...loadConfig({ DATABASE_URL: process.env['DATABASE_URL'] }, import.meta.dirname),
  rules: { files: ['detector.rules.ts'], sigma: [], off, on: [], settings: {} },
  learningDays: 0,
};
const logger = createLogger({ service: 'detector', level: process.env['LOG_LEVEL'] ?? 'silent' });
const db = openDatabase(config.database.url!, { applicationName: 'detector-child' });
const stream = connectStream({ config, db, logger, clock: systemClock });
const ruleSet = await loadRuleSet(config);
await createDetector({
  ...{ config, stream, db, ruleSet, logger, clock: systemClock },
  metrics: createMetrics({ service: 'detector' }),
  worker: false,
  maxBatchRecords: 4,
  // So small that state is merged all the time, in several steps.
  state: { memtableBytes: 600, blockCacheBytes: 2000, blockBytes: 256, blocksPerGroup: 4 },
});
