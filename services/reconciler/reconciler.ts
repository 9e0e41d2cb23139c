import { randomUUID } from 'node:crypto';
import type { Config } from '@tripline/config/config';
import type { Db } from '@tripline/db/database';
import { forgetQuestions } from '@tripline/db/delivery-questions';
import { deliveriesKeptMs, hooksOf, withHook } from '@tripline/integrations/github/deliveries';
import { CannotRead } from '@tripline/integrations/github/reader';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { Metrics } from '@tripline/runtime/metrics';
import { createMeasures } from './measures.ts';
import { askAgain, leaseMs, lookThrough, type Round, roundMs } from './round.ts';
import { HookTaken, leaveHook, takeHook } from './store/hooks.ts';
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
  /** Names of the webhooks that it sees to. None: nothing is configured to ask with, and it does nothing. */
  hooks: readonly string[];
  /** Resolves when the database answers; rejects with the reason. */
  ready: () => Promise<void>;
  /** Waits for the request at hand, then stops. */
  close: () => Promise<void>;
};

/** From the end of a round to the next one over the same webhook. */
const intervalMs = 60_000;
/** How often a webhook is looked for that nobody holds: another process may have died with it. */
const pollMs = 5000;
/** After a refusal that a person must mend: a permission, a webhook that is not there. */
const refusedPauseMs = 600_000;
/** The detector remembers a delivery that it doubts for up to so long. */
const questionsKeptMs = 5 * 86_400_000;
/** However long a rate limit may last, GitHub's end within an hour. */
const longestPauseMs = 3_600_000;

/**
 * Sees to it that what GitHub could not deliver is delivered after all: looks through the list of attempts from where it
 * came last, keeps which deliveries no attempt has made, and asks GitHub to make them again. The receiver drops what it
 * has already. The same lists say of deliveries that the detector doubts whether they are GitHub's. Starts with creation; several processes take turns by a lease in Postgres.
 */
export function createReconciler(parts: ReconcilerParts): Reconciler {
  const { config, db, logger, clock, fetch } = parts;
  const measures = createMeasures(parts.metrics, db);
  const hooks = hooksOf(config.github);
  const stopping = new AbortController();
  /** Why the last round over each webhook failed, so that the same is said once. */
  const failures = new Map<string, string | null>();

  const lists = hooks.map(({ name, source }) => ({ hook: name, source }));

  async function see({ name, hook, source }: (typeof hooks)[number]): Promise<void> {
    const hold = { hook: name, holder: randomUUID() };
    const beganMs = clock.nowMs();
    const look = await takeHook(db, hold, { nowMs: beganMs, untilMs: beganMs + leaseMs });
    if (look === null) return;
    const log = logger.child({ hook: name });
    let pauseMs = intervalMs;
    let failure: string | null = null;
    try {
      await forgetQuestions(db, beganMs - questionsKeptMs);
      const lost = await forgetOld(db, name, beganMs - deliveriesKeptMs);
      for (const delivery of lost)
        log.error(delivery, 'a delivery is lost: GitHub no longer offers it, and it never arrived');
      measures.lost(lost.length);
      const options = {
        nowMs: clock.nowMs,
        onLeftAlive: (reason: string) =>
          log.error({ reason }, 'revoking a webhook token failed; it expires within an hour'),
      };
      await withHook({ ...config.github, fetch }, hook, options, async (client) => {
        const round: Round = {
          ...{ db, hold, client, clock, log, measures },
          of: { hook: name, source },
          others: lists.filter((list) => list.hook !== name),
          endMs: beganMs + roundMs,
          signal: stopping.signal,
        };
        const looked = await lookThrough(round, look);
        await askAgain(round, looked);
        measures.round(looked.finished ? 'done' : 'unfinished');
      });
    } catch (error) {
      if (error instanceof HookTaken) return;
      measures.round('failed');
      if (!(error instanceof CannotRead)) throw error;
      failure = error.message;
      const { outcome } = error;
      if (outcome.kind === 'give-up') pauseMs = refusedPauseMs;
      else if (outcome.afterMs !== undefined) pauseMs = Math.min(Math.max(outcome.afterMs, intervalMs), longestPauseMs);
      if (failures.get(name) !== failure)
        log.warn({ reason: outcome.reason, pauseMs }, `checking for missing deliveries failed: ${failure}`);
    } finally {
      const nowMs = clock.nowMs();
      const untilMs = stopping.signal.aborted ? nowMs : nowMs + pauseMs;
      failures.set(name, failure);
      await leaveHook(db, hold, { nowMs, untilMs, failure });
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      for (const hook of hooks) {
        if (stopping.signal.aborted) break;
        await see(hook).catch((error) =>
          logger.error(
            { err: error, hook: hook.name },
            'checking a webhook for missing deliveries failed; retrying at the next interval',
          ),
        );
      }
      await clock.pause(pollMs, stopping.signal);
    }
  }

  if (hooks.length === 0) {
    logger.info('redelivery is off: configure github.app, or github.hooks with github.hookToken, to switch it on');
  } else logger.info({ hooks: hooks.map(({ name }) => name) }, 'checking webhooks for missing deliveries');
  const running = hooks.length === 0 ? Promise.resolve() : run();

  return {
    hooks: hooks.map(({ name }) => name),
    ready: async () => {
      await db.pool.query('SELECT 1');
    },
    close: async () => {
      stopping.abort();
      await running;
    },
  };
}
