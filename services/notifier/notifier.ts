import type { Jobs } from '@tripline/contracts/job';
import type { Db } from '@tripline/db/database';
import { readIncident } from '@tripline/db/incidents';
import { addLaterJob } from '@tripline/db/jobs';
import { addDigestJob, enterTelling, findUntold, foldWaiting, retryGivenUp } from '@tripline/db/messages';
import { runJobs } from '@tripline/db/run-jobs';
import type { MessageKind } from '@tripline/db/tables/messages';
import { createPagerDutyClient } from '@tripline/integrations/pagerduty/client';
import { createSlackClient, mayHaveBeenDone } from '@tripline/integrations/slack/client';
import type { Clock } from '@tripline/runtime/clock';
import type { Config } from '@tripline/runtime/config';
import { failpoint } from '@tripline/runtime/failpoint';
import type { Logger } from '@tripline/runtime/logger';
import type { Metrics } from '@tripline/runtime/metrics';
import type { FastifyInstance } from 'fastify';
import { addInteractions } from './interactions.ts';
import { createMeasures } from './measures.ts';
import { createPace } from './pace.ts';
import { dryRunPagerDuty, nextForPagerDuty } from './tell-pagerduty.ts';
import { dryRunSlack, nextForDigest, nextForSlack } from './tell-slack.ts';
import { bringInStep, type Ending, type Sink, type Told } from './telling.ts';

export type NotifierParts = {
  config: Config;
  db: Db;
  logger: Logger;
  clock: Clock;
  metrics: Metrics;
  /** Told of every message that went out or, in a dry run, would have; for a terminal. */
  onTold?: (told: Told) => void;
  timing?: Partial<NotifierTiming>;
};

/** Times that tests shorten. */
export type NotifierTiming = {
  /** How long one call may take. */
  timeoutMs: number;
  /** How long a claim holds without a sign of life; more than a call takes. */
  claimMs: number;
  /** How often incidents are looked for that a dead worker left untold. */
  sweepMs: number;
  /** One Slack message in this time, after a burst of four, and as many changes of one. Slack allows one message a second and channel. */
  slackIntervalMs: number;
  /** One PagerDuty event in this time, after a burst of twenty. */
  pagerDutyIntervalMs: number;
};

export type Notifier = {
  /** Mounts `POST /slack/interactions`. Before `listen`. */
  routes: (app: FastifyInstance) => void;
  /** Resolves when the database answers; rejects with the reason. */
  ready: () => Promise<void>;
  /** Waits for the calls at hand, then stops. */
  close: () => Promise<void>;
};

/** When more incidents than this wait for their first message, they are folded into one; the gravest few are not. */
export const foldAbove = 20;
export const foldKeeps = 5;

const usualTiming: NotifierTiming = {
  timeoutMs: 10_000,
  claimMs: 20_000,
  sweepMs: 10_000,
  slackIntervalMs: 1000,
  pagerDutyIntervalMs: 500,
};

/**
 * Tells people of incidents, and keeps Slack and PagerDuty in step with Postgres: each job reads how an incident is now,
 * compares with what was told, sends what is missing and records it. Starts with creation.
 */
