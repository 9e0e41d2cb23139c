import { loadConfig } from '@tripline/config/config';
import { openDatabase } from '@tripline/db/database';
import { createNotifier } from '@tripline/notifier/notifier';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';

/**
 * The notifier as a process of its own, configured by the environment, with short times: a claim of the dead holds for one
 * second, Slack is written to every `SLACK_INTERVAL_MS`.
 */
const config = loadConfig();
await createNotifier({
  config,
  db: openDatabase(config.database.url!, { applicationName: 'notifier-child' }),
  logger: createLogger({ service: 'notifier', level: 'error' }),
  clock: systemClock,
  metrics: createMetrics({ service: 'notifier' }),
  timing: {
    timeoutMs: 2000,
    claimMs: 1000,
    intervalMs: { slack: Number(process.env['SLACK_INTERVAL_MS'] ?? 5), pagerduty: 1 },
    gatherMs: 50,
    restMs: 100,
  },
});
