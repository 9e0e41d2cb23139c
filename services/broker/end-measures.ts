import type { Metrics } from '@tripline/runtime/metrics';
import { Counter, Gauge, Histogram } from 'prom-client';

type Alive = { leftAlive: number; live: readonly { kind: string; tier: string; count: number }[] };

/** The metrics of how grants end. @param countAlive asked at each reading of the metrics. */
export function createEndMeasures(metrics: Metrics, countAlive: () => Promise<Alive>) {
  const registers = [metrics];
  /** Without an answer there is no sample: 0 would say that nothing is alive. */
  const asked = () => countAlive().catch(() => undefined);
  new Gauge({
    name: 'tripline_broker_live',
    help: 'Credentials that jobs have, by kind and tier; the same of each broker that shares a database',
    labelNames: ['kind', 'tier'] as const,
    registers,
    async collect() {
      const alive = await asked();
      this.reset();
      for (const { count, ...labels } of alive?.live ?? []) this.set(labels, count);
    },
  });
  new Gauge({
    name: 'tripline_broker_left_alive',
    help: 'Credentials that should have been dead for a minute, and are not as far as their providers said',
    registers,
    async collect() {
      const alive = await asked();
      // Not reset(), which sets 0 where there are no labels.
      if (alive === undefined) this.remove();
      else this.set(alive.leftAlive);
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
