import { openDatabase } from '@tripline/db/database';
import { systemClock } from '@tripline/runtime/clock';
import { type Config, ConfigError } from '@tripline/runtime/config';
import { createHttp } from '@tripline/runtime/http';
import { createLifecycle, stopSignal } from '@tripline/runtime/lifecycle';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
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
    const open = openDatabase(config.database.url, { applicationName: 'tripline-remediator', hurries: true });
    const db = lifecycle.opened('database', open, (db) => db.close());
    const remediator = await createRemediator({ config, db, logger, clock: systemClock, metrics });
    lifecycle.opened('remediator', remediator, (remediator) => remediator.close());
    const http = lifecycle.opened('http', createHttp({ metrics, ready: remediator.ready }), (app) => app.close());
    await http.listen({ host: config.host, port: config.port });
    logger.info({ mode: config.remediation.mode }, 'remediating');
    logger.info({ signal: await stop }, 'stopping');
  } finally {
    await lifecycle.close();
  }
}
