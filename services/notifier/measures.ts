import type { Mode, SinkName } from '@tripline/db/tables/messages';
import type { Outcome } from '@tripline/integrations/outcome';
import type { Clock } from '@tripline/runtime/clock';
import type { Metrics } from '@tripline/runtime/metrics';
import { Counter, Histogram } from 'prom-client';

export function createMeasures(metrics: Metrics, clock: Clock) {
  const told = new Counter({
    name: 'tripline_notifier_told_total',
    help: 'Calls to sinks, by what came of them',
    labelNames: ['sink', 'mode', 'outcome', 'reason'],
    registers: [metrics],
  });
  const latency = new Histogram({
    name: 'tripline_notifier_latency_seconds',
    help: 'From a finding recorded to a message that tells it',
    labelNames: ['sink'],
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15, 60, 300, 3600],
    registers: [metrics],
  });
  const folded = new Counter({
    name: 'tripline_notifier_folded_total',
    help: 'Incidents that were folded into a digest',
    registers: [metrics],
  });
  return {
    told(sink: SinkName, mode: Mode, { kind, reason }: Outcome) {
      told.inc({ sink, mode, outcome: kind, reason: reason ?? 'none' });
    },
    /** `recordedMs`: when each finding that the message tells first was recorded. */
    latency(sink: SinkName, recordedMs: readonly number[]) {
      for (const ms of recordedMs) latency.observe({ sink }, Math.max(0, clock.nowMs() - ms) / 1000);
    },
    folded(count: number) {
      folded.inc(count);
    },
  };
}
export type Measures = ReturnType<typeof createMeasures>;
