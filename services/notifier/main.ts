import type { Config } from '@tripline/config/config';
import { openDatabase } from '@tripline/db/database';
import { refuseUnmigrated } from '@tripline/db/migrate';
import { checkHealth } from '@tripline/health/health';
import { systemClock } from '@tripline/runtime/clock';
import { createLifecycle, stopSignal } from '@tripline/runtime/lifecycle';
import { ConfigError } from '@tripline/runtime/load-settings';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
import { serve } from '@tripline/runtime/serve';
import { createNotifier } from './notifier.ts';

/** Runs the notifier alone, until it is told to stop. Needs `database.url`. */
export async function main(config: Config): Promise<void> {
  if (config.database.url === undefined) throw new ConfigError('the notifier alone needs a Postgres: set DATABASE_URL');
  const logger = createLogger({ service: 'notifier', level: config.logLevel });
  const metrics = createMetrics({ service: 'notifier' });
  const lifecycle = createLifecycle(logger);
  const stop = stopSignal();
  try {
    const open = openDatabase(config.database.url, { applicationName: 'tripline-notifier', lowLatency: true });
    const db = lifecycle.opened('database', open, (db) => db.close());
    await refuseUnmigrated(db);
    const notifier = await createNotifier({ config, db, logger, clock: systemClock, metrics });
    lifecycle.opened('notifier', notifier, (notifier) => notifier.close());
    const health = () => checkHealth(db, config, { skipsDenied: true });
    const served = await serve(config, { metrics, ready: notifier.ready, health, routes: [notifier.routes] });
    lifecycle.opened('http', served, (open) => open.close());
    const live = { slack: config.slack !== undefined, pagerduty: config.pagerduty !== undefined };
    logger.info({ ...live, address: served.url, operations: served.operationsUrl }, 'notifier started');
    logger.info({ signal: await stop }, 'stopping');
  } finally {
    await lifecycle.close();
  }
}
