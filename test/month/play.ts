import { configureRule } from '@tripline/engine/settings';
import { rulesByDefault as rules } from '@tripline/rules/registry';
import { createMonthJudge, type Judged } from './judge.ts';
import { granting, prepareMonth } from './month.ts';
import { dayMs, type World } from './world.ts';

/** The first day, a Monday. */
const startMs = Date.parse('2026-10-05T00:00:00Z');

/** Plays a month under the rules of the house: `atDay` is told of each day as it begins. */
export function playMonth(
  { seed, size, days }: { seed: number; size: number; days: number },
  atDay: (day: number) => void = () => {},
): { judged: Judged; world: World; rules: number } {
  const grants = {
    grantingWorkflows: [`acme/${granting.workflow}`],
    grantingActors: [granting.actor],
    exemptActors: [granting.joins],
  };
  const judge = createMonthJudge(
    rules.map((rule) => configureRule(rule, rule.id === 'privilege-grant-outside-job' ? grants : {})),
    () => world,
  );
  const world: World = prepareMonth({ seed, size, startMs, days, receive: judge.receive });
  judge.importInventory(world);
  for (let day = 0; day < days; day += 1) world.at(startMs + day * dayMs, () => atDay(day + 1));
  world.run();
  return { judged: judge.end(world.endMs + 3 * dayMs), world, rules: rules.length };
}
