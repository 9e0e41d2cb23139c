import type { Effects } from '@tripline/engine/effects';
import type { Recorded } from '@tripline/incidents/record-findings';
import type { Metrics } from '@tripline/runtime/metrics';
import { Counter, Gauge, Histogram } from 'prom-client';

/** What the detector counts. Labels are bounded: rules, severities and partitions are few. */
export function createMeasures(metrics: Metrics) {
  const registers = [metrics];
  const records = new Counter({ name: 'tripline_detector_records_total', help: 'Records done with', registers });
  const duplicates = new Counter({ name: 'tripline_detector_duplicates_total', help: 'Events dropped', registers });
  const repeated = new Counter({
    name: 'tripline_detector_repeated_total',
    help: 'Events whose body was heard before under another delivery id',
    registers,
  });
  const changes = new Counter({
    name: 'tripline_detector_changes_total',
    help: 'Changes of keyed state and timers',
    registers,
  });
  const found = new Counter({
    name: 'tripline_findings_total',
    help: 'Findings by rule and severity, silenced ones among them',
    labelNames: ['rule', 'severity'],
    registers,
  });
  const settled = new Counter({
    name: 'tripline_findings_settled_total',
    help: 'Findings recorded, by what became of them at once',
    labelNames: ['as'],
    registers,
  });
  const poison = new Counter({
    name: 'tripline_detector_poison_total',
    help: 'Records set aside, by the rule that threw; `none` when nobody can read them',
    labelNames: ['rule'],
    registers,
  });
  const logTime = new Gauge({
    name: 'tripline_detector_log_time_seconds',
    help: "The log's time up to which a partition was judged, seconds since the epoch",
    labelNames: ['partition'],
    registers,
  });
  const seconds = new Histogram({
    name: 'tripline_detector_batch_seconds',
    help: 'From a batch handed over to its commit',
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers,
  });
  return {
    batch(partition: number, effects: Effects, recorded: Recorded, tookMs: number): void {
      records.inc(effects.counts.records);
      duplicates.inc(effects.counts.duplicates);
      repeated.inc(effects.counts.repeated);
      changes.inc(effects.state.length + effects.timers.length);
      for (const verdict of effects.verdicts) {
        if (verdict.kind === 'found') found.inc({ rule: verdict.finding.rule, severity: verdict.finding.severity });
      }
      for (const as of ['found', 'silenced', 'withdrawn', 'reinstated', 'proven', 'lowered'] as const)
        settled.inc({ as }, recorded[as]);
      for (const { rule } of effects.poison) poison.inc({ rule: rule ?? 'none' });
      logTime.set({ partition: String(partition) }, effects.logTimeMs / 1000);
      seconds.observe(tookMs / 1000);
    },
  };
}
