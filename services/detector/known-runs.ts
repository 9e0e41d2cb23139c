import { createHash } from 'node:crypto';
import type { AskedOf } from '@tripline/access/asked-of';
import { houseOf, overridesOf } from '@tripline/access/house';
import { readingRuns } from '@tripline/access/known-run';
import { type ConfiguredRule, configureRule } from '@tripline/engine/settings';
import type { RuleSet } from './load-rules.ts';
import { jobsAsJson, type KnownRun } from './store/known-runs.ts';

/** How long what is known of a run is kept after it was told last, ms: no job takes longer. */
export const knownRunsMs = 8 * 86_400_000;
/** Runs of a partition whose last telling is held in memory, so that what says the same is not written again. */
const mostHeld = 5000;

/** Has the engine tell what policies of access ask about, beside what rules find: one for all partitions, which are judged one after another. */
export type KnownRuns = {
  /** The set with what tells of runs at its end; the same list of rules for the same set and the same that is asked. */
  join: (set: RuleSet, asked: AskedOf) => RuleSet;
  /** Called before each evaluation of a batch: what was told of a former one does not hold. */
  begin: () => void;
  /** What was told since, each run once. */
  take: () => readonly KnownRun[];
};

export function createKnownRuns(): KnownRuns {
  /** By workspace and run. */
  let told = new Map<string, KnownRun>();
  const reader = readingRuns((workspace, run, jobs) => {
    told.set(`${workspace}\0${run}`, { workspace, run, jobs: jobsAsJson(jobs) });
  });
  let former: { of: RuleSet['rules']; asked: string; rules: RuleSet['rules'] } | undefined;
  return {
    join(set, { repositories, workflows }) {
      const asked = JSON.stringify([repositories, workflows]);
      if (former?.of !== set.rules || former.asked !== asked) {
        const written = { ...houseOf(set.rules), repositories, workflows };
        const one: ConfiguredRule = configureRule(reader, written, overridesOf(set.overrides));
        former = { of: set.rules, asked, rules: [...set.rules, one] };
      }
      const version = createHash('sha256')
        .update(JSON.stringify([set.version, asked]))
        .digest('hex')
        .slice(0, 16);
      return { ...set, version, rules: former.rules };
    },
    begin() {
      if (told.size > 0) told = new Map();
    },
    take: () => [...told.values()],
  };
}

/** What was written last of each run of a partition, as far as it is held: begins anew when the partition is taken. */
export function createNews() {
  const held = new Map<string, string>();
  return {
    /** Of what was told, what says something else than before. */
    of: (told: readonly KnownRun[]): readonly KnownRun[] =>
      told.length === 0
        ? told
        : told.filter(({ workspace, run, jobs }) => {
            const key = `${workspace}\0${run}`;
            const isSame = held.get(key) === jobs;
            held.delete(key);
            held.set(key, jobs);
            if (held.size > mostHeld) held.delete(held.keys().next().value!);
            return !isSame;
          }),
  };
}
export type News = ReturnType<typeof createNews>;
