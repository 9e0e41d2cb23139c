import type { Db } from '@tripline/db/database';
import type { Outcome } from '@tripline/integrations/outcome';
import type { Metrics } from '@tripline/runtime/metrics';
import { Counter, Gauge } from 'prom-client';
import { countMissing } from './store/undelivered.ts';

/** What the reconciler counts. */
export function createMeasures(metrics: Metrics, db: Db) {
  const registers = [metrics];
  const read = new Counter({
    name: 'tripline_reconciler_attempts_read_total',
    help: "Delivery attempts read from GitHub's lists",
    registers,
  });
  const requested = new Counter({
    name: 'tripline_reconciler_redeliveries_total',
    help: 'Redelivery requests to GitHub, by outcome',
    labelNames: ['outcome', 'reason'],
    registers,
  });
  const recovered = new Counter({
    name: 'tripline_reconciler_recovered_total',
    help: 'Missing deliveries that have arrived since',
    registers,
  });
  const lost = new Counter({
    name: 'tripline_reconciler_lost_total',
    help: 'Deliveries that GitHub no longer offers and that no attempt delivered',
    registers,
  });
  const checks = new Counter({
    name: 'tripline_reconciler_checks_total',
    help: 'Checks of a webhook for missing deliveries, by outcome',
    labelNames: ['outcome'],
    registers,
  });
  new Gauge({
    name: 'tripline_reconciler_missing_deliveries',
    help: 'Deliveries that no attempt has delivered so far',
    registers,
    async collect() {
      this.set(await countMissing(db));
    },
  });
  return {
    seen: (count: number) => read.inc(count),
    asked: ({ kind, reason }: Outcome) => requested.inc({ outcome: kind, reason: reason ?? 'none' }),
    made: (count: number) => recovered.inc(count),
    lost: (count: number) => lost.inc(count),
    round: (end: 'done' | 'unfinished' | 'failed') => checks.inc({ outcome: end }),
  };
}
export type Measures = ReturnType<typeof createMeasures>;
