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
import { createRemediator } from './remediator.ts';

/** Runs the remediator alone, until it is told to stop. Needs `database.url`. */
export async function main(config: Config): Promise<void> {
  if (config.database.url === undefined)
    throw new ConfigError('the remediator alone needs a Postgres: set DATABASE_URL');
  const logger = createLogger({ service: 'remediator', level: config.logLevel });
  const metrics = createMetrics({ service: 'remediator' });
  const lifecycle = createLifecycle(logger);
  const stop = stopSignal();
  try {
    const open = openDatabase(config.database.url, { applicationName: 'tripline-remediator', lowLatency: true });
    const db = lifecycle.opened('database', open, (db) => db.close());
    await refuseUnmigrated(db);
    const remediator = await createRemediator({ config, db, logger, clock: systemClock, metrics });
    lifecycle.opened('remediator', remediator, (remediator) => remediator.close());
    const health = () => checkHealth(db, config, { skipsDenied: true });
    const served = await serve(config, { metrics, ready: remediator.ready, health });
    lifecycle.opened('http', served, (open) => open.close());
    const { url: address, operationsUrl: operations } = served;
    logger.info({ mode: config.remediation.mode, address, operations }, 'remediator started');
    logger.info({ signal: await stop }, 'stopping');
  } finally {
    await lifecycle.close();
  }
}
