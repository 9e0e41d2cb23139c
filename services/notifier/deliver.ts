import { isGraver, type Severity } from '@tripline/contracts/finding';
import type { ChannelName, MessageKind, Mode } from '@tripline/contracts/notification';
import type { Db } from '@tripline/db/database';
import { clearChannelTrouble, mendedByPeople, noteChannelTrouble } from '@tripline/health/channel-troubles';
import { type IncidentDetails, readIncident } from '@tripline/incidents/incidents';
import type { Batching, Comparison, Message, MessageBody, SendResult } from '@tripline/integrations/channel';
import type { Outcome } from '@tripline/integrations/outcome';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import { blockChannel, type OpenChannel } from './channels.ts';
import type { Measures } from './measures.ts';
import { toSnapshot } from './snapshot.ts';
import { readDigest, recordDigestNews, recordDigestPages, splitFromDigest } from './store/digests.ts';
import {
  type Claim,
  deferDigest,
  forgetMessage,
  noteIntent,
  recordFailure,
  recordSent,
  recordSkipped,
  releaseClaim,
} from './store/messages.ts';

/** What every stage needs. */
export type DeliveryParts = {
  db: Db;
  clock: Clock;
  logger: Logger;
  measures: Measures;
  /** How long a claim lasts without being renewed. */
  claimMs: number;
  batching: Batching;
  onSent: ((sent: SentNotification) => void) | undefined;
};

/** A message that was sent or, in a dry run, would have been; passed to whoever displays it. */
export type SentNotification = {
  incident: string | null;
  channel: ChannelName;
  kind: MessageKind;
  mode: Mode;
  line: string;
  body: MessageBody;
};

/** One claimed notification on its way through the stages. */
type Delivery = {
  channel: OpenChannel;
  /** Replaced by each stage with what it wrote to Postgres. */
  claim: Claim;
  /** The incident, where it was read together with the claim; used by the first comparison. */
  incident: IncidentDetails | undefined;
  /** When each finding was recorded that no message has reported yet, ms. */
  unreportedMs: readonly number[];
};

/** What follows: another comparison, nothing until the incident changes, or another attempt after `afterMs`. */
type Next = { kind: 'compare' } | { kind: 'in-sync' } | { kind: 'later'; afterMs: number };

const again: Next = { kind: 'compare' };
const backoffMs = [1000, 2000, 5000, 15_000, 60_000, 300_000];
/** Pause after another worker took over the claim; it sends first. */
const claimLostMs = 50;
/** Pause after a 429, unless the service names one. */
const rateLimitedMs = 30_000;
/** A channel that a person must fix is tried less often, and gets what it missed within minutes of being fixed. */
const longestBlockMs = { usual: 30_000, mendable: 120_000 };

/**
 * Brings one channel in sync with an incident or digest: compare → limit rate → note intent → render → send → record,
 * until nothing is missing; then the claim is released. No lock and no transaction is held during a call; what is about
 * to be sent is noted before, so that a crash in between is detected.
 * @param incident as it was read together with the claim; absent, it is read.
 */
export async function deliver(
  parts: DeliveryParts,
  channel: OpenChannel,
  claim: Claim,
  incident?: IncidentDetails,
): Promise<void> {
  const delivery: Delivery = { channel, claim, incident, unreportedMs: [] };
  let next: Next = { kind: 'later', afterMs: backoffMs[0]! };
  try {
    do next = await deliverNext(parts, delivery);
    while (next.kind === 'compare');
  } finally {
    await releaseClaim(parts.db, delivery.claim, next.kind === 'later' ? next.afterMs : undefined);
  }
}

async function deliverNext(parts: DeliveryParts, delivery: Delivery): Promise<Next> {
  const comparison = await compare(parts, delivery);
  if (comparison.kind === 'in-sync') return comparison;
  if (comparison.kind === 'skip') return skip(parts, delivery, comparison);
  if (comparison.kind === 'wait') return wait(parts, delivery, comparison.afterMs);
  const { message } = comparison;
  const limitedMs = limitRate(delivery, message);
  if (limitedMs > 0) return wait(parts, delivery, limitedMs);
  const possiblyRepeated = mayRepeat(delivery, message);
  if (!(await noteIntentOf(parts, delivery, message))) return { kind: 'later', afterMs: claimLostMs };
  const body = delivery.channel.render(message, { possiblyRepeated });
  const result = await send(parts, delivery, message, body);
  if (result.outcome.kind === 'done') return record(parts, delivery, { message, body, possiblyRepeated, result });
  return recordFailed(parts, delivery, { message, outcome: result.outcome, possiblyRepeated });
}

