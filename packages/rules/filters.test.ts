import type { Attributes } from '@tripline/contracts/attributes';
import type { AnyRule, Concludes } from '@tripline/contracts/rule';
import { seeded } from '@tripline/testing/timeline/any-order';
import { eventsOf, expectTimeline } from '@tripline/testing/timeline/in-words';
import { at, type LoggedEventInput, permuted, playTimeline } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { rules } from './registry.ts';

/**
 * A rule is asked of few subjects: what its `about`, `begins`, `matters` and `subjects` say spares it the rest. Here the same
 * log is played by rules without all that, who are asked of every subject that any fact ever named, after every change of any
 * fact that they use. Both must end at the same, or something that spares work passes over what matters.
 */
type Asks = (changed: Parameters<Concludes<unknown>['subjects']>[0], settings: unknown) => readonly string[];
const keyOf =
  (...facts: readonly string[]): Asks =>
  ({ fact, key }) =>
    facts.includes(fact) ? [key] : [];
/** What `protection-left-relaxed` names by what it says of a repository's controls, which leaves nothing out. */
const asIs: Asks = (changed, settings) =>
  rules.find(({ id }) => id === 'protection-left-relaxed')!.concludes!.subjects(changed, settings);
/** Where a rule's own `subjects` leave some out by what the fact says, all that it can name. */
const whole: Record<string, Asks> = {
  'build-from-unreviewed-commit': (changed, settings) => [
    ...keyOf('runs', 'deployments')(changed, settings),
    ...(changed.fact === 'repositories' ? [`notice ${changed.key}`] : []),
  ],
  'credential-new-runner': keyOf('runners', 'runner-classes'),
  'protection-left-relaxed': (changed, settings) => [...keyOf('refs')(changed, settings), ...asIs(changed, settings)],
  'self-hosted-runner-fork': keyOf('runs'),
};

function withoutFilters(rule: AnyRule): AnyRule {
  if (rule.concludes === undefined) return rule;
  const { begins: _, matters: __, about: ___, ...concludes } = rule.concludes;
  const { uses, about = uses } = rule.concludes;
  const asks = whole[rule.id] ?? concludes.subjects;
  const heardOf = new Set<string>();
  const subjects: Asks = (changed, settings) => {
    const isAsked = about.some(({ id }) => id === changed.fact);
    for (const subject of isAsked ? asks(changed, settings) : []) heardOf.add(subject);
    return [...heardOf];
  };
  return { ...rule, concludes: { ...concludes, subjects } };
}

/** What matters comes about by several acts that fit, which are seldom drawn one by one. */
const acts = [
  `opens #11 in acme/app from f1 at a1
   opens #12 in acme/app from f2 at a2 (into f1)
   approves #12 in acme/app
   approves #11 in acme/app
   merges #11 in acme/app as s1
   retargets #12 in acme/app to main
   starts run 21 of ci in acme/app at s1
   merges #12 in acme/app as s2
   starts run 22 of ci in acme/app at s2`,
  `pushes h to acme/app feat9 (from nothing)
   opens #13 in acme/app from feat9 at h
   approves #13 in acme/app
   pushes u to acme/app feat9 (committed by web-flow)
   updates #13 in acme/app to u
   queues #13 in acme/app as q
   starts run 23 of ci in acme/app at q (trigger merge_group; on gh-readonly-queue)
   starts job deploy of run 23 (to production)
   merges #13 in acme/app as m9
   starts run 24 of ci in acme/app at m9`,
  `pushes e1 to acme/app main (from day1)
   starts run 25 of ci in acme/app at e1
   pushes e0 to acme/app main (from day0)
   deploys e0 of acme/app to production`,
  `starts run 27 of ci in acme/app at z1 (trigger pull_request; on x)
   starts job build of run 27
   starts job test of run 27 (on box-9; group id 7)
   finishes job build of run 27 (to production)`,
  `creates ruleset main of acme/app (bypassed by nobody)
   changes ruleset main of acme/app (bypassed by bot)
   pushes w1 to acme/app main (from day1)
   changes ruleset main of acme/app (bypassed by bot)
   pushes w2 to acme/app main
   changes ruleset main of acme/app (bypassed by nobody)`,
].map((act) => act.split('\n').map((line) => line.trim()));
const people = ['ada', 'bob', 'carol', 'mallory', 'release-bot[bot]'];
const triggers = ['push', 'pull_request', 'pull_request', 'pull_request_target', 'merge_group', 'release'];

