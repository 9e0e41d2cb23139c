import { randomUUID } from 'node:crypto';
import type { Config } from '@tripline/config/config';
import type { Db } from '@tripline/db/database';
import { trustedIssuers } from '@tripline/identity/registry';
import { createVerifier } from '@tripline/identity/verify';
import { isRemediationStopped } from '@tripline/incidents/kill-switch';
import { type Minters, openMinters } from '@tripline/integrations/minters';
import { createOutbound } from '@tripline/integrations/outbound';
import type { Clock } from '@tripline/runtime/clock';
import { ConfigError } from '@tripline/runtime/load-settings';
import type { Logger } from '@tripline/runtime/logger';
import type { Metrics } from '@tripline/runtime/metrics';
import { createWorkspaces } from '@tripline/sources/workspace';
import type { Stream } from '@tripline/stream/stream';
import type { FastifyInstance } from 'fastify';
import { createRateLimit } from './address-limit.ts';
import { appendEvents } from './append-events.ts';
import type { ExchangeParts, Gather, Giving } from './asking.ts';
import { startEnding } from './ending.ts';
import { exclusivelyBy } from './exclusively.ts';
import { startForgetting } from './forgetting.ts';
import { createGather } from './gather.ts';
import { gateHears, startGating, watchForGate } from './gating.ts';
import { type CurrentPolicies, createLocalPolicies } from './local-policies.ts';
import { createMeasures } from './measures.ts';
import { type Mode, modeOf } from './mode.ts';
import { createRepositoryPolicies } from './policies.ts';
import { startRequesting } from './requesting.ts';
import { createRoutes } from './routes.ts';
import { createSeals, type Seals } from './seal.ts';
import { startStandingLooks } from './standing.ts';
import { openStepUps } from './step-up-for-jobs.ts';
import { stsAudienceOf } from './sts.ts';

export type Broker = {
  mode: Mode;
  /** Adds the routes of jobs. Call before `listen`. */
  routes: (app: FastifyInstance) => void;
  /** Resolves when a job could now be answered; rejects with the reason. */
  ready: () => Promise<void>;
  close: () => Promise<void>;
};

/** What tests put in the place of what the settings name. */
export type BrokerSeams = {
  gather?: Gather;
  policies?: CurrentPolicies;
  minters?: Pick<Minters, 'of'>;
  openStepUp?: ExchangeParts['openStepUp'];
  isCaughtUp?: () => boolean;
  /** How long what the log has yet to tell is waited for, ms. */
  waitMs?: number;
};

const dayMs = 24 * 3_600_000;
/** A job asks for a few policies, and again each few seconds while somebody has yet to stand for it. */
const rateOfJob = { perSecond: 1, burst: 60 };

export type BrokerParts = { config: Config; db: Db; stream: Stream; logger: Logger; clock: Clock; metrics: Metrics };

/**
 * Answers jobs that ask for access. Without all that it takes to give some, it says what it would have decided.
 * @throws {ConfigError} the settings are half of something.
 */