/** What the channel lacks of the incident or digest, as Postgres has it now. */
async function compare({ db, clock, batching }: DeliveryParts, delivery: Delivery): Promise<Comparison> {
  const { channel, claim } = delivery;
  const { notification } = claim;
  const now = { nowMs: clock.nowMs(), batching };
  delivery.unreportedMs = [];
  if (notification.incident === null) {
    const digest = await readDigest(db, notification.id);
    return channel.compareDigest?.(digest, notification, now) ?? { kind: 'in-sync' };
  }
  const incident = delivery.incident ?? (await readIncident(db, notification.incident));
  delivery.incident = undefined;
  if (incident === undefined) return { kind: 'in-sync' };
  if (notification.digest !== null) {
    if (!hasRisen(incident.severity, notification.digestSeverity)) {
      if (incident.version > notification.version) await deferDigest(db, notification.digest);
      return { kind: 'in-sync' };
    }
    await splitFromDigest(db, claim);
  }
  delivery.unreportedMs = unreported(incident, notification.sentAt);
  return channel.compare(toSnapshot(incident), notification, now);
}

/** When each finding was recorded that no message reports yet, ms. */
function unreported({ findings }: IncidentDetails, sentAt: Date | null): number[] {
  const sentMs = sentAt?.getTime() ?? 0;
  return findings.map(({ recordedAt }) => Date.parse(recordedAt)).filter((recordedMs) => recordedMs > sentMs);
}

const hasRisen = (severity: Severity, since: Severity | null): boolean => since !== null && isGraver(severity, since);

/** Nothing need be sent. */
async function skip(
  { db }: DeliveryParts,
  delivery: Delivery,
  { after }: Comparison & { kind: 'skip' },
): Promise<Next> {
  delivery.claim = await recordSkipped(db, delivery.claim, after);
  return again;
}

/** Nothing is sent for now; an intent that was noted with the claim is cleared. */
async function wait({ db, claimMs }: DeliveryParts, delivery: Delivery, afterMs: number): Promise<Next> {
  const { intended, ...claim } = delivery.claim;
  delivery.claim = claim;
  if (intended !== undefined) await noteIntent(db, claim, null, claimMs);
  return { kind: 'later', afterMs };
}

/** 0: the call may be made, and is counted. Otherwise ms until it may. */
function limitRate({ channel }: Delivery, { kind }: Message): number {
  if (channel.mode === 'dry-run') return 0;
  const { limit, reserve } = channel.limitOf(kind);
  return channel.limiters[limit]!.admit({ reserve });
}

/** The same was about to be sent before, and nobody knows whether it was. */
function mayRepeat({ claim }: Delivery, message: Message): boolean {
  return message.repeats && claim.notification.intent === intentOf(message);
}

function intentOf({ intent, kind }: Message): string {
  return intent ?? kind;
}

/** Notes what is about to be sent, unless it was noted with the claim. False: the claim is lost; nothing may be sent. */
async function noteIntentOf({ db, claimMs }: DeliveryParts, delivery: Delivery, message: Message): Promise<boolean> {
  const { intended, ...claim } = delivery.claim;
  delivery.claim = claim;
  const intent = intentOf(message);
  const isNoted = intended === intent || (await noteIntent(db, claim, intent, claimMs));
  return isNoted;
}

async function send(
  { measures }: DeliveryParts,
  { channel }: Delivery,
  message: Message,
  body: MessageBody,
): Promise<SendResult> {
  const result = await channel.send(message, body);
  measures.sent(channel, result.outcome);
  return result;
}

