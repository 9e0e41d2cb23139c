import { type Breach, firstExpected, type Scenario } from '@tripline/scenarios/scenario';
import { castFor, type DrillVerdict } from './play.ts';
import type { Timing } from './seen.ts';

/** A scenario and its twin, played. */
export type Played = { scenario: Scenario; attack: DrillVerdict; twin: DrillVerdict };

type PlayOne = (
  scenario: Scenario,
  variant: { benign: boolean; cast: ReturnType<typeof castFor> },
) => Promise<DrillVerdict>;

/**
 * Plays every scenario and its twin, `atOnce` at a time: each has a workspace of its own, and nothing correlates across them.
 * @param onPlayed after each of them, with how many are done.
 * @throws what the first failing one throws, once those on their way have ended; none is begun after it.
 */
export async function playAll(
  scenarios: readonly Scenario[],
  { atOnce, playOne, onPlayed }: { atOnce: number; playOne: PlayOne; onPlayed: (done: number) => void },
): Promise<Played[]> {
  const verdicts = new Map<string, DrillVerdict>();
  const nameOf = ({ id }: Scenario, benign: boolean) => `${id} ${benign}`;
  const waiting = scenarios.flatMap((scenario) => [false, true].map((benign) => ({ scenario, benign })));
  async function work(): Promise<void> {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { scenario, benign } = next;
      const cast = castFor(scenario, Date.now());
      try {
        verdicts.set(nameOf(scenario, benign), await playOne(scenario, { benign, cast }));
      } catch (error) {
        waiting.length = 0;
        throw error;
      }
      onPlayed(verdicts.size);
    }
  }
  const ended = await Promise.allSettled(Array.from({ length: atOnce }, work));
  for (const one of ended) if (one.status === 'rejected') throw one.reason;
  return scenarios.map((scenario) => ({
    scenario,
    attack: verdicts.get(nameOf(scenario, false))!,
    twin: verdicts.get(nameOf(scenario, true))!,
  }));
}

/** One row of the table: the first finding that a scenario expects, and whether all of it held. */
export type Row = {
  scenario: string;
  breach: Breach | null;
  /** The name of the step that decides, and what happened in it. */
  decidingStep: string;
  event: string;
  says: string;
  rule: string;
  /** Further findings that were expected. */
  further: number;
  /** From the deciding event; null where it was not found, or has no response. */
  foundMs: number | null;
  respondedMs: number | null;
  isTwinQuiet: boolean;
  /** What did not hold, in the attack or in its twin, a sentence each. */
  faults: string[];
  /** Findings beyond the expected ones, such as those of a user's own rules. */
  alsoFound: string[];
};

/** By the breaches' numbers; those that stand for no one breach last, by name. */
export function rowsOf(played: readonly Played[]): Row[] {
  const rank = ({ breach }: Row) => breach?.number ?? Number.POSITIVE_INFINITY;
  return played.map(rowOf).sort((a, b) => rank(a) - rank(b) || (a.scenario < b.scenario ? -1 : 1));
}

function rowOf({ scenario, attack, twin }: Played): Row {
  const first = firstExpected(scenario);
  // Bodies and names of steps are the same for any cast.
  const step = scenario.attack(castFor(scenario, 0)).find(({ name }) => name === first.decidingStep)!;
  const timing: Timing | undefined = attack.timings.find(
    ({ rule, decidingStep }) => rule === first.rule && decidingStep === first.decidingStep,
  );
  return {
    ...{ scenario: scenario.id, breach: scenario.breach ?? null },
    ...{ decidingStep: step.name, event: step.event, says: step.says },
    ...{ rule: first.rule, further: scenario.expects.length - 1 },
    ...{ foundMs: timing?.foundMs ?? null, respondedMs: timing?.respondedMs ?? null },
    isTwinQuiet: twin.faults.length === 0,
    faults: [...attack.faults, ...twin.faults.map((fault) => `in its twin, ${fault}`)],
    alsoFound: attack.alsoFound,
  };
}
