import { randomUUID } from 'node:crypto';
import { type Severity, severities } from '@tripline/contracts/finding';
import type { Db } from '@tripline/db/database';
import { addJobs } from '@tripline/db/jobs';
import { runJobs } from '@tripline/db/run-jobs';
import type { MessageKind, Mode, SinkName } from '@tripline/db/tables/messages';
import { clearSinkTrouble } from '@tripline/health/sink-troubles';
import { type IncidentStory, readIncident } from '@tripline/incidents/incidents';
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
import {
  type Claim,
  findUntold,
  foldWaiting,
  park,
  parkDigest,
  retryGivenUp,
  takeUp,
  unfold,
} from './store/messages.ts';
import { dryRunPagerDuty, nextForPagerDuty } from './tell-pagerduty.ts';
import { dryRunSlack, type Gathering, nextForDigest, nextForSlack } from './tell-slack.ts';
import { bringInStep, type Sink, type Told } from './telling.ts';
import { takeTurns } from './turns.ts';

export type NotifierParts = {
  config: Config;
  db: Db;
  logger: Logger;
  clock: Clock;
  metrics: Metrics;
  /** Told of every message that went out or, in a dry run, would have; for a terminal. */
  onTold?: (told: Told) => void;
  timing?: Partial<NotifierTiming>;
  /** For tests, in the place of what may only call Slack and PagerDuty. */
  fetch?: typeof globalThis.fetch;
};

