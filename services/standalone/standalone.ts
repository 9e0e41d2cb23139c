import { join } from 'node:path';
import { createBroker } from '@tripline/broker/broker';
import type { Mode } from '@tripline/broker/mode';
import type { Config } from '@tripline/config/config';
import type { Reloading } from '@tripline/config/reload';
import type { Check } from '@tripline/contracts/check';
import { openDatabase } from '@tripline/db/database';
import { openDatabaseClock } from '@tripline/db/database-clock';
import { migrate } from '@tripline/db/migrate';
import { createDetector } from '@tripline/detector/detector';
import { loadRuleSet } from '@tripline/detector/load-rules';
import { startReloading } from '@tripline/detector/reload-rules';
import { startEmbedded } from '@tripline/embedded-postgres/embedded';
import { checkHealth } from '@tripline/health/health';
import { createNotifier } from '@tripline/notifier/notifier';
import { createReceiver } from '@tripline/receiver/receiver';
import { createFeedWatch } from '@tripline/reconciler/feed-watch';
import { createPoller } from '@tripline/reconciler/poller';
import { createReconciler } from '@tripline/reconciler/reconciler';
import { createRecorder } from '@tripline/recorder/recorder';
import { createRemediator } from '@tripline/remediator/remediator';
import { systemClock } from '@tripline/runtime/clock';
import { claimDataFolder, keepSecret } from '@tripline/runtime/data-folder';
import { createLifecycle } from '@tripline/runtime/lifecycle';
import { openLogFile } from '@tripline/runtime/log-file';
import { createMetrics } from '@tripline/runtime/metrics';
import { serve, serveRoutes } from '@tripline/runtime/serve';
import { readPolls } from '@tripline/sources/polls';
import { githubSecrets } from '@tripline/sources/secrets';
import { openStream } from '@tripline/stream/open';
import { showLive } from './live.ts';
import type { Screen } from './screen.ts';

export type Standalone = {
  /** Where GitHub's deliveries go, without the path. */
  url: string;
  /** Where jobs ask for access, and whether they are given any. */
  broker: Mode & { url: string };
  /** Where metrics are, and why it is not ready. */
  operationsUrl: string;
  /** The secret that was generated for this data folder; null when one is configured, which is not shown. */
  madeSecret: string | null;
  /** What is broken from before, by the criteria that `doctor` goes by. */
  broken: readonly Check[];
  /** How long the start took, in ms. */
  startedMs: number;
  /** Stops everything in reverse order; nothing is left running. */
  close: () => Promise<void>;
};

/**
 * All of Tripline in one process, on a port for deliveries, one for jobs that ask for access and one for operators: on the embedded Postgres and log, unless the settings name others.
 * @throws {DataFolderInUseError} {PortInUseError} {ConfigError} {EmbeddedPostgresError}: each with a sentence for its user.
 */
export async function startStandalone(given: Config, screen: Screen, reloading?: Reloading): Promise<Standalone> {
  const beganMs = performance.now();
  const folder = claimDataFolder(given.dataDir);
  const log = openLogFile({
    service: 'standalone',
    dataDir: given.dataDir,
    level: given.logLevel,
    warn: (text) => screen.line(screen.style('yellow', `! ${text}`)),
  });
  const { logger } = log;
  const lifecycle = createLifecycle(logger);
  lifecycle.opened('log file', log, () => log.close());
  lifecycle.opened('data folder', folder, () => folder.release());
  try {
    const isConfigured = githubSecrets({ ...given, drills: false }).length > 0;
    const madeSecret = isConfigured ? null : keepSecret(given.dataDir, 'webhook-secret');
    const embedded = given.database.url
      ? null
      : await screen.step('Starting the database', () =>
          startEmbedded({ dataDir: join(given.dataDir, 'postgres'), logger }),
        );
    if (embedded) lifecycle.opened('database', embedded, () => embedded.stop());
    const databaseUrl = given.database.url ?? embedded!.url;
    const config: Config = {
      ...given,
      database: { url: databaseUrl },
      internalKeys: given.internalKeys ?? [keepSecret(given.dataDir, 'internal-key')],
      broker: {
        ...given.broker,
        eventKeys: given.broker.eventKeys ?? [keepSecret(given.dataDir, 'broker-event-key')],
        sealingKeys: given.broker.sealingKeys ?? [keepSecret(given.dataDir, 'broker-sealing-key')],
      },
      github: madeSecret === null ? given.github : { ...given.github, webhookSecrets: [madeSecret] },
      drillKey: given.drillKey ?? keepSecret(given.dataDir, 'drill-key'),
    };
    const db = lifecycle.opened(
      'database connections',
      openDatabase(databaseUrl, { applicationName: 'tripline', maxConnections: 24, lowLatency: true }),
      (open) => open.close(),
    );
    await screen.step('Preparing the database', () => migrate(db, { logger }));

    const metrics = createMetrics({ service: 'standalone' });
    const parts = { config, db, logger, clock: systemClock, metrics };
    const stream = lifecycle.opened('log', await openStream(parts), (open) => open.close());
    const live = showLive(screen);
    const opened = <T extends { close: () => Promise<void> }>(name: string, thing: T): T =>
      lifecycle.opened(name, thing, (open) => open.close());

    const ruleSet = await loadRuleSet(config);
    const remediator = opened('remediator', await createRemediator({ ...parts, onActed: live.onActed }));
    const notifier = opened('notifier', await createNotifier({ ...parts, onSent: live.onSent }));
    const detector = opened('detector', await createDetector({ ...parts, stream, ruleSet }));
    if (reloading !== undefined) opened('reloading', startReloading({ ...parts, reloading, detector, ruleSet }));
    const recorder = opened('recorder', await createRecorder({ ...parts, stream }));
    const receiver = opened('receiver', await createReceiver({ ...parts, stream }));
    const reconciler = opened('reconciler', createReconciler(parts));
    const brokerParts = { ...parts, stream, clock: await openDatabaseClock(db, systemClock) };
    const broker = opened('broker', await createBroker(brokerParts));
    const polls = await readPolls(config);
    const poller = opened('poller', await createPoller({ ...parts, polls, stream }));
    opened('feed watch', createFeedWatch({ ...parts, polls }));
    const services = [receiver, reconciler, poller, recorder, detector, notifier, remediator, broker];

    const ready = async () => {
      for (const service of services) await service.ready();
    };
    const health = () => checkHealth(db, config);
    const routes = [receiver.routes, notifier.routes];
    const served = opened('HTTP', await serve(config, { metrics, ready, health, routes }));
    const brokerRoutes = { ready: broker.ready, routes: [broker.routes], setting: 'TRIPLINE_BROKER' };
    const asked = opened('HTTP of the broker', await serveRoutes(config.broker, brokerRoutes));
    const { url, operationsUrl } = served;
    folder.announce({ url, operationsUrl });
    const startedMs = performance.now() - beganMs;
    const broken = (await health()).filter(({ state }) => state === 'broken');
    return {
      ...{ url, operationsUrl, madeSecret, startedMs, broken, broker: { ...broker.mode, url: asked.url } },
      close: () => lifecycle.close(),
    };
  } catch (error) {
    await lifecycle.close();
    throw error;
  }
}
