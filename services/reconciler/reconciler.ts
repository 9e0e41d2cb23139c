import { randomUUID } from 'node:crypto';
import type { Config } from '@tripline/config/config';
import { checkAnswers } from '@tripline/db/check-answers';
import type { Db } from '@tripline/db/database';
import { forgetQuestions } from '@tripline/db/delivery-questions';
import { deliveriesKeptMs, hooksOf, withHook } from '@tripline/integrations/github/deliveries';
import { CannotReadError } from '@tripline/integrations/github/reader';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { Metrics } from '@tripline/runtime/metrics';
import { createMeasures, type Measures } from './measures.ts';
import { leaseMs, lookThrough, type Round, requestRedeliveries, roundMs } from './round.ts';
import { type HookHold, HookTakenError, type Look, leaveHook, takeHook } from './store/hooks.ts';
import { forgetOld } from './store/undelivered.ts';

export type ReconcilerParts = {
  config: Pick<Config, 'github'>;
  db: Db;
  logger: Logger;
  clock: Clock;
  metrics: Metrics;
  fetch?: typeof globalThis.fetch;
};

export type Reconciler = {
  /**
   * Names of the webhooks that it checks. None: no credentials for listing deliveries are configured, and it does
   * nothing.
   */
  hooks: readonly string[];
  /** Resolves when the database answers; rejects with the reason. */
  ready: () => Promise<void>;
  /** Waits for the request under way, then stops. */
  close: () => Promise<void>;
};

/** From the end of a round to the next one over the same webhook. */
const intervalMs = 60_000;
/** How often it looks for a webhook that nobody holds: the process that held it may have died. */
const pollMs = 5000;
/** After a refusal that a person must fix: a missing permission, a webhook that does not exist. */
const refusedPauseMs = 600_000;
/** The detector remembers a delivery that it doubts for up to so long. */
const questionsKeptMs = 5 * 86_400_000;
/** However long a rate limit may last, GitHub's end within an hour. */
const longestPauseMs = 3_600_000;

/** What the steps of reconciling share. */
type Reconciling = {
  github: Config['github'];
  db: Db;
  logger: Logger;
  clock: Clock;
  fetch: typeof globalThis.fetch | undefined;
  measures: Measures;
  hooks: readonly ConfiguredHook[];
  stopping: AbortController;
  /** Why the last round over each webhook failed, so that the same failure is logged once. */
  failures: Map<string, string | null>;
};

type ConfiguredHook = ReturnType<typeof hooksOf>[number];

/** How a round ended: why it failed, or null; whether since there is no such webhook; and how long until the next, ms. */
type RoundEnd = { failure: string | null; gone: boolean; pauseMs: number };

/**
 * Has GitHub deliver again what it could not deliver: reads the list of attempts down to where the last look began,
 * records which deliveries no attempt has made, and requests them again. The receiver drops duplicates. The same lists
 * tell whether deliveries that the detector doubts are GitHub's. Starts with creation; several processes share the work
 * by a lease in Postgres.
 */
export function createReconciler(parts: ReconcilerParts): Reconciler {
  const { config, db, logger, clock, fetch } = parts;
  const hooks = hooksOf(config.github);
  const reconciling: Reconciling = {
    ...{ github: config.github, db, logger, clock, fetch, hooks },
    measures: createMeasures(parts.metrics, db),
    stopping: new AbortController(),
    failures: new Map(),
  };
  if (hooks.length === 0) {
    logger.info('redelivery is off: configure github.app, or github.hooks with github.hookToken, to switch it on');
  } else logger.info({ hooks: hooks.map(({ name }) => name) }, 'checking webhooks for missing deliveries');
  const running = hooks.length === 0 ? Promise.resolve() : run(reconciling);

  return {
    hooks: hooks.map(({ name }) => name),
    ready: async () => {
      await checkAnswers(db);
    },
    close: async () => {
      reconciling.stopping.abort();
      await running;
    },
  };
}

