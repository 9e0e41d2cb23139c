import { randomUUID } from 'node:crypto';
import type { Config } from '@tripline/config/config';
import { checkAnswers } from '@tripline/db/check-answers';
import type { Db } from '@tripline/db/database';
import { workQueue } from '@tripline/db/work-queue';
import { clearChannelTrouble } from '@tripline/health/channel-troubles';
import { readIncident } from '@tripline/incidents/incidents';
import type { Batching } from '@tripline/integrations/channel';
import { channels as registeredChannels } from '@tripline/integrations/channels';
import { createSlackClient } from '@tripline/integrations/slack/client';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { Metrics } from '@tripline/runtime/metrics';
import type { FastifyInstance } from 'fastify';
import { addAccessCommands } from './access-commands.ts';
import { tellAsked } from './ask.ts';
import { firstMessageInMs, type OpenChannel, openChannels } from './channels.ts';
import { coalesce } from './coalesce.ts';
import { type DeliveryParts, deliver, type SentNotification } from './deliver.ts';
import { addInteractions } from './interactions.ts';
import { createMeasures } from './measures.ts';
import { pollQueue, type Queue } from './queue.ts';
import { groupIntoDigest } from './store/digests.ts';
import { claimNotification, deferNotification, retryGivenUp } from './store/messages.ts';

export type NotifierParts = {
  config: Config;
  db: Db;
  logger: Logger;
  clock: Clock;
  metrics: Metrics;
  /** Called with every message that was sent or, in a dry run, would have been; for a terminal. */
  onSent?: (sent: SentNotification) => void;
  timing?: Partial<NotifierTiming>;
  /** Replaces the HTTP client, in tests; without it only the channels' own services can be called. */
  fetch?: typeof globalThis.fetch;
};

/** Times that tests shorten. */
export type NotifierTiming = Batching & {
  /** How long one call may take. */
  timeoutMs: number;
  /** How long a claim lasts without being renewed; longer than a call takes. */
  claimMs: number;
  /** Replaces a channel's own interval between calls, by channel name. */
  intervalMs: Readonly<Record<string, number>>;
};

export type Notifier = {
  /** Mounts `POST /slack/interactions` and `POST /slack/commands`. Before `listen`. */
  routes: (app: FastifyInstance) => void;
  /** Resolves when the database answers; rejects with the reason. */
  ready: () => Promise<void>;
  /** Waits for the calls under way, then stops. */
  close: () => Promise<void>;
};

/**
 * When more incidents than this wait for their first message, they are grouped in one message, except the most severe
 * (`groupKeeps`).
 */
export const groupAbove = 20;
export const groupKeeps = 5;
/** Concurrent deliveries: more than one unresponsive channel can occupy before its back-off begins. */
const concurrency = 12;
/** Slack takes a message a second and a channel. */
const asksAtOnce = 2;

const usualTiming: NotifierTiming = {
  timeoutMs: 10_000,
  claimMs: 20_000,
  intervalMs: {},
  gatherMs: 2000,
  restMs: 30_000,
  openingMs: 60_000,
};

/**
 * Notifies people of incidents, and keeps every channel in sync with Postgres: claim → compare → limit rate → note
 * intent → render → send → record ({@link deliver}). The queue says which incidents changed; what cannot be sent to a
 * channel immediately waits for that channel in the table `told`. Starts with creation.
 */
