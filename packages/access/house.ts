import { readsRuns } from './known-run.ts';

/** What rules are set to, and what overrides say of that, as far as it decides what is known of runs. */
type Rules = readonly { rule: { id: string }; written: Record<string, unknown> }[];
type Override = { rule: string; workspace?: string | undefined; settings?: Record<string, unknown> | undefined };

/** By which rules the settings go that say who reviews count for, and which machines are known. */
const lent: Readonly<Record<string, readonly string[]>> = {
  'build-from-unreviewed-commit': ['exemptActors', 'mergeBots', 'machineUsers', 'holdMs'],
  'credential-new-runner': ['registrars', 'youngMs', 'pools'],
};

/** The settings of `readingRuns` by which a run is to policies what it is to the rules that know reviews and runners. */
export const houseOf = (rules: Rules): Record<string, unknown> =>
  Object.assign({}, ...rules.map(({ rule: { id }, written }) => of(id, written)));

/** What overrides say of those rules in one workspace, said of `readingRuns`. */
export const overridesOf = <O extends Override>(overrides: readonly O[]) =>
  overrides.flatMap(({ rule, workspace, settings }) => {
    const own = settings === undefined || workspace === undefined ? {} : of(rule, settings);
    return Object.keys(own).length === 0 ? [] : [{ rule: readsRuns, workspace, settings: own }];
  });

const of = (rule: string, settings: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    (lent[rule] ?? []).flatMap((name) => (settings[name] === undefined ? [] : [[name, settings[name]]])),
  );
