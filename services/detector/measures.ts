import type { Effects } from '@tripline/engine/effects';
import type { Recorded } from '@tripline/incidents/apply-verdicts';
import type { Metrics } from '@tripline/runtime/metrics';
import { Counter, Gauge, Histogram } from 'prom-client';

/** What the detector counts. Labels are bounded: rules, severities and partitions are few. */
export function createMeasures(metrics: Metrics) {
  const registers = [metrics];
  const records = new Counter({ name: 'tripline_detector_records_total', help: 'Log records processed', registers });
  const duplicates = new Counter({
    name: 'tripline_detector_duplicates_total',
    help: 'Events dropped since their id was processed before',
    registers,
  });
  const repeated = new Counter({
    name: 'tripline_detector_repeated_deliveries_total',
    help: 'Events whose body was received before under another delivery id',
    registers,
  });
  const stateChanges = new Counter({
    name: 'tripline_detector_state_changes_total',
    help: 'Changes to keyed state and timers',
    registers,
  });
  const found = new Counter({
    name: 'tripline_detector_findings_total',
    help: 'Findings made, by rule and severity; silenced findings are included',
    labelNames: ['rule', 'severity'],
    registers,
  });
  const findingChanges = new Counter({
    name: 'tripline_detector_finding_changes_total',
    help: 'Changes to findings recorded: found, silenced, retracted, reinstated, proven, lowered, grown, excepted or superseded',
    labelNames: ['change'],
    registers,
  });
  const deadLetters = new Counter({
    name: 'tripline_detector_dead_letters_total',
    help: 'Records dead-lettered, by the rule that threw; `none` when the record could not be read',
    labelNames: ['rule'],
    registers,
  });
  const logTime = new Gauge({
    name: 'tripline_detector_log_timestamp_seconds',
    help: 'Log time up to which a partition was processed, as Unix time',
    labelNames: ['partition'],
    registers,
  });
  const seconds = new Histogram({
    name: 'tripline_detector_batch_duration_seconds',
    help: 'Time from receiving a batch to its commit',
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers,
  });
  const ruleSet = new Gauge({
    name: 'tripline_detector_rule_set_info',
    help: 'Always 1; the label names the set of rules and their settings that is in force',
    labelNames: ['version'],
    registers,
  });
  return {
    ruleSet(version: string): void {
      ruleSet.reset();
      ruleSet.set({ version }, 1);
    },
    batch(partition: number, effects: Effects, recorded: Recorded, tookMs: number): void {
      records.inc(effects.counts.records);
      duplicates.inc(effects.counts.duplicates);
      repeated.inc(effects.counts.repeated);
      stateChanges.inc(effects.state.length + effects.timers.length);
      for (const verdict of effects.verdicts) {
        if (verdict.kind === 'found') found.inc({ rule: verdict.finding.rule, severity: verdict.finding.severity });
      }
      for (const change of [
        'found',
        'silenced',
        'retracted',
        'reinstated',
        'proven',
        'lowered',
        'grown',
        'excepted',
        'superseded',
      ] as const)
        findingChanges.inc({ change }, recorded[change]);
      for (const { rule } of effects.poison) deadLetters.inc({ rule: rule ?? 'none' });
      logTime.set({ partition: String(partition) }, effects.logTimeMs / 1000);
      seconds.observe(tookMs / 1000);
    },
  };
}