async function run(reconciling: Reconciling): Promise<void> {
  const { hooks, clock, logger, stopping } = reconciling;
  while (!stopping.signal.aborted) {
    for (const hook of hooks) {
      if (stopping.signal.aborted) break;
      await checkHook(reconciling, hook).catch((error) =>
        logger.error(
          { err: error, hook: hook.name },
          'checking a webhook for missing deliveries failed; retrying at the next interval',
        ),
      );
    }
    await clock.pause(pollMs, stopping.signal);
  }
}

/** Leases the webhook unless somebody holds it, does one round over it, and releases it until the next. */
async function checkHook(reconciling: Reconciling, configured: ConfiguredHook): Promise<void> {
  const { db, clock, logger, stopping, failures } = reconciling;
  const { name } = configured;
  const hold = { hook: name, holder: randomUUID() };
  const beganMs = clock.nowMs();
  const look = await takeHook(db, hold, { nowMs: beganMs, untilMs: beganMs + leaseMs });
  if (look === null) return;
  const log = logger.child({ hook: name });
  let end: RoundEnd = { failure: null, gone: false, pauseMs: intervalMs };
  try {
    await reportLost(reconciling, name, beganMs, log);
    await runRound(reconciling, configured, { hold, look, beganMs, log });
  } catch (error) {
    // Its new holder decides when it is due.
    if (error instanceof HookTakenError) return;
    end = endOf(error, reconciling, name, log);
  } finally {
    const nowMs = clock.nowMs();
    const untilMs = stopping.signal.aborted ? nowMs : nowMs + end.pauseMs;
    failures.set(name, end.failure);
    await leaveHook(db, hold, { nowMs, untilMs, failure: end.failure, gone: end.gone });
  }
}

/** Deletes what GitHub no longer lists, and logs which of it never arrived. */
async function reportLost({ db, measures }: Reconciling, hook: string, beganMs: number, log: Logger): Promise<void> {
  await forgetQuestions(db, beganMs - questionsKeptMs);
  const lost = await forgetOld(db, hook, beganMs - deliveriesKeptMs);
  for (const delivery of lost)
    log.error(delivery, 'a delivery is lost: GitHub no longer offers it, and it never arrived');
  measures.lost(lost.length);
}

async function runRound(
  { github, db, clock, fetch, measures, hooks, stopping }: Reconciling,
  { name, hook, source }: ConfiguredHook,
  { hold, look, beganMs, log }: { hold: HookHold; look: Look; beganMs: number; log: Logger },
): Promise<void> {
  const options = {
    nowMs: clock.nowMs,
    onLeftAlive: (reason: string) =>
      log.error({ reason }, 'revoking a webhook token failed; it expires within an hour'),
  };
  await withHook({ ...github, fetch }, hook, options, async (client) => {
    const round: Round = {
      ...{ db, hold, client, clock, log, measures },
      of: { hook: name, source },
      others: hooks.filter((other) => other.name !== name).map((other) => ({ hook: other.name, source: other.source })),
      endMs: beganMs + roundMs,
      signal: stopping.signal,
    };
    const looked = await lookThrough(round, look);
    await requestRedeliveries(round, looked);
    measures.round(looked.finished ? 'done' : 'unfinished');
  });
}

/** What a round that failed leads to. @throws any error that is not an answer of GitHub's. */
function endOf(error: unknown, { measures, failures }: Reconciling, hook: string, log: Logger): RoundEnd {
  measures.round('failed');
  if (!(error instanceof CannotReadError)) throw error;
  const { outcome, message: failure } = error;
  let pauseMs = intervalMs;
  if (outcome.kind === 'give-up') pauseMs = refusedPauseMs;
  else if (outcome.kind === 'retry' && outcome.afterMs !== undefined)
    pauseMs = Math.min(Math.max(outcome.afterMs, intervalMs), longestPauseMs);
  if (failures.get(hook) !== failure)
    log.warn({ reason: outcome.reason, pauseMs }, `checking for missing deliveries failed: ${failure}`);
  return { failure, gone: outcome.reason === 'not-found', pauseMs };
}