export async function createNotifier(parts: NotifierParts): Promise<Notifier> {
  const { config, db, logger, clock, metrics, onTold } = parts;
  const timing = { ...usualTiming, ...parts.timing };
  const { timeoutMs, claimMs } = timing;
  const measures = createMeasures(metrics, clock);
  const telling = { db, logger, measures, claimMs, onTold };

  const slackPosts = createPace(clock, { intervalMs: timing.slackIntervalMs, burst: 4 });
  const slackUpdates = createPace(clock, { intervalMs: timing.slackIntervalMs, burst: 4 });
  const pages = createPace(clock, { intervalMs: timing.pagerDutyIntervalMs, burst: 20 });
  const slack = {
    name: 'slack',
    mode: config.slack ? 'live' : 'dry-run',
    // News first: a reply leaves half of the burst to incidents that nobody has heard of, and changes of a message in
    // place are counted apart, as Slack itself does.
    paceOf: (kind: MessageKind) =>
      kind === 'updated'
        ? { pace: slackUpdates, keep: 0 }
        : { pace: slackPosts, keep: kind === 'thread-reply' ? 2 : 0 },
    mayHaveBeenDone,
    client: config.slack ? createSlackClient({ ...config.slack, timeoutMs }) : dryRunSlack,
  } as const satisfies Sink & Record<string, unknown>;
  const pagerduty = {
    name: 'pagerduty',
    mode: config.pagerduty ? 'live' : 'dry-run',
    paceOf: () => ({ pace: pages, keep: 0 }),
    // The dedup key makes one alert of any number of events.
    mayHaveBeenDone: () => false,
    client: config.pagerduty ? createPagerDutyClient({ ...config.pagerduty, timeoutMs }) : dryRunPagerDuty,
    minSeverity: config.pagerduty?.minSeverity ?? 'high',
  } as const satisfies Sink & Record<string, unknown>;

  async function tellSlack({ incident }: Jobs['tell-slack']): Promise<Ending> {
    failpoint('notifier.before-enter');
    let { id, version, digest } = await enterTelling(db, incident, 'slack', slack.mode);
    failpoint('notifier.after-enter');
    if (version === 0 && digest === null) {
      const folded = await foldWaiting(db, { above: foldAbove, keep: foldKeeps, mode: slack.mode });
      failpoint('notifier.after-fold');
      if (folded > 0) logger.warn({ folded }, 'so many incidents at once: folded into one message');
      measures.folded(folded);
      ({ id, version, digest } = await enterTelling(db, incident, 'slack', slack.mode));
    }
    if (digest !== null) {
      const story = await readIncident(db, incident);
      if (story !== undefined && story.version > version) await addDigestJob(db.pool, digest);
      return { kind: 'in-step' };
    }
    return bringInStep(telling, slack, id, async (now) => {
      // Somebody else's fold may have come between.
      if (now.digest !== null) return undefined;
      const story = await readIncident(db, incident);
      return story && nextForSlack(story, now, slack);
    });
  }

  async function tellPagerDuty({ incident }: Jobs['tell-pagerduty']): Promise<Ending> {
    const { id } = await enterTelling(db, incident, 'pagerduty', pagerduty.mode);
    return bringInStep(telling, pagerduty, id, async (now) => {
      const story = await readIncident(db, incident);
      return story && nextForPagerDuty(story, now, pagerduty);
    });
  }

  function tellDigest({ digest }: Jobs['tell-slack-digest']): Promise<Ending> {
    // It stands for all that wait.
    const paceOf = (kind: MessageKind) => {
      const { pace } = slack.paceOf(kind);
      return { pace: { ...pace, admit: (who: string) => pace.admit(who, { first: true }) }, keep: 0 };
    };
    return bringInStep(telling, { ...slack, paceOf }, digest, (now) => nextForDigest(db, now, slack));
  }

  /** Comes back by a later job of the same key: nothing sleeps here, and the worker is free for other incidents. */
  async function snooze<N extends keyof Jobs>(name: N, payload: Jobs[N], key: string, ending: Ending): Promise<void> {
    if (ending.kind === 'in-step') return;
    failpoint('notifier.before-snooze');
    await addLaterJob(db.pool, name, payload, { key, afterMs: ending.afterMs });
    failpoint('notifier.after-snooze');
  }

  /** graphile-worker keeps a dead worker's job for four hours; this takes it up as soon as its claim is over. */
  async function sweep(): Promise<void> {
    for (const { incident, sink } of await findUntold(db, claimMs)) {
      failpoint('notifier.sweeping');
      const name = `tell-${sink}` as const;
      await addLaterJob(db.pool, name, { incident }, { key: `${name}:${incident}`, afterMs: 0, keepRunAt: true });
    }
  }

  async function keepSweeping(): Promise<void> {
    for (;;) {
      await clock.pause(timing.sweepMs, stopping.signal);
      if (stopping.signal.aborted) return;
      await sweep().catch((error) => logger.error({ err: error }, 'looking for untold incidents failed'));
    }
  }

  await retryGivenUp(db);
  await sweep();
  const stopping = new AbortController();
  const sweeping = keepSweeping();
  const jobs = await runJobs({
    db,
    logger,
    handlers: {
      'tell-slack': async (job) => snooze('tell-slack', job, `tell-slack:${job.incident}`, await tellSlack(job)),
      'tell-slack-digest': async (job) =>
        snooze('tell-slack-digest', job, `tell-slack-digest:${job.digest}`, await tellDigest(job)),
      'tell-pagerduty': async (job) =>
        snooze('tell-pagerduty', job, `tell-pagerduty:${job.incident}`, await tellPagerDuty(job)),
    },
  });

  return {
    routes: (app) => addInteractions(app, { db, logger, clock, signingSecret: config.slack?.signingSecret }),
    ready: async () => {
      await db.pool.query('SELECT 1');
    },
    close: async () => {
      stopping.abort();
      await sweeping;
      await jobs.stop();
    },
  };
}
