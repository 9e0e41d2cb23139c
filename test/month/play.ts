import { lendersOf } from '@tripline/detector/load-rules';
import { type ConfiguredRule, configureRule } from '@tripline/engine/settings';
import { rules, rulesByDefault } from '@tripline/rules/registry';
import { scenarios } from '@tripline/scenarios/registry';
import { type Hidden, hideBreaches, inventoryWith, planBreaches, settingsWith } from './breaches.ts';
import { createChance } from './chance.ts';
import { createMonthJudge, type Judged } from './judge.ts';
import { named, prepareMonth } from './month.ts';
import { inventoryOf } from './organisation.ts';
import { dayMs, type World } from './world.ts';

/** The first day, a Monday. */
const startMs = Date.parse('2026-10-05T00:00:00Z');

export type Played = { judged: Judged; world: World; rules: readonly ConfiguredRule[]; hidden: readonly Hidden[] };

/**
 * Plays a month under the rules of the house, with the breaches hidden in it or without: what is known and configured on the first
 * day is the same in both. `atDay` is told of each day as it begins.
 */
export function playMonth(
  { seed, size, days, isBreached }: { seed: number; size: number; days: number; isBreached: boolean },
  atDay: (day: number) => void = () => {},
): Played {
  let judge: ReturnType<typeof createMonthJudge> | undefined;
  const world: World = prepareMonth({
    ...{ seed, size, startMs, days },
    receive: (delivery, receivedAtMs) => judge!.receive(delivery, receivedAtMs),
  });
  const { organisation } = world;
  // Of their own chance, so that the month is the same with them and without.
  const hidden = planBreaches(scenarios, createChance(seed + 1_000_003), {
    ...{ organisation, startMs, days },
    defaultsOf: (id) => rules.find((rule) => rule.id === id)?.settings.parse({}) as Record<string, unknown> | undefined,
  });
  const configured = rulesOf(hidden, settingsWith(hidden, organisation));
  judge = createMonthJudge(configured, () => world);
  judge.importInventory(world, inventoryWith(inventoryOf(organisation), hidden, organisation));
  if (isBreached) hideBreaches(world, hidden);
  for (let day = 0; day < days; day += 1) world.at(startMs + day * dayMs, () => atDay(day + 1));
  world.run();
  return { judged: judge.end(world.endMs + 3 * dayMs), world, rules: configured, hidden };
}

/** Those that run by default, and those of the others that are to find a breach, with what the organisation has configured. */
function rulesOf(hidden: readonly Hidden[], needed: ReadonlyMap<string, Record<string, unknown[]>>): ConfiguredRule[] {
  const expected = new Set(hidden.flatMap(({ scenario }) => scenario.expects.map(({ rule }) => rule)));
  const grants = {
    grantingWorkflows: [`acme/${named.workflow}`],
    grantingActors: [named.actor],
    exemptActors: [named.joins],
  };
  const base = new Map<string, Record<string, unknown[]>>([
    ['privilege-grant-outside-job', grants],
    ['grant-outlived-job', grants],
  ]);
  const writtenOf = (id: string): Record<string, unknown[]> => {
    const [own, more] = [base.get(id) ?? {}, needed.get(id) ?? {}];
    const names = new Set([...Object.keys(own), ...Object.keys(more)]);
    return Object.fromEntries([...names].map((name) => [name, [...(own[name] ?? []), ...(more[name] ?? [])]]));
  };
  return rules
    .filter((rule) => rulesByDefault.includes(rule) || expected.has(rule.id))
    .map((rule) => {
      const lent = lendersOf(rule, rules).map(({ id }) => writtenOf(id));
      const own = needed.has(rule.id) ? writtenOf(rule.id) : base.get(rule.id);
      return configureRule(rule, Object.assign({}, ...lent, mergedOver(lent, own ?? {})));
    });
}

/** A rule's own lists, with what it would else have borrowed. */
function mergedOver(
  lent: readonly Record<string, unknown[]>[],
  own: Record<string, unknown[]>,
): Record<string, unknown[]> {
  return Object.fromEntries(
    Object.entries(own).map(([name, list]) => [
      name,
      [...new Set([...lent.flatMap((one) => one[name] ?? []), ...list])],
    ]),
  );
}
