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
import { readPolls } from '@tripline/sources/polls';
import { connectStream } from '@tripline/stream/open';
import { createFeedWatch } from './feed-watch.ts';
import { createPoller } from './poller.ts';
import { createReconciler } from './reconciler.ts';

/** Runs the reconciler alone, until it is told to stop. Needs `database.url`. */
export async function main(config: Config): Promise<void> {
  if (config.database.url === undefined)
    throw new ConfigError('the reconciler alone needs a Postgres: set DATABASE_URL');
  const logger = createLogger({ service: 'reconciler', level: config.logLevel });
  const metrics = createMetrics({ service: 'reconciler' });
  const lifecycle = createLifecycle(logger);
  const stop = stopSignal();
  try {
    const open = openDatabase(config.database.url, { applicationName: 'tripline-reconciler' });
    const db = lifecycle.opened('database', open, (db) => db.close());
    await refuseUnmigrated(db);
    const reconciler = createReconciler({ config, db, logger, clock: systemClock, metrics });
    lifecycle.opened('reconciler', reconciler, (reconciler) => reconciler.close());
    const polls = await readPolls(config);
    const watched = createFeedWatch({ config, polls, db, logger, clock: systemClock });
    lifecycle.opened('feed watch', watched, (watch) => watch.close());
    // Without a feed to ask it needs no log. Topics are the receiver's to make.
    if (polls.length > 0) {
      const parts = { config, db, logger, clock: systemClock };
      const log = connectStream({ ...parts, clientId: 'tripline-reconciler' });
      const stream = lifecycle.opened('log', log, (open) => open.close());
      lifecycle.opened('poller', await createPoller({ ...parts, polls, stream, metrics }), (poller) => poller.close());
    }
    const health = () => checkHealth(db, config, { skipsDenied: true });
    const served = await serve(config, { metrics, ready: reconciler.ready, health });
    lifecycle.opened('http', served, (open) => open.close());
    logger.info({ address: served.url, operations: served.operationsUrl }, 'reconciler started');
    logger.info({ signal: await stop }, 'stopping');
  } finally {
    await lifecycle.close();
  }
}
