import type { Config } from '@tripline/config/config';
import { openDatabase } from '@tripline/db/database';
import { systemClock } from '@tripline/runtime/clock';
import { createLifecycle, stopSignal } from '@tripline/runtime/lifecycle';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
import { serve } from '@tripline/runtime/serve';
import { connectStream } from '@tripline/stream/open';
import { ensureTopics } from './ensure-topics.ts';
import { createReceiver } from './receiver.ts';

/** Runs the receiver alone, until it is told to stop. It starts, and spools, even while the log is away. */
export async function main(config: Config): Promise<void> {
  const clock = systemClock;
  const logger = createLogger({ service: 'receiver', level: config.logLevel });
  const metrics = createMetrics({ service: 'receiver' });
  const lifecycle = createLifecycle(logger);
  const stop = stopSignal();
  try {
    const db =
      config.database.url === undefined || config.kafka.brokers
        ? null
        : openDatabase(config.database.url, { applicationName: 'tripline-receiver' });
    if (db) lifecycle.opened('database', db, (open) => open.close());
    const stream = lifecycle.opened(
      'log',
      connectStream({ config, clientId: 'tripline-receiver', db, logger, clock }),
      (open) => open.close(),
    );
    const topics = lifecycle.opened('topics', ensureTopics({ config, stream, logger, clock }), (one) => one.stop());
    const receiver = await createReceiver({ config, stream, logger, clock, metrics });
    lifecycle.opened('receiver', receiver, (open) => open.close());
    const served = await serve(config, { metrics, ready: receiver.ready, routes: [receiver.routes] });
    lifecycle.opened('http', served, (open) => open.close());
    logger.info({ address: served.url, operations: served.operationsUrl }, 'receiver started');
    const ended = await Promise.race([stop, topics.failed]);
    logger.info({ signal: ended }, 'stopping');
  } finally {
    await lifecycle.close();
  }
}