/** A morning at a repository, drawn by `random`: two of `acts`, and beside them what people do in any order. */
function drawnMorning(nth: number, random: () => number, length: number): string {
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!;
  const maybe = (text: string, share = 0.3) => (random() < share ? [text] : []);
  const options = (...of: string[][]) => (of.flat().length === 0 ? '' : ` (${of.flat().join('; ')})`);
  const opened: string[] = [];
  const runs: string[] = [];
  const told = [[...acts[nth % acts.length]!], [...pick(acts)]];
  const any: ((commit: string, branch: string) => string | undefined)[] = [
    (commit, branch) => {
      const from = maybe(`from ${pick(['day1', 'c1', 'e0', 'nothing'])}`);
      const made = [...maybe('touching .github/workflows/ci.yml'), ...maybe('committed by web-flow')];
      return `pushes ${commit} to acme/app ${branch}${options(maybe('forced', 0.15), from, made)}`;
    },
    (commit) => pick([`tags ${commit} of acme/app as v1`, `moves tag v1.0.0 of acme/app to ${commit}`]),
    (commit) => {
      if (opened.length >= 3) return undefined;
      opened.push(`#${opened.length + 1}`);
      const of = options(maybe('of fork mallory'), maybe('association NONE'));
      return `opens ${opened.at(-1)} in acme/app from ${pick(['feat', 'x'])} at ${commit}${of}`;
    },
    (commit) => {
      if (opened.length === 0) return undefined;
      const change = pick(opened);
      return pick([
        `approves ${change} in acme/app${options(maybe('association NONE', 0.2))}`,
        `updates ${change} in acme/app to ${commit}`,
        `merges ${change} in acme/app as ${commit}${options(maybe('by hand', 0.15))}`,
        `answers about ${commit} in acme/app (verified; committed by web-flow; authored by ada; parents day1, c1; change ${change}; merged as ${commit}; merged by carol; approved by ${pick(people.slice(0, 4))}; permission ${pick(['read', 'write'])})`,
      ]);
    },
    (commit, branch) => {
      runs.push(pick(['7', '8', '9', '10']));
      const of = [maybe(`on ${branch}`, 0.5), maybe('of fork mallory', 0.2), maybe('attempt 2', 0.15)];
      return `starts run ${runs.at(-1)} of ci in acme/app at ${commit}${options([`trigger ${pick(triggers)}`], ...of)}`;
    },
    () => {
      if (runs.length === 0) return undefined;
      const on = maybe(`on ${pick(['box-1', 'box-2'])}; group id ${pick([1, 7])}`, 0.4);
      const does = pick(['starts', 'starts', 'finishes']);
      return pick([
        `${does} job ${pick(['build', 'deploy'])} of run ${pick(runs)}${options(on, maybe('to production'))}`,
        `finishes run ${pick(runs)}`,
      ]);
    },
    (commit, branch) =>
      `deploys ${commit} of acme/app to ${pick(['staging', 'production'])}${options([`on ${branch}`])}`,
    () => pick(['disables protection of acme/app', 'enables protection of acme/app', 'makes acme/app public']),
    () => pick(['gives bob push on acme/app', 'takes bob off acme/app', 'adds deploy key k1 to acme/app']),
    () => pick(['removes deploy key k1 from acme/app', 'invites eve to acme', 'joins acme']),
    (commit) => `cannot ask about ${commit} in acme/app`,
  ];
  const lines: string[] = [];
  let second = 9 * 3600;
  while (lines.length < length) {
    const line =
      (random() < 0.8 ? pick(told).shift() : undefined) ??
      pick(any)(pick(['c1', 'c2', 'c3', 'm1']), pick(['main', 'feat', 'rel/1', 'v1']));
    if (line === undefined) continue;
    second += pick([1, 4, 70, 600, 2400]);
    lines.push(`${new Date(second * 1000).toISOString().slice(11, 19)} ${pick(people)} ${line}`);
  }
  return lines.join('\n');
}

