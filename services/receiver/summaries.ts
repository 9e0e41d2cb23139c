import { randomUUID } from 'node:crypto';
import { receiverWorkspace, type TriplineEvent } from '@tripline/contracts/event';
import { toEventRecord } from '@tripline/contracts/event-record';
import type { Clock } from '@tripline/runtime/clock';
import type { RefusalReason } from '@tripline/sources/refusal';
import type { IgnoredReason } from '@tripline/sources/source';
import type { NewRecord } from '@tripline/stream/stream';
import { topics } from '@tripline/stream/stream';

type Summary = TriplineEvent<'dev.cdeventsx.tripline-deliveries.summarized'>;
type Count = Summary['data']['tripline.deliveries.counts'][number];
type Entry = Summary['data']['tripline.deliveries.recent'][number];

/** A delivery that was not kept. */
export type NotedDelivery = {
  source: string;
  outcome: 'ignored' | 'refused';
  reason: IgnoredReason | RefusalReason;
  /** Wall clock at receipt, ms since the epoch. */
  atMs: number;
  /** What it says of itself, once its signature fits; absent while anybody may have sent it. */
  claims?: { delivery?: string | undefined; event?: string | undefined; organization?: string | undefined };
};

/** How often something is appended at most, in ms. */
const genuineEveryMs = 1000;
/**
 * Where only unproved requests are to be summarised, and while the log is away: what fills the spool crowds out
 * deliveries.
 */
const rareEveryMs = 60_000;
/** How many deliveries one record names; the others are counted. */
const namedGenuine = 20;
const namedStrangers = 3;

/**
 * Accounts for what is not kept, so that the trail says what became of each delivery: how many by reason, and of the
 * newest which ones. Bounded whatever comes, in memory, in records a minute, and in the size of a record; an unproved
 * request only raises a count. No answer to a sender waits for it.
 */
export function createSummaries(options: {
  append: (record: NewRecord) => Promise<unknown>;
  /** True while the log is away. */
  behind: () => boolean;
  clock: Clock;
}) {
  const { append, behind, clock } = options;
  const stopping = new AbortController();
  const counts = new Map<string, Count>();
  let genuine: Entry[] = [];
  let strangers: Entry[] = [];
  let hasGenuine = false;
  let sinceMs = 0;
  let rareMs = Number.NEGATIVE_INFINITY;
  let running: Promise<void> | undefined;

  function count(one: Count): void {
    const name = `${one.source} ${one.outcome} ${one.reason}`;
    const counted = counts.get(name);
    if (counted === undefined) counts.set(name, one);
    else {
      counted.count += one.count;
      if (one.lastAt > counted.lastAt) counted.lastAt = one.lastAt;
    }
  }

  function isDue(): boolean {
    return (hasGenuine && !behind()) || clock.nowMs() - rareMs >= rareEveryMs;
  }

  async function summarize(): Promise<void> {
    const nowMs = clock.nowMs();
    const counted = [...counts.values()];
    const event: Summary = {
      id: `receiver:${randomUUID()}`,
      source: '//tripline/receiver',
      type: 'dev.cdeventsx.tripline-deliveries.summarized',
      time: new Date(nowMs).toISOString(),
      workspace: receiverWorkspace,
      trust: 'low',
      data: {
        'tripline.deliveries.since': new Date(sinceMs).toISOString(),
        'tripline.deliveries.counts': counted,
        'tripline.deliveries.recent': [...genuine, ...strangers],
      },
    };
    if (!hasGenuine || behind()) rareMs = nowMs;
    counts.clear();
    genuine = [];
    strangers = [];
    hasGenuine = false;
    const before = sinceMs;
    try {
      await append({ topic: topics.events, ...toEventRecord(event) });
    } catch {
      // Neither log nor spool has room: the counts are kept, and reported later.
      for (const one of counted) count(one);
      sinceMs = before;
    }
  }

  async function run(): Promise<void> {
    while (counts.size > 0 && !stopping.signal.aborted) {
      await clock.pause(genuineEveryMs, stopping.signal);
      if (!stopping.signal.aborted && isDue()) await summarize();
    }
    running = undefined;
  }

  return {
    note({ source, outcome, reason, atMs, claims }: NotedDelivery): void {
      if (counts.size === 0) sinceMs = atMs;
      count({ source, outcome, reason, count: 1, lastAt: new Date(atMs).toISOString() });
      if (claims) hasGenuine = true;
      const [list, limit] = claims ? [genuine, namedGenuine] : [strangers, namedStrangers];
      if (list.length < limit) list.push(entryOf({ source, outcome, reason, atMs, ...(claims && { claims }) }));
      running ??= run();
    },
    /** Appends what is left. Call while the log can still be appended to. */
    async close(): Promise<void> {
      stopping.abort();
      await running;
      if (counts.size > 0) await summarize();
    },
  };
}

function entryOf({ source, outcome, reason, atMs, claims }: NotedDelivery): Entry {
  const entry: Entry = { source, outcome, reason, time: new Date(atMs).toISOString(), genuine: claims !== undefined };
  if (claims?.delivery !== undefined) entry.delivery = claims.delivery;
  if (claims?.event !== undefined) entry.event = claims.event;
  if (claims?.organization !== undefined) entry.organization = claims.organization;
  return entry;
}