/** Times that tests shorten. */
export type NotifierTiming = Gathering & {
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
/** Calls under way at once. More than one sink that does not answer can hold up before it is asked more seldom. */
const concurrency = 12;
const dayMs = 24 * 3_600_000;

const usualTiming: NotifierTiming = {
  timeoutMs: 10_000,
  claimMs: 20_000,
  sweepMs: 10_000,
  slackIntervalMs: 1000,
  pagerDutyIntervalMs: 500,
  gatherMs: 2000,
  restMs: 30_000,
  openingMs: 60_000,
};

/**
 * Tells people of incidents, and keeps Slack and PagerDuty in step with Postgres: each job reads how an incident is now,
 * compares with what was told, sends what is missing and records it. Starts with creation.
 */
export async function createNotifier(parts: NotifierParts): Promise<Notifier> {
  const { config, db, logger, clock, metrics, onTold, fetch } = parts;
  const timing = { ...usualTiming, ...parts.timing };
  const { timeoutMs, claimMs } = timing;
  const measures = createMeasures(metrics, clock);
  const telling = { db, logger, measures, claimMs, onTold };

  const slackClient = config.slack && createSlackClient({ ...config.slack, timeoutMs, fetch });
  const slackPosts = createPace(clock, { intervalMs: timing.slackIntervalMs, burst: 4 });
  const slackUpdates = createPace(clock, { intervalMs: timing.slackIntervalMs, burst: 4 });
  const pages = createPace(clock, { intervalMs: timing.pagerDutyIntervalMs, burst: 20 });
  const slack = {
    name: 'slack' as const,
    mode: modeOf(config.slack),
    // News first: a reply leaves half of the burst to incidents that nobody has heard of, and changes of a message in
    // place are counted apart, as Slack itself does.
    paceOf: (kind: MessageKind) =>
      kind === 'updated'
        ? { pace: slackUpdates, keep: 0 }
        : { pace: slackPosts, keep: kind === 'thread-reply' ? 2 : 0 },
    paces: [slackPosts, slackUpdates],
    newsPace: slackPosts,
    mayHaveBeenDone,
    troubles: 0,
    mayBeNoted: true,
    client: slackClient ?? dryRunSlack,
  } satisfies Sink & Record<string, unknown>;
  const pagerduty = {
    name: 'pagerduty' as const,
    mode: modeOf(config.pagerduty),
    paceOf: () => ({ pace: pages, keep: 0 }),
    paces: [pages],
    newsPace: pages,
    // The dedup key makes one alert of any number of events: a repeat shows nothing twice, and what may have been done
    // is resolved like what was.
    mayHaveBeenDone: () => true,
    troubles: 0,
    mayBeNoted: true,
    client: config.pagerduty ? createPagerDutyClient({ ...config.pagerduty, timeoutMs, fetch }) : dryRunPagerDuty,
    minSeverity: config.pagerduty?.minSeverity ?? 'high',
  } satisfies Sink & Record<string, unknown>;
  const sinks = { slack, pagerduty };

  /** An incident changed: tells of it at once where the sink's pace allows, else has it wait for its turn. */
  async function tell(name: SinkName, incident: string): Promise<void> {
    const sink = sinks[name];
    const place = { incident, sink: name, mode: sink.mode };
    failpoint('notifier.before-enter');
    if (sink.mode === 'live' && sink.newsPace.freeInMs() > 0) {
      await park(db, place);
      failpoint('notifier.after-park');
      if (name === 'slack') await fold();
      turns[name].ring();
      return;
    }
    // Both at once: a story that is older than the claim tells nothing that was told before, and what is newer has a job.
    const first = name === 'slack' && sink.mode === 'live' ? 'posted' : undefined;
    const askedMs = clock.nowMs();
    const [claim, story] = await Promise.all([
      takeUp(db, place, randomUUID(), claimMs, first),
      readIncident(db, incident),
    ]);
    failpoint('notifier.after-claim');
    if (claim === undefined) return turns[name].ring();
    // Whoever was held up for long asks whether the claim still holds, as the noting of an intent does.
    const { intended, ...held } = claim;
    const isFresh = clock.nowMs() - askedMs < claimMs / 2;
    await tellIncident(name, isFresh ? claim : held, story);
  }

  /** Brings a claimed telling of an incident in step. `known`: its story, where it was read just now. */
  async function tellIncident(name: SinkName, claim: Claim, known?: IncidentStory): Promise<void> {
    const incident = claim.telling.incident!;
    await bringInStep(telling, sinks[name], claim, async (now) => {
      const story = known ?? (await readIncident(db, incident));
      known = undefined;
      if (story === undefined) return undefined;
      if (name === 'pagerduty') return nextForPagerDuty(story, now.telling, pagerduty);
      const how = { ...slack, nowMs: clock.nowMs(), gathering: timing };
      if (now.telling.digest === null) return nextForSlack(story, now.telling, how);
      if (!isGraver(story.severity, now.telling.severity)) {
        if (story.version > now.telling.version) await parkDigest(db, now.telling.digest);
        return undefined;
      }
      await unfold(db, now);
      return nextForSlack(story, { ...now.telling, digest: null }, how);
    });
  }

  /** What waits has its turn: an incident or, for Slack, a digest. */
  async function takeTurn(name: SinkName, claim: Claim): Promise<void> {
    if (claim.telling.incident !== null) return tellIncident(name, claim);
    await bringInStep(telling, slack, claim, (now) => nextForDigest(db, now.telling, slack));
  }

  const fold = createFolding(async () => {
    const folded = await foldWaiting(db, { above: foldAbove, keep: foldKeeps, mode: slack.mode });
    failpoint('notifier.after-fold');
    if (folded > 0) logger.warn({ folded }, 'so many incidents at once: folded into one message');
    measures.folded(folded);
  });

  /** graphile-worker keeps a dead worker's job for four hours; this has it done as soon as the incident is missed. */
  async function sweep(withinMs: number): Promise<void> {
    const untold = await findUntold(db, { graceMs: claimMs, withinMs });
    if (untold.length > 0) failpoint('notifier.sweeping');
    await addJobs(
      db.pool,
      untold.map(
        ({ incident, sink }) =>
          ({ name: `tell-${sink}`, payload: { incident }, key: `tell-${sink}:${incident}` }) as const,
      ),
    );
  }

  async function keepSweeping(): Promise<void> {
    for (let nth = 1; ; nth += 1) {
      await clock.pause(timing.sweepMs, stopping.signal);
      if (stopping.signal.aborted) return;
      // What changed lately may just have lost its worker; that a job waited for hours before is rare, and costs more to see.
      await sweep(nth % 60 === 0 ? dayMs : 60 * timing.sweepMs).catch((error) =>
        logger.error({ err: error }, 'looking for untold incidents failed'),
      );
    }
  }

  await retryGivenUp(db);
  for (const { name, mode } of Object.values(sinks)) if (mode === 'dry-run') await clearSinkTrouble(db, name);
  await sweep(dayMs);
  const stopping = new AbortController();
  const common = { db, clock, logger, claimMs };
  const turns = {
    slack: takeTurns({ ...common, sink: slack, tell: (claim) => takeTurn('slack', claim) }),
    pagerduty: takeTurns({ ...common, sink: pagerduty, tell: (claim) => takeTurn('pagerduty', claim) }),
  };
  const sweeping = keepSweeping();
  const jobs = await runJobs({
    db,
    logger,
    concurrency,
    handlers: {
      'tell-slack': ({ incident }) => tell('slack', incident),
      'tell-pagerduty': ({ incident }) => tell('pagerduty', incident),
      'tell-slack-digest': ({ digest }) => parkDigest(db, digest),
    },
  });

  const buttons = config.slack && slackClient && { ...config.slack, answers: slackClient };
  let interactions: ReturnType<typeof addInteractions> | undefined;
  return {
    routes: (app) => {
      interactions = addInteractions(app, { db, logger, clock, slack: buttons });
    },
    ready: async () => {
      await db.pool.query('SELECT 1');
    },
    close: async () => {
      stopping.abort();
      await sweeping;
      await jobs.stop();
      await interactions?.settle();
      await Promise.all([turns.slack.stop(), turns.pagerduty.stop()]);
    },
  };
}

function modeOf(settings: object | undefined): Mode {
  return settings === undefined ? 'dry-run' : 'live';
}

function isGraver(severity: Severity, than: Severity | null): boolean {
  return than !== null && severities.indexOf(severity) > severities.indexOf(than);
}

/** Runs `work` one at a time: whoever calls meanwhile waits for one more run that begins after their call. */
function createFolding(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let following: Promise<void> | undefined;
  const start = () => {
    running = work().finally(() => {
      running = undefined;
    });
    return running;
  };
  return () => {
    if (running === undefined) return start();
    following ??= running
      .catch(() => {})
      .then(() => {
        following = undefined;
        return start();
      });
    return following;
  };
}
