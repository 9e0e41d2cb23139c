import { rulesByDefault as rules } from '@tripline/rules/registry';
import { createWorkspaces } from '@tripline/sources/workspace';
import { type LoggedEventInput, type Played, playTimeline } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { eventId } from './deliveries.ts';
import { eventsOf } from './events.ts';
import { scenarios } from './registry.ts';
import type { Cast, Scenario } from './scenario.ts';

const workspaces = createWorkspaces({ workspaces: [], drills: true });
const cast = (scenario: Scenario): Cast => ({
  organization: `tripline-drill-${scenario.id}-t1`,
  startMs: Date.parse('2026-03-11T09:00:00Z'),
  seed: 987_654_321,
});

function timelineOf(scenario: Scenario, variant: 'attack' | 'benign'): LoggedEventInput[] {
  const played = eventsOf(scenario, variant, cast(scenario), workspaces);
  return played.map(({ event, atMs }) => ({ ...event, atMs })) as LoggedEventInput[];
}

function play(
  events: LoggedEventInput[],
  more: { duplicated?: boolean; restartAfterEach?: boolean; batchRecords?: number } = {},
): Played {
  const untilMs = Math.max(...events.map((event) => event.atMs)) + 60_000;
  const played = playTimeline({ rules, events, untilMs, learningDays: 14, ...more });
  expect(played.poison).toEqual([]);
  return played;
}

/** What stands, as rule and deciding step; sorted, since order is another test's business. */
const standing = (played: Played) => played.findings.map((finding) => `${finding.rule} ${finding.subject}`).sort();

describe.each(scenarios.map((scenario) => [scenario.id, scenario] as const))('%s', (_, scenario) => {
  const playing = cast(scenario);

  test('the attack brings about what it expects, when it expects it, and nothing else', () => {
    const played = play(timelineOf(scenario, 'attack'));
    const steps = new Map(scenario.attack(playing).map((step) => [step.name, step]));
    // A narrower rule speaks for the others.
    const speaking = played.findings.filter(({ id }) => !played.superseded.has(id));
    expect(
      speaking.map((finding) => ({
        rule: finding.rule,
        decidedBy: finding.decidingEvent,
        at: Date.parse(finding.detectedAt),
        responses: finding.response.map((step) => step.action),
      })),
    ).toEqual(
      scenario.expects.map((expected) => ({
        rule: expected.rule,
        decidedBy: eventId(playing, steps.get(expected.decidingStep)!),
        at: playing.startMs + steps.get(expected.decidingStep)!.atMs + (expected.afterMs ?? 0),
        responses: [...expected.responses],
      })),
    );
    expect(played.retracted).toEqual([]);
  });

  test('the benign twin brings about nothing at all', () => {
    const events = timelineOf(scenario, 'benign');
    expect(play(events).all).toEqual([]);
    // As it is received: what explains an act may come after it.
    expect(play(events, { batchRecords: 1 }).all).toEqual([]);
  });

  test('the same stands when deliveries come twice, and when the detector restarts after each', () => {
    for (const variant of ['attack', 'benign'] as const) {
      const events = timelineOf(scenario, variant);
      const expected = standing(play(events));
      expect(standing(play(events, { duplicated: true }))).toEqual(expected);
      expect(standing(play(events, { restartAfterEach: true }))).toEqual(expected);
    }
  });

  test('the same stands when any two neighbouring deliveries change places', () => {
    for (const variant of ['attack', 'benign'] as const) {
      const events = timelineOf(scenario, variant);
      const expected = standing(play(events));
      for (let place = 1; place < events.length - 1; place += 1) {
        const [a, b] = [events[place]!, events[place + 1]!];
        const swapped = events.with(place, { ...b, atMs: a.atMs }).with(place + 1, { ...a, atMs: b.atMs });
        expect(standing(play(swapped)), `${a.type} after ${b.type}`).toEqual(expected);
      }
    }
  });

  test('it plays within six seconds, and its steps have names of their own and sources', () => {
    for (const variant of ['attack', 'benign'] as const) {
      const steps = scenario[variant](playing);
      const lastMs = Math.max(...steps.map((step) => step.atMs), 0);
      expect(lastMs + Math.max(0, ...scenario.expects.map((expected) => expected.afterMs ?? 0))).toBeLessThanOrEqual(
        6000,
      );
      expect(new Set(steps.map((step) => step.name)).size).toBe(steps.length);
    }
    expect(scenario.sources.length).toBeGreaterThan(0);
  });
});
