import { collectDefaultMetrics, Registry } from 'prom-client';

export type Metrics = Registry;

/**
 * A metrics registry for one process; each service registers its own metrics in it. Served as Prometheus text on `GET
 * /metrics`.
 */
export function createMetrics(options: { service: string }): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service: options.service });
  collectDefaultMetrics({ register: registry });
  return registry;
}
