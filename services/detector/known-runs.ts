import { createHash } from 'node:crypto';
import type { AskedOf } from '@tripline/access/asked-of';
import { houseOf, overridesOf } from '@tripline/access/house';
import { readingHeads } from '@tripline/access/known-head';
import { readingRuns } from '@tripline/access/known-run';
import { type ConfiguredRule, configureRule } from '@tripline/engine/settings';
import type { RuleSet } from './load-rules.ts';
import { jobsAsJson, type KnownRun, type ToldHead, type WhatIsTold } from './store/known-runs.ts';

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
  /** What was told since, each run and commit once. */
  take: () => WhatIsTold;
};

/** `policies`: the repository and branch in which policies lie; undefined where they are a local file. */
export function createKnownRuns(policies?: { repository: string; branch: string }): KnownRuns {
  /** By workspace and run. */
  let told = new Map<string, KnownRun>();
  /** By workspace, repository and commit. */
  let heads = new Map<string, ToldHead>();
  const reader = readingRuns((workspace, run, jobs) => {
    told.set(`${workspace}\0${run}`, { workspace, run, jobs: jobsAsJson(jobs) });
  });
  const headReader = readingHeads((workspace, head) => {
    heads.set(`${workspace}\0${head.repository}\0${head.revision}`, { workspace, ...head });
  });
  function readersOf(set: RuleSet, { repositories, workflows }: AskedOf): ConfiguredRule[] {
    const house = houseOf(set.rules);
    const runs = configureRule(reader, { ...house, repositories, workflows }, overridesOf(set.overrides));
    if (policies === undefined) return [runs];
    const { exemptActors, mergeBots, machineUsers, holdMs } = house;
    const reviews = Object.entries({ exemptActors, mergeBots, machineUsers, holdMs }).filter(
      ([, value]) => value !== undefined,
    );
    const { repository, branch } = policies;
    return [runs, configureRule(headReader, { ...Object.fromEntries(reviews), repository, branch })];
  }
  let former: { of: RuleSet['rules']; asked: string; rules: RuleSet['rules'] } | undefined;
  return {
    join(set, of) {
      const asked = JSON.stringify([of.repositories, of.workflows, policies]);
      if (former?.of !== set.rules || former.asked !== asked)
        former = { of: set.rules, asked, rules: [...set.rules, ...readersOf(set, of)] };
      const version = createHash('sha256')
        .update(JSON.stringify([set.version, asked]))
        .digest('hex')
        .slice(0, 16);
      return { ...set, version, rules: former.rules };
    },
    begin() {
      if (told.size > 0) told = new Map();
      if (heads.size > 0) heads = new Map();
    },
    take: () => ({ runs: [...told.values()], heads: [...heads.values()] }),
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
