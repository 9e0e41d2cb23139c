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
import { openStream } from '@tripline/stream/open';
import { createRecorder } from './recorder.ts';

/** Runs the recorder alone, until it is told to stop. Needs `database.url`. */
export async function main(config: Config): Promise<void> {
  if (config.database.url === undefined) throw new ConfigError('the recorder alone needs a Postgres: set DATABASE_URL');
  const stop = stopSignal();
  const logger = createLogger({ service: 'recorder', level: config.logLevel });
  const metrics = createMetrics({ service: 'recorder' });
  const lifecycle = createLifecycle(logger);
  try {
    const opening = openDatabase(config.database.url, { applicationName: 'tripline-recorder' });
    const db = lifecycle.opened('database', opening, (open) => open.close());
    await refuseUnmigrated(db);
    const stream = await openStream({ config, db, logger, clock: systemClock });
    lifecycle.opened('log', stream, (open) => open.close());
    const recorder = await createRecorder({ config, stream, db, logger, metrics });
    lifecycle.opened('recorder', recorder, (open) => open.close());
    const health = () => checkHealth(db, config, { skipsDenied: true });
    const served = await serve(config, { metrics, ready: recorder.ready, health });
    lifecycle.opened('http', served, (open) => open.close());
    logger.info({ address: served.url, operations: served.operationsUrl }, 'recorder started');
    logger.info({ signal: await stop }, 'stopping');
  } finally {
    await lifecycle.close();
  }
}
