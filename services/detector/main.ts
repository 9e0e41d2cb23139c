import type { Config } from '@tripline/config/config';
import type { Reloading } from '@tripline/config/reload';
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
import { createDetector } from './detector.ts';
import { loadRuleSet } from './load-rules.ts';
import { startReloading } from './reload-rules.ts';

/** Runs the detector alone, until it is told to stop. Needs `database.url`. */
export async function main(config: Config, reloading: Reloading): Promise<void> {
  if (config.database.url === undefined) throw new ConfigError('the detector alone needs a Postgres: set DATABASE_URL');
  if (config.internalKeys === undefined) {
    throw new ConfigError(
      'the detector needs a key that proves to it what comes from within Tripline: set TRIPLINE_INTERNAL_KEY, for example to what `openssl rand -hex 32` prints',
    );
  }
  const stop = stopSignal();
  const logger = createLogger({ service: 'detector', level: config.logLevel });
  const metrics = createMetrics({ service: 'detector' });
  const lifecycle = createLifecycle(logger);
  try {
    const ruleSet = await loadRuleSet(config);
    const opening = openDatabase(config.database.url, { applicationName: 'tripline-detector', lowLatency: true });
    const db = lifecycle.opened('database', opening, (open) => open.close());
    await refuseUnmigrated(db);
    const stream = await openStream({ config, db, logger, clock: systemClock });
    lifecycle.opened('log', stream, (open) => open.close());
    const detector = await createDetector({ config, stream, db, ruleSet, logger, clock: systemClock, metrics });
    lifecycle.opened('detector', detector, (open) => open.close());
    const reload = startReloading({ config, reloading, detector, ruleSet, db, logger, clock: systemClock, metrics });
    lifecycle.opened('reloading', reload, (open) => open.close());
    const health = () => checkHealth(db, config, { skipsDenied: true });
    const served = await serve(config, { metrics, ready: detector.ready, health });
    lifecycle.opened('http', served, (open) => open.close());
    logger.info(
      { rules: ruleSet.rules.length, ruleSet: ruleSet.version, address: served.url, operations: served.operationsUrl },
      'detector started',
    );
    logger.info({ signal: await stop }, 'stopping');
  } finally {
    await lifecycle.close();
  }
}
