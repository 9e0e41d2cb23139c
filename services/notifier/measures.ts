import type { Outcome } from '@tripline/integrations/outcome';
import type { Clock } from '@tripline/runtime/clock';
import type { Metrics } from '@tripline/runtime/metrics';
import { Counter, Histogram } from 'prom-client';
import type { OpenChannel } from './channels.ts';

export function createMeasures(metrics: Metrics, clock: Clock) {
  const notifications = new Counter({
    name: 'tripline_notifier_notifications_total',
    help: 'Messages sent or tried, by notification channel and outcome',
    labelNames: ['channel', 'mode', 'outcome', 'reason'],
    registers: [metrics],
  });
  const latency = new Histogram({
    name: 'tripline_notifier_notification_latency_seconds',
    help: 'Time from the recording of a finding to the message that reports it',
    labelNames: ['channel'],
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15, 60, 300, 3600],
    registers: [metrics],
  });
  const grouped = new Counter({
    name: 'tripline_notifier_incidents_grouped_total',
    help: 'Incidents reported in a digest message instead of one of their own',
    registers: [metrics],
  });
  return {
    sent({ name, mode }: OpenChannel, { kind, reason }: Outcome) {
      notifications.inc({ channel: name, mode, outcome: kind, reason: reason ?? 'none' });
    },
    /** `recordedMs`: when each finding that the message reports first was recorded. */
    latency({ name }: OpenChannel, recordedMs: readonly number[]) {
      for (const ms of recordedMs) latency.observe({ channel: name }, Math.max(0, clock.nowMs() - ms) / 1000);
    },
    grouped(count: number) {
      grouped.inc(count);
    },
  };
}
export type Measures = ReturnType<typeof createMeasures>;
