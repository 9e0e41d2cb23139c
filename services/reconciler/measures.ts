import type { Db } from '@tripline/db/database';
import type { Outcome } from '@tripline/integrations/outcome';
import type { Metrics } from '@tripline/runtime/metrics';
import { Counter, Gauge } from 'prom-client';
import { countMissing } from './store/undelivered.ts';

/** What the reconciler counts. */
export function createMeasures(metrics: Metrics, db: Db) {
  const registers = [metrics];
  const seen = new Counter({
    name: 'tripline_reconciler_attempts_seen_total',
    help: "Attempts to deliver that were read in GitHub's lists",
    registers,
  });
  const asked = new Counter({
    name: 'tripline_reconciler_redeliveries_total',
    help: 'Requests to deliver again, by what GitHub made of them',
    labelNames: ['outcome', 'reason'],
    registers,
  });
  const made = new Counter({
    name: 'tripline_reconciler_made_total',
    help: 'Deliveries that were missing and have arrived since',
    registers,
  });
  const lost = new Counter({
    name: 'tripline_reconciler_lost_total',
    help: 'Deliveries that GitHub has forgotten before one attempt was answered 2xx',
    registers,
  });
  const rounds = new Counter({
    name: 'tripline_reconciler_rounds_total',
    help: "Rounds over a webhook's deliveries, by how they ended",
    labelNames: ['end'],
    registers,
  });
  new Gauge({
    name: 'tripline_reconciler_missing',
    help: 'Deliveries of which no attempt was answered 2xx so far',
    registers,
    async collect() {
      this.set(await countMissing(db));
    },
  });
  return {
    seen: (count: number) => seen.inc(count),
    asked: ({ kind, reason }: Outcome) => asked.inc({ outcome: kind, reason: reason ?? 'none' }),
    made: (count: number) => made.inc(count),
    lost: (count: number) => lost.inc(count),
    round: (end: 'done' | 'unfinished' | 'failed') => rounds.inc({ end }),
  };
}
export type Measures = ReturnType<typeof createMeasures>;
