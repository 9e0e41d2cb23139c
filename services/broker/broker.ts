import { randomUUID } from 'node:crypto';
import type { Config } from '@tripline/config/config';
import type { TriplineEvent } from '@tripline/contracts/event';
import type { Db } from '@tripline/db/database';
import { trustedIssuers } from '@tripline/identity/registry';
import { createVerifier } from '@tripline/identity/verify';
import { type Minters, openMinters } from '@tripline/integrations/minters';
import { createOutbound } from '@tripline/integrations/outbound';
import type { Clock } from '@tripline/runtime/clock';
import { createLifecycle } from '@tripline/runtime/lifecycle';
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
import { watchLog } from './log-away.ts';
import { createMeasures } from './measures.ts';
import { type Mode, modeOf } from './mode.ts';
import { createRepositoryPolicies } from './policies.ts';
import { startPromotions } from './promotions.ts';
import { startRequesting } from './requesting.ts';
import { createRooms, type RoomSizes } from './rooms.ts';
import { createRoutes } from './routes.ts';
import { openRunNews } from './run-news.ts';
import { createSeals, type Seals } from './seal.ts';
import { startStandingLooks } from './standing.ts';
import { openStepUps } from './step-up-for-jobs.ts';
import { countOpenPrompts } from './store/approvals.ts';
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
  rooms?: RoomSizes;
};

const dayMs = 24 * 3_600_000;
/** A job asks for a few policies, and again each few seconds while somebody has yet to stand for it. */
const rateOfJob = { perSecond: 1, burst: 60 };

/** A matrix has 256 jobs at most, and a job asks by a few policies at once. */
const roomSizes: RoomSizes = { ofJob: 8, ofRepository: 512 };

export type BrokerParts = { config: Config; db: Db; stream: Stream; logger: Logger; clock: Clock; metrics: Metrics };

/**
 * Answers jobs that ask for access. Without all that it takes to give some, it says what it would have decided.
 * @throws {ConfigError} the settings are half of something.
 */
export async function createBroker(given: BrokerParts, seams: BrokerSeams = {}): Promise<Broker> {
  const { stream, takesEvents } = watchLog(given.stream);
  const parts = { ...given, stream };
  const { config, db, logger, clock, metrics } = parts;
  const { identity, broker: settings } = config;
  const mode = modeOf(config);
  if (mode.isDryRun) {
    logger[mode.mints ? 'warn' : 'info']({ lacks: mode.lacks }, 'the broker is a dry run: it gives nothing to any job');
  }
  const measures = createMeasures(
    metrics,
    () => clock.nowMs(),
    () => countOpenPrompts(db, clock.nowMs()),
  );
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
  const lifecycle = createLifecycle(logger);
  const opened = <T extends { close: () => Promise<void> } | undefined>(name: string, thing: T): T =>
    lifecycle.opened(name, thing, (one) => one?.close());
  try {
    const stepUps = openStepUps(parts);
    // What was given is ended also by a broker that is a dry run by now.
    const minting = opened('what mints', mode.mints ? await openGiving(parts, seams) : undefined);
    const giving = mode.isDryRun ? undefined : minting;
    // Tests that say what is known of ends have no log to read it from.
    const hasLog = seams.isCaughtUp === undefined;
    const ending = opened(
      'ends of grants',
      minting && hasLog ? await startEnding({ ...parts, ...minting, alsoHears: gateHears }) : undefined,
    );
    const repository = opened(
      'policies',
      seams.policies === undefined && isOfRepository(config) ? await createRepositoryPolicies(parts) : undefined,
    );
    const policies = seams.policies ?? repository?.current ?? policiesOf(config);
    const isGated = settings.policy !== undefined && hasLog;
    const watch = opened('questions of gates', isGated && ending === undefined ? await watchForGate(parts) : undefined);
    opened('the gate', isGated ? startGating(parts, policies, stepUps?.atGate) : undefined);
    opened('rights of people', await startRequesting(parts, policies));
    const news = opened('news of runs', seams.gather === undefined ? openRunNews(parts) : undefined);
    const gather = seams.gather ?? createGather({ ...parts, waitMs: seams.waitMs, news });
    const routes = createRoutes({
      ...{ config, db, stream, logger, clock, measures, verify, workspaces, policies, gather, settings },
      ...{ giving, approvalFor: stepUps?.approvalFor, openStepUp: seams.openStepUp ?? stepUps?.openStepUp },
      stsAudience: stsAudienceOf(identity.audience),
      isCaughtUp: seams.isCaughtUp ?? ending?.caughtUp ?? (() => true),
      takesEvents,
      jobLimit: createRateLimit(rateOfJob, () => clock.nowMs()),
      rooms: createRooms(seams.rooms ?? roomSizes),
      makeId: randomUUID,
    });
    const append = (events: readonly TriplineEvent[]) => appendEvents(parts, events);
    if (settings.eventKeys !== undefined) {
      opened('looks at what stands', startStandingLooks({ config, db, clock, logger, policies, append }));
      if (hasLog)
        opened('from where policies promote', startPromotions({ config, db, clock, logger, policies, append }));
    }
    opened('forgetting', startForgetting(parts, config.retentionDays * dayMs));
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
      close: () => lifecycle.close(),
    };
  } catch (error) {
    // What refuses to start leaves nothing running, which would keep the process from ending.
    await lifecycle.close();
    throw error;
  }
}

async function openGiving(
  parts: BrokerParts,
  seams: BrokerSeams,
): Promise<Giving & { seals: Seals; close: () => Promise<void> }> {
  const { config } = parts;
  const { minters, close } =
    seams.minters === undefined ? await startMinters(parts) : { minters: seams.minters, close: async () => {} };
  return {
    minters,
    close,
    seals: createSeals(config.broker.sealingKeys!),
    mostAnHour: config.broker.grantsPerHour,
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
