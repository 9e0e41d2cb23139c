import type { Metrics } from '@tripline/runtime/metrics';
import { Counter, Histogram } from 'prom-client';

/** The metrics of the gate. */
export function createGateMeasures(metrics: Metrics) {
  const decisions = new Counter({
    name: 'tripline_broker_gate_decisions_total',
    help: 'Questions to the gate of deployments, by what was decided and the first condition that spoke against it',
    labelNames: ['decision', 'condition'] as const,
    registers: [metrics],
  });
  const seconds = new Histogram({
    name: 'tripline_broker_gate_seconds',
    help: 'Time from reading a question to the gate in the log until GitHub took the verdict, waiting for people included',
    buckets: [0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600, 3600],
    registers: [metrics],
  });
  return { decisions, seconds };
}
export type GateMeasures = ReturnType<typeof createGateMeasures>;