const grants = { grantingWorkflows: ['acme/app/.github/workflows/ci.yml'], grantingActors: ['release-bot[bot]'] };
const secrets = { secretWorkflows: ['acme/app/.github/workflows/ci.yml'] };
const settings = {
  ...{ 'build-from-unreviewed-commit': secrets, 'credential-new-runner': secrets },
  ...{ 'privilege-grant-outside-job': grants, 'grant-outlived-job': grants },
};
/** `repositoryId`: of acme/app. */
const dayOne = (selfHosted: number, repositoryId: string): LoggedEventInput =>
  at(Date.parse('2026-03-11T08:00:00Z'), 'dev.cdeventsx.tripline-inventory.observed', {
    ...{ 'tripline.inventory.part': 1, 'tripline.inventory.parts': 1 },
    'tripline.inventory.runner_groups': [{ id: '7', name: 'large', hosted: ['large'], selfHosted }],
    'tripline.inventory.protected': [{ repository: 'acme/app', patterns: ['main', 'rel/*'] }],
    'tripline.inventory.heads': ['main', 'feat', 'rel/1'].map((branch) => ({
      ...{ repository: 'acme/app', repositoryId, branch, revision: 'd0'.repeat(20) },
    })),
  });

function standing(of: readonly AnyRule[], events: readonly LoggedEventInput[]): string[] {
  const untilMs = Math.max(...events.map(({ atMs }) => atMs)) + 4 * 86_400_000;
  const { findings, poison } = playTimeline({ rules: of, events, settings, untilMs });
  expect(poison).toEqual([]);
  return findings.map(({ rule, subject, occasion, severity }) => `${rule}: ${subject} [${severity}] of ${occasion}`);
}

test('asked of every subject after every change, the rules end at what they end at asked of those that it concerns', () => {
  let found = 0;
  for (let seed = 1; seed <= 80; seed += 1) {
    const random = seeded(seed);
    const text = drawnMorning(seed, random, 12 + Math.floor(random() * 12));
    const events = eventsOf(text);
    const of = events.find(({ data }) => (data as Attributes)['vcs.repository.name'] === 'acme/app')!
      .data as Attributes;
    const heard = [dayOne(seed % 2, of['vcs.repository.id']!), ...(random() < 0.8 ? permuted(events, random) : events)];
    const stands = standing(rules, heard).sort();
    expect(stands, `seed ${seed}\n${text}`).toEqual(standing(rules.map(withoutFilters), heard).sort());
    found += stands.length;
  }
  expect(found).toBeGreaterThan(80);
}, 120_000);

describe('a pull request’s run of what nobody reviewed is passed over until one thing more is known of it:', () => {
  const begins = `
    09:00     mallory  pushes evil to acme/app x (from day1)
    09:00:10  mallory  opens #1 in acme/app from x at evil
    09:01     mallory  starts run 7 of ci in acme/app at evil (trigger pull_request; on x)
    09:02     mallory  starts job test of run 7
    09:03     mallory  finishes job test of run 7`;
  const rule = rules.find(({ id }) => id === 'build-from-unreviewed-commit')!;
  const found = 'FOUND acme/app@evil [high]';
  test.each([
    ['nothing', '09:04 mallory finishes run 7'],
    ['an environment', `09:04 mallory starts job deploy of run 7 (to production)   ← ${found}`],
    [
      'an environment that a job is told to have at its end',
      `09:04 mallory finishes job test of run 7 (to production)   ← ${found}`,
    ],
    ['a machine of the house', `09:04 mallory starts job build of run 7 (on box-1)   ← ${found}`],
    [
      'another attempt with one',
      `09:04 mallory starts run 7 of ci in acme/app at evil (trigger pull_request; on x; attempt 2)
    09:05 mallory starts job build of run 7 (on box-1)   ← ${found}`,
    ],
  ])('%s', (_, then) => {
    const played = expectTimeline(rule, `${begins}\n    ${then}`, { settings: { [rule.id]: { pullRequestsMay: [] } } });
    expect(played.findings).toHaveLength(then.includes(found) ? 1 : 0);
  });
});
