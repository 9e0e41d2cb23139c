import { loadConfig } from '@tripline/config/config';
import { openDatabase } from '@tripline/db/database';
import { createNotifier } from '@tripline/notifier/notifier';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';

/**
 * The notifier alone, as `tripline notifier` runs it, but without Slack's own pace of one message a second, which would
 * be all that is measured. Says "ready", and ends with its standard input.
 */
const config = loadConfig();
const db = openDatabase(config.database.url!, { applicationName: 'bench' });
const notifier = await createNotifier({
  config,
  db,
  logger: createLogger({ service: 'bench', level: 'warn' }),
  clock: systemClock,
  metrics: createMetrics({ service: 'bench' }),
  timing: { intervalMs: { slack: 1, pagerduty: 1 } },
});
console.log('ready');
process.stdin.resume().once('end', async () => {
  await notifier.close();
  await db.close();
});
