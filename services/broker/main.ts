import type { Config } from '@tripline/config/config';
import { openDatabase } from '@tripline/db/database';
import { openDatabaseClock } from '@tripline/db/database-clock';
import { refuseUnmigrated } from '@tripline/db/migrate';
import { checkHealth } from '@tripline/health/health';
import { systemClock } from '@tripline/runtime/clock';
import { createLifecycle, stopSignal } from '@tripline/runtime/lifecycle';
import { ConfigError } from '@tripline/runtime/load-settings';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
import { serve } from '@tripline/runtime/serve';
import { openStream } from '@tripline/stream/open';
import { createBroker } from './broker.ts';

/** Runs the broker alone, until it is told to stop. Needs `database.url`; several need no leader. */
export async function main(config: Config): Promise<void> {
  if (config.database.url === undefined) throw new ConfigError('the broker alone needs a Postgres: set DATABASE_URL');
  const logger = createLogger({ service: 'broker', level: config.logLevel });
  const metrics = createMetrics({ service: 'broker' });
  const lifecycle = createLifecycle(logger);
  const stop = stopSignal();
  try {
    const open = openDatabase(config.database.url, { applicationName: 'tripline-broker', lowLatency: true });
    const db = lifecycle.opened('database', open, (db) => db.close());
    await refuseUnmigrated(db);
    const stream = await openStream({ config, db, logger, clock: systemClock });
    lifecycle.opened('log', stream, (open) => open.close());
    // What a replica writes as due, the others do too.
    const clock = await openDatabaseClock(db, systemClock);
    const broker = await createBroker({ config, db, stream, logger, clock, metrics });
    lifecycle.opened('broker', broker, (open) => open.close());
    const health = () => checkHealth(db, config, { skipsDenied: true });
    const { ready, routes, mode } = broker;
    const at = { ...config.broker, operations: config.operations };
    const served = await serve(at, { metrics, ready, health, routes: [routes], setting: 'TRIPLINE_BROKER' });
    lifecycle.opened('http', served, (open) => open.close());
    logger.info({ dryRun: mode.isDryRun, address: served.url, operations: served.operationsUrl }, 'broker started');
    logger.info({ signal: await stop }, 'stopping');
  } finally {
    await lifecycle.close();
  }
}