export async function createNotifier(parts: NotifierParts): Promise<Notifier> {
  const { config, db, logger, clock, metrics, onSent, fetch } = parts;
  const timing = { ...usualTiming, ...parts.timing };
  const { timeoutMs, claimMs, intervalMs } = timing;
  const measures = createMeasures(metrics, clock);
  const delivery: DeliveryParts = { db, clock, logger, measures, claimMs, batching: timing, onSent };
  const channels = openChannels(await Promise.all(registeredChannels.map(({ load }) => load())), config, clock, {
    timeoutMs,
    intervalMs,
    fetch,
  });

  await retryGivenUp(db);
  for (const { name, mode } of channels) if (mode === 'dry-run') await clearChannelTrouble(db, name);
  const routes = channels.map(
    (channel): Route => ({
      channel,
      queue: pollQueue({ db, clock, logger, claimMs, channel, deliver: (claim) => deliver(delivery, channel, claim) }),
      group: coalesce(() => groupStorm(delivery, channel)),
    }),
  );
  const incidents = await workQueue({
    ...{ db, logger, concurrency, purpose: 'notify' },
    handle: (incident) => notifyAll(delivery, routes, incident),
  });

  const client = config.slack && createSlackClient({ ...config.slack, timeoutMs, fetch });
  const slack = config.slack && client && { ...config.slack, answers: client, direct: client };
  const asks = await workQueue({
    ...{ db, logger, concurrency: asksAtOnce, purpose: 'prompt' },
    handle: (item) => tellAsked({ db, clock, logger, slack }, item),
  });
  let interactions: ReturnType<typeof addInteractions> | undefined;
  return {
    routes: (app) => {
      interactions = addInteractions(app, { db, logger, clock, slack });
      addAccessCommands(app, { config, db, logger, clock });
    },
    ready: async () => {
      await checkAnswers(db);
    },
    close: async () => {
      await incidents.stop();
      await asks.stop();
      await interactions?.settle();
      await Promise.all(routes.map(({ queue }) => queue.stop()));
    },
  };
}

/** A channel with its queue. */
type Route = { channel: OpenChannel; queue: Queue; group: () => Promise<void> };

/**
 * Brings every channel in sync with a changed incident, none of them waiting for another. The incident is read once.
 */
async function notifyAll(parts: DeliveryParts, routes: readonly Route[], incident: string): Promise<void> {
  let reading: ReturnType<typeof readIncident> | undefined;
  const read = () => {
    reading ??= readIncident(parts.db, incident);
    return reading;
  };
  const settled = await Promise.allSettled(routes.map((route) => notify(parts, route, incident, read)));
  const failed = settled.find(({ status }) => status === 'rejected');
  // The incident is queued again; a channel that is in sync by then sends nothing.
  if (failed?.status === 'rejected') throw failed.reason;
}

/** Delivers an incident at once where the channel's rate limit allows, else queues it. */
async function notify(
  parts: DeliveryParts,
  { channel, queue, group }: Route,
  incident: string,
  read: () => ReturnType<typeof readIncident>,
): Promise<void> {
  const { db, clock, claimMs } = parts;
  const place = { incident, channel: channel.name, mode: channel.mode };
  if (firstMessageInMs(channel) > 0) {
    await deferNotification(db, place);
    if (channel.compareDigest !== undefined) await group();
    queue.wake();
    return;
  }
  // Claim and incident are read concurrently: an incident older than the claim reports nothing twice, and for a newer
  // change a queue entry exists.
  const first = channel.mode === 'live' ? channel.firstMessage : undefined;
  const askedMs = clock.nowMs();
  const [claim, known] = await Promise.all([claimNotification(db, place, randomUUID(), claimMs, first), read()]);
  if (claim === undefined) return queue.wake();
  // After a long delay the claim is checked again, as noting the intent does.
  const { intended, ...held } = claim;
  const isFresh = clock.nowMs() - askedMs < claimMs / 2;
  await deliver(parts, channel, isFresh ? claim : held, known);
}

/** Groups incidents in a digest message when too many wait for their first message. */
async function groupStorm({ db, logger, measures }: DeliveryParts, { mode }: OpenChannel): Promise<void> {
  const grouped = await groupIntoDigest(db, { above: groupAbove, keep: groupKeeps, mode });
  if (grouped > 0)
    logger.warn(
      { incidents: grouped },
      'many incidents wait for their first message; reporting them in one digest message',
    );
  measures.grouped(grouped);
}
