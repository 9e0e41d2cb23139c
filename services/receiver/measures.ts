import type { Metrics } from '@tripline/runtime/metrics';
import type { RefusalReason } from '@tripline/sources/refusal';
import type { IgnoredReason } from '@tripline/sources/source';
import { Counter, Gauge, Histogram } from 'prom-client';

/** What became of a delivery. `spooled` is kept too, on this machine's disk. */
export type DeliveryOutcome = 'kept' | 'spooled' | 'duplicate' | 'ignored' | 'refused';

/** What became of a dead letter. `over-rate`: too many came; the next that is kept says how many. */
export type DeadLetterOutcome = 'kept' | 'over-rate' | 'too-large';

/** The receiver's metrics. Every label is of a bounded list. */
export function createMeasures(metrics: Metrics, spoolBytes: () => number) {
  const deliveries = new Counter({
    name: 'tripline_receiver_deliveries_total',
    help: 'Webhook deliveries, by source, outcome and the reason of ignored and refused ones',
    labelNames: ['source', 'outcome', 'reason'] as const,
    registers: [metrics],
  });
  const deadLetters = new Counter({
    name: 'tripline_receiver_dead_letters_total',
    help: 'Parts of genuine deliveries that could not be read, by source and whether a dead letter of them is kept',
    labelNames: ['source', 'outcome'] as const,
    registers: [metrics],
  });
  const append = new Histogram({
    name: 'tripline_receiver_append_duration_seconds',
    help: 'Time until the log acknowledged an append of a batch',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers: [metrics],
  });
  new Gauge({
    name: 'tripline_receiver_spool_bytes',
    help: 'Size of the events spooled on disk until the log accepts them',
    registers: [metrics],
    collect() {
      this.set(spoolBytes());
    },
  });
  return {
    count: (source: string, outcome: DeliveryOutcome, reason: IgnoredReason | RefusalReason | '' = '') =>
      deliveries.inc({ source, outcome, reason }),
    deadLetter: (source: string, outcome: DeadLetterOutcome) => deadLetters.inc({ source, outcome }),
    observeAppend: (seconds: number) => append.observe(seconds),
  };
}
