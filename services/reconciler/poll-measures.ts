import type { Db } from '@tripline/db/database';
import type { Clock } from '@tripline/runtime/clock';
import type { Metrics } from '@tripline/runtime/metrics';
import type { IgnoredReason } from '@tripline/sources/source';
import { Counter, Gauge } from 'prom-client';
import { readLags } from './store/polls.ts';

/** What is counted of feeds that are asked. Every label is of a bounded list. */
export function createPollMeasures(metrics: Metrics, db: Db, clock: Clock) {
  const registers = [metrics];
  const rounds = new Counter({
    name: 'tripline_reconciler_feed_polls_total',
    help: 'Rounds of reading a polled feed, by feed and outcome',
    labelNames: ['feed', 'outcome'] as const,
    registers,
  });
  const records = new Counter({
    name: 'tripline_reconciler_feed_records_total',
    help: 'Records read from polled feeds, by feed, outcome and the reason of those that were left out',
    labelNames: ['feed', 'outcome', 'reason'] as const,
    registers,
  });
  const deadLetters = new Counter({
    name: 'tripline_reconciler_feed_dead_letters_total',
    help: 'Records of polled feeds that could not be read, by feed and whether a dead letter of them is kept',
    labelNames: ['feed', 'outcome'] as const,
    registers,
  });
  const lost = new Counter({
    name: 'tripline_reconciler_feed_lost_seconds_total',
    help: 'Time of which a polled feed kept no records any more when it was read',
    labelNames: ['feed'] as const,
    registers,
  });
  new Gauge({
    name: 'tripline_reconciler_feed_lag_seconds',
    help: 'How long ago it is up to when a polled feed is read whole',
    labelNames: ['feed'] as const,
    registers,
    async collect() {
      this.reset();
      for (const { feed, seconds } of await readLags(db, clock.nowMs())) this.set({ feed }, seconds);
    },
  });
  return {
    round: (feed: string, outcome: 'done' | 'unfinished' | 'rate-limited' | 'failed') => rounds.inc({ feed, outcome }),
    records: (feed: string, outcome: 'kept' | 'duplicate', count: number) =>
      records.inc({ feed, outcome, reason: '' }, count),
    leftOut: (feed: string, reason: IgnoredReason) => records.inc({ feed, outcome: 'ignored', reason }),
    deadLetters: (feed: string, outcome: 'kept' | 'over-rate', count: number) =>
      deadLetters.inc({ feed, outcome }, count),
    lost: (feed: string, seconds: number) => lost.inc({ feed }, seconds),
  };
}
export type PollMeasures = ReturnType<typeof createPollMeasures>;