export async function createBroker(parts: BrokerParts, seams: BrokerSeams = {}): Promise<Broker> {
  const { config, db, stream, logger, clock, metrics } = parts;
  const { identity, broker: settings } = config;
  const mode = modeOf(config);
  if (mode.isDryRun) {
    logger[mode.mints ? 'warn' : 'info']({ lacks: mode.lacks }, 'the broker is a dry run: it gives nothing to any job');
  }
  const measures = createMeasures(metrics, () => clock.nowMs());
  const verify = createVerifier(
    // Without an audience there is no issuer either, so that no token is compared with it.
    { audience: identity.audience ?? '', issuers: trustedIssuers(identity).map(({ issuer }) => issuer) },
    {
      ...{ clock, openOutbound: createOutbound },
      tell: (event) => {
        measures.keysRead(event);
        if (event.kind !== 'keys-read') logger.warn(event, 'the keys of an issuer are not as they were');
      },
    },
  );
  const workspaces = createWorkspaces(config);
  const gather = seams.gather ?? createGather({ ...parts, waitMs: seams.waitMs });
  const stepUps = openStepUps(parts);
  // What was given is ended also by a broker that is a dry run by now.
  const opened = mode.mints ? await openGiving(parts, seams) : undefined;
  const giving = mode.isDryRun ? undefined : opened;
  // Tests that say what is known of ends have no log to read it from.
  const hasLog = seams.isCaughtUp === undefined;
  const ending = opened && hasLog ? await startEnding({ ...parts, ...opened, alsoHears: gateHears }) : undefined;
  const repository =
    seams.policies === undefined && isOfRepository(config) ? await createRepositoryPolicies(parts) : null;
  const policies = seams.policies ?? repository?.current ?? policiesOf(config);
  const isGated = settings.policy !== undefined && hasLog;
  const watch = isGated && ending === undefined ? await watchForGate(parts) : undefined;
  const gate = isGated ? startGating(parts, policies, stepUps?.atGate) : undefined;
  const requests = await startRequesting(parts, policies);
  const routes = createRoutes({
    ...{ config, db, stream, logger, clock, measures, verify, workspaces, policies, gather, settings },
    ...{ giving, approvalFor: stepUps?.approvalFor, openStepUp: seams.openStepUp ?? stepUps?.openStepUp },
    stsAudience: stsAudienceOf(identity.audience),
    isCaughtUp: seams.isCaughtUp ?? ending?.caughtUp ?? (() => true),
    jobLimit: createRateLimit(rateOfJob, () => clock.nowMs()),
    makeId: randomUUID,
  });
  const looks =
    settings.eventKeys === undefined
      ? undefined
      : startStandingLooks({ config, db, clock, logger, policies, append: (events) => appendEvents(parts, events) });
  const forgetting = startForgetting(parts, config.retentionDays * dayMs);
  return {
    mode,
    routes: (app) => {
      routes(app);
      stepUps?.routes(app);
    },
    async ready() {
      await db.pool.query('SELECT 1');
      await stream.check();
      await (ending ?? watch)?.ready();
    },
    async close() {
      await forgetting.close();
      await requests?.close();
      await gate?.close();
      await looks?.close();
      await repository?.close();
      await (ending ?? watch)?.close();
      await opened?.close();
    },
  };
}

async function openGiving(
  parts: BrokerParts,
  seams: BrokerSeams,
): Promise<Giving & { seals: Seals; close: () => Promise<void> }> {
  const { config, db } = parts;
  const { minters, close } =
    seams.minters === undefined ? await startMinters(parts) : { minters: seams.minters, close: async () => {} };
  return {
    minters,
    close,
    seals: createSeals(config.broker.sealingKeys!),
    mostAnHour: config.broker.grantsPerHour,
    isStopped: () => isRemediationStopped(db),
  };
}

const isOfRepository = ({ broker: { policy } }: Config): boolean => policy !== undefined && 'repository' in policy;

/** What mints, and is renewed until `close`. */
async function startMinters({
  config,
  clock,
  db,
  logger,
}: BrokerParts): Promise<{ minters: Minters; close: () => Promise<void> }> {
  const minters = await openMinters(config, { clock, exclusively: exclusivelyBy(db) });
  const closing = new AbortController();
  const renewing = minters.keepAlive(closing.signal, (fault) =>
    logger.error({ fault }, 'renewing what mints failed; retrying'),
  );
  return {
    minters,
    async close() {
      closing.abort();
      await renewing;
    },
  };
}

function policiesOf({ broker: { policy }, identity, baseDir }: Config): CurrentPolicies {
  if (policy === undefined || !('file' in policy)) return () => ({ fault: 'broker.policy is not set' });
  const current = createLocalPolicies(baseDir, policy.file, identity.audience);
  const first = current();
  if ('fault' in first) throw new ConfigError(`broker.policy: ${first.fault}`);
  return current;
}
