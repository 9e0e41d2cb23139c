import type { Metrics } from '@tripline/runtime/metrics';
import { Counter, Gauge, Histogram } from 'prom-client';

/** The metrics of how grants end. @param countLeftAlive asked at each reading of the metrics. */
export function createEndMeasures(metrics: Metrics, countLeftAlive: () => Promise<number>) {
  const registers = [metrics];
  new Gauge({
    name: 'tripline_broker_left_alive',
    help: 'Credentials that should have been dead for a minute, and are not as far as their providers said',
    registers,
    async collect() {
      // Without an answer there is no sample: 0 would say that nothing is alive.
      await countLeftAlive().then(
        (count) => this.set(count),
        () => this.reset(),
      );
    },
  });
  return {
    revocations: new Counter({
      name: 'tripline_broker_revocations_total',
      help: 'Answers of providers to revocations, by why the grant ended and how it went',
      labelNames: ['why', 'outcome'] as const,
      registers,
    }),
    endToDead: new Histogram({
      name: 'tripline_broker_end_to_dead_seconds',
      help: 'Time from when a grant was to end until its provider said that a credential of it is dead',
      buckets: [0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 15, 60, 300, 3600],
      registers,
    }),
    endsHeard: new Counter({
      name: 'tripline_broker_ends_heard_total',
      help: 'Ends of jobs and runs that were received for the first time',
      labelNames: ['of'] as const,
      registers,
    }),
    sweepFound: new Counter({
      name: 'tripline_broker_sweep_found_total',
      help: 'Grants that the sweep ended since nothing else had, by why',
      labelNames: ['why'] as const,
      registers,
    }),
  };
}
export type EndMeasures = ReturnType<typeof createEndMeasures>;
