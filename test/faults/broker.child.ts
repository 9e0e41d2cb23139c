import { createBroker } from '@tripline/broker/broker';
import { type CurrentPolicies, createLocalPolicies } from '@tripline/broker/local-policies';
import { loadConfig } from '@tripline/config/config';
import { openDatabase } from '@tripline/db/database';
import { type Clock, systemClock } from '@tripline/runtime/clock';
import { createHttp } from '@tripline/runtime/http';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
import { openStream } from '@tripline/stream/open';

/**
 * The broker as `tripline broker` runs it, in the folder that access-ground.ts lays, but for one thing: its policies lie in a file
 * there, as if they were a commit's, and not in a repository. `CLOCK_AHEAD_MS` has its clock go wrong by so much.
 */
const aheadMs = Number(process.env['CLOCK_AHEAD_MS'] ?? 0);
const clock: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs };
const config = loadConfig();
const logger = createLogger({ service: 'broker', level: config.logLevel });
const metrics = createMetrics({ service: 'broker' });
const db = openDatabase(config.database.url!, { applicationName: 'tripline-broker', lowLatency: true });
const stream = await openStream({ config, db, logger, clock });
// Of a commit, which is read once: what has none is a dry run at the gate.
const read = createLocalPolicies(config.baseDir, 'access.yaml', config.identity.audience)();
const policies: CurrentPolicies = () => ('fault' in read ? read : { ...read, revision: 'f'.repeat(40) });
const broker = await createBroker({ config, db, stream, logger, clock, metrics }, { policies });
const app = createHttp({ ready: broker.ready });
broker.routes(app);
console.log(`listening on ${await app.listen({ host: '127.0.0.1', port: 0 })}`);