async function record(
  { db, measures, onSent }: DeliveryParts,
  delivery: Delivery,
  sent: { message: Message; body: MessageBody; possiblyRepeated: boolean; result: SendResult },
): Promise<Next> {
  const { channel } = delivery;
  const { message, body, possiblyRepeated, result } = sent;
  const { kind, line, digested } = message;
  const { incident } = delivery.claim.notification;
  channel.failuresInARow = 0;
  const progress = result.reference ? { ...message.after, reference: result.reference } : message.after;
  const stored = { kind, mode: channel.mode, body, possiblyRepeated };
  delivery.claim = await recordSent(db, delivery.claim, stored, progress);
  if (digested !== undefined) {
    if ('news' in digested) await recordDigestNews(db, delivery.claim, channel.mode, digested.news);
    else await recordDigestPages(db, delivery.claim, digested.pages);
  }
  if (message.isNews) measures.latency(channel, delivery.unreportedMs);
  if (channel.mayHaveTrouble) await clearChannelTrouble(db, channel.name);
  channel.mayHaveTrouble = false;
  onSent?.({ incident, channel: channel.name, kind, mode: channel.mode, line, body });
  return again;
}

/** A call that did not succeed: the message is posted again, given up, or tried again later. */
async function recordFailed(
  parts: DeliveryParts,
  delivery: Delivery,
  failed: { message: Message; outcome: Exclude<Outcome, { kind: 'done' }>; possiblyRepeated: boolean },
): Promise<Next> {
  const { db, logger } = parts;
  const { message, outcome } = failed;
  const { channel, claim } = delivery;
  const { incident } = claim.notification;
  const about = { incident, channel: channel.name, kind: message.kind, reason: outcome.reason };
  if (outcome.kind === 'give-up' && outcome.reason === 'message-gone' && message.replaceable) {
    logger.warn(about, `the message to change or answer is gone; posting it again: ${outcome.message}`);
    delivery.claim = await forgetMessage(db, claim);
    return again;
  }
  if (outcome.kind === 'give-up' && !mendedByPeople.has(outcome.reason)) {
    logger.error(about, `sending a message failed; not retrying it: ${outcome.message}`);
    const progress = message.givenUp ?? { version: message.version };
    delivery.claim = await recordSkipped(db, claim, progress, outcome.reason);
    return message.givenUp === undefined ? { kind: 'in-sync' } : again;
  }
  return retry(parts, delivery, failed);
}

async function retry(
  { db, logger }: DeliveryParts,
  { channel, claim }: Delivery,
  failed: { message: Message; outcome: Exclude<Outcome, { kind: 'done' }>; possiblyRepeated: boolean },
): Promise<Next> {
  const { message, outcome, possiblyRepeated } = failed;
  const { reason } = outcome;
  const isMendable = mendedByPeople.has(reason);
  const askedAfterMs = outcome.kind === 'retry' ? outcome.afterMs : undefined;
  if (reason === 'rate-limited') {
    const { limit } = channel.limitOf(message.kind);
    channel.limiters[limit]!.block(askedAfterMs ?? rateLimitedMs);
  } else {
    backOff(channel, isMendable ? longestBlockMs.mendable : longestBlockMs.usual);
    channel.mayHaveTrouble = true;
    await noteChannelTrouble(db, channel.name, reason);
  }
  await recordFailure(db, claim, reason, channel.mayHaveBeenDone(reason) || possiblyRepeated);
  const { failures, incident } = claim.notification;
  const afterMs = askedAfterMs ?? backoffMs[Math.min(failures, backoffMs.length - 1)]!;
  const about = { incident, channel: channel.name, kind: message.kind, reason, afterMs };
  const text = `sending a message failed; retrying in ${afterMs / 1000} s: ${outcome.message ?? reason}`;
  logger[isMendable ? 'error' : 'warn'](about, text);
  return { kind: 'later', afterMs };
}

/** A service that keeps failing is called less and less often: nothing else is sent to it meanwhile. */
function backOff(channel: OpenChannel, longestMs: number): void {
  channel.failuresInARow += 1;
  const nth = channel.failuresInARow;
  const blockMs = nth < 2 ? 0 : (backoffMs[nth - 2] ?? longestMs);
  blockChannel(channel, Math.min(blockMs, longestMs));
}
