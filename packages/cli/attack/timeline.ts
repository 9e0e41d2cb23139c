import type { Expectation, Scenario, ScenarioStep } from '@tripline/scenarios/scenario';

/** Times of one run of a scenario, in ms of `performance.now()`, so that a change of the wall clock has no effect. */
export type Timeline = {
  /** When the scenario's clock began. */
  startMs: number;
  /** When each step's delivery was sent, by the step's name. */
  sentMs: Map<string, number>;
};

/** How long after the last step an unexpected finding may still arrive, beside the timers of the rules. */
const settlingMs = 1500;
/** How long the expected may take once it is due. */
const patienceMs = 5000;
/** A baseline shortens the timers of its rules; longer ones are not waited for. */
const longestTimerMs = 60_000;

/** The moment from which an expectation's milliseconds count: its deciding step, and for a timer the time that it was due. */
export function dueMs(expectation: Expectation, timeline: Timeline): number | undefined {
  const sent = timeline.sentMs.get(expectation.decidingStep);
  return sent === undefined ? undefined : sent + (expectation.afterMs ?? 0);
}

/**
 * How long to listen after the last step, in ms: `quietMs` before "nothing else" may be said, `mostMs` for all that is
 * expected. `skewMs` is what the log holds its timers back by.
 */
export function listening(
  scenario: Scenario,
  steps: readonly ScenarioStep[],
  settings: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  skewMs: number,
): { quietMs: number; mostMs: number } {
  const lastMs = Math.max(0, ...steps.map((step) => step.atMs));
  const afterLast = scenario.expects.map((expectation) => {
    const step = steps.find((candidate) => candidate.name === expectation.decidingStep);
    return (step?.atMs ?? lastMs) + (expectation.afterMs ?? 0) - lastMs;
  });
  const timers = Object.values(settings).flatMap((ofRule) =>
    Object.entries(ofRule).flatMap(([name, value]) =>
      name.endsWith('Ms') && typeof value === 'number' && value <= longestTimerMs ? [value] : [],
    ),
  );
  const dueMsAfterLast = Math.max(0, ...afterLast) + skewMs;
  const quietMs = Math.max(dueMsAfterLast, ...timers.map((timer) => timer + skewMs), 0) + settlingMs;
  return { quietMs, mostMs: Math.max(quietMs, dueMsAfterLast + patienceMs) };
}
