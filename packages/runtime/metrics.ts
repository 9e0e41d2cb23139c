import { collectDefaultMetrics, Registry } from 'prom-client';

export type Metrics = Registry;

/** A registry for one process; each room registers its own counters in it. Prometheus text on `GET /metrics`. */
export function createMetrics(options: { service: string }): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service: options.service });
  collectDefaultMetrics({ register: registry });
  return registry;
}
