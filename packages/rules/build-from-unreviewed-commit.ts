import { type ConcludeContext, type Conclusion, defineRule } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { buildByDeployment, deployments } from '@tripline/facts/deployments';
import { matches } from '@tripline/facts/ref-patterns';
import { isThere } from '@tripline/facts/refs';
import { type Repository, repositories } from '@tripline/facts/repositories';
import {
  acceptanceOf,
  aimOf,
  clockMs,
  mattersToReviews,
  type Place,
  placeOf,
  reviewFacts,
  reviewHouse,
  reviewReader,
  usesSecrets,
} from '@tripline/facts/review-reader';
import * as review from '@tripline/facts/reviewed';
import { isOwnMachine, runnerGroups } from '@tripline/facts/runner-groups';
import { type Build, buildOf, differsInBuilds, isPlainPull, type Run, runs } from '@tripline/facts/runs';
import { commitKeyIn, entityOf, personOf, runKeyIn } from '@tripline/facts/things';
import { workflowFile } from '@tripline/facts/workflow-files';
import { z } from 'zod';
import { targetOf } from './builders/seen.ts';
import { namedOnce, shortSha } from './evidence.ts';
import { overridesOf } from './overrides.ts';

const mayHave = ['self-hosted', 'environment', 'secrets', 'base-workflow'] as const;
const settings = z.strictObject({
  ...reviewHouse,
  /** Patterns of branches on which nothing is judged, as GitHub reads them; of tags with `refs/tags/` before. */
  exemptRefs: z.array(z.string()).default([]),
  /** Environments that anybody may deploy to, such as `preview-*`. */
  exemptEnvironments: z.array(z.string()).default([]),
  /** Workflows known to use secrets, `owner/name/.github/workflows/file.yml`, or `owner/name:id/…` with the id of the repository. */
  secretWorkflows: z.array(workflowFile).default([]),
  /**
   * What a run of a pull request may have without being found: the house's machines, which whoever may push may use anyway; secrets of
   * a `base-workflow`, which `pull_request_target` runs, for those who may write: it builds the base unless it takes the head itself.
   */
  pullRequestsMay: z.array(z.enum(mayHave)).default(['self-hosted', 'base-workflow']),
});
export type Settings = z.output<typeof settings>;
export type Context = ConcludeContext<Settings>;
type Why = { what: string; seen?: readonly review.Seen[] };
const noticePrefix = 'notice ';

export const rule = defineRule<unknown, Settings>({
  id: 'build-from-unreviewed-commit',
  title: 'Build of a commit that nobody else reviewed',
  description:
    'A build of a protected branch or tag, a release, a deployment or a run with secrets is of a commit that no merged and approved change brought in. ' +
    'Reviewed is what the provider merged into the branch that is built, or a change’s reviewed head itself: approved at its last commit, update merges by the provider apart, by a person who wrote and pushed none of it and may write to the repository. ' +
    'It is followed through squash, merge, rebase, stacked changes and merge queue. What webhooks cannot tell is asked of the API; where that cannot be asked, one low notice a repository says what is not known. What landed where it is known that nobody requires a review is a notice of `default-branch-unprotected`, and none of these. ' +
    'Runs of pull requests are found only with secrets or an environment, and where `pullRequestsMay` leaves it out on a self-hosted runner or by the base’s workflow; those of forks there are found by `self-hosted-runner-fork`. A review that is received late takes the finding back.',
  severity: 'high',
  confidence: 'high',
  principles: [2],
  attack: ['T1677', 'T1195.002'],
  owasp: ['CICD-SEC-1', 'CICD-SEC-4'],
  feeds: {
    needs: ['github'],
    better: { 'github-api': 'proves who made a merge, who may write, and what was approved before the first delivery' },
  },
  falseAlarms: [
    'Bots that push releases or dependency updates: name them in `exemptActors`.',
    'Merges by a bot of the house, such as bors or Prow: `mergeBots`, with `approves` where people approve by comments.',
    'Hotfixes pushed straight to a protected branch: that is what it is for; let somebody review afterwards and silence the finding.',
    'Preview environments that every branch deploys to: `exemptEnvironments`.',
    'Pull requests with an environment or secrets as a rule of the house: `pullRequestsMay`.',
  ],
  limits: [
    'Without API access a merge commit cannot be told from one made by hand, nor a private member from an outside collaborator or contributor, nor the merge of an advisory’s private fork from a push that says to be one, nor what many strangers reviewed at once: a low notice says so, once a repository. The API knows.',
    'A workflow that is new on a branch and reads secrets, and a script that an unchanged workflow calls: no feed of GitHub’s tells which attempt of a run was given which secrets. A workflow that never had them is found by `secret-new-consumer`, by the audit log.',
    'A machine’s account that looks like a person’s: GitHub does not tell it apart, and its approvals count until `machineUsers` names it.',
    'A workflow of the base (`pull_request_target`) that checks out what somebody who may write has changed, with secrets: no feed tells what a run checks out, and most such workflows only label and comment. Where one of yours does, leave `base-workflow` out of `pullRequestsMay`.',
    'What a run took from artifacts of another run, such as one of a fork: no feed tells.',
    'Approvals by comments (`/lgtm`, `r+`), since comments are not read: the bot that merges then is known by `mergeBots`.',
    'Rulesets of the organisation, and refs that a ruleset leaves out: webhooks do not say whom they bind. An inventory tells; until one does (of a repository that it found unprotected: until the next), the default branch is judged, and runs with secrets, environments and tags anywhere. A protection that is received after a run of what it covers is held against that run when more is received of it than that a hosted job ran or that it ended. One that was lifted a week before or longer counts no more: what is pushed then is found by `protection-left-relaxed`.',
  ],
  reads: [],
  settings: settings as z.ZodType<Settings>,
  learns: false,
  concludes: {
    uses: [runs, deployments, runnerGroups, ...reviewFacts],
    about: [runs, deployments, repositories],
    subjects({ fact, key, value, before }) {
      // Asked with all that is learned of a run itself, since what is protected is read and not watched, and may be told late.
      if (fact === runs.id) return differsInBuilds(before as Run | undefined, value as Run) ? [key] : [];
      if (fact === deployments.id) return [key];
      const isAsked = fact === repositories.id && ((value as Repository | undefined)?.asked.length ?? 0) > 0;
      return isAsked ? [noticePrefix + key] : [];
    },
    matters: mattersToReviews,
    conclude(subject, context) {
      if (subject.startsWith(noticePrefix)) return notice(subject.slice(noticePrefix.length), context);
      const run = subject.includes('#') ? context.read(runs, subject) : undefined;
      if (run !== undefined) {
        const [key, { name, defaultBranch }] = [subject.slice(0, subject.lastIndexOf('#')), run.repository];
        return run.attempts.flatMap((attempt) => {
          if (isPlainPull(run, attempt)) return [];
          return judge(buildOf(subject, run, attempt), placeOf(key, name, defaultBranch, context), context);
        });
      }
      const deployment = subject.includes('^') ? context.read(deployments, subject) : undefined;
      if (deployment === undefined) return [];
      const place = placeOf(subject.slice(0, subject.lastIndexOf('^')), deployment.repository, undefined, context);
      return judge(buildByDeployment(subject, deployment), place, context);
    },
  },
});

/** What follows of one build: of a deployment, or of one attempt of a run. */
export function judge(build: Build, place: Place, context: Context): Conclusion[] {
  const { revision, attempt, timeMs } = build;
  const holdUntilMs = build.heardMs + context.settings.holdMs;
  if (/^0*$/.test(revision)) return [];
  // Whether it is a pull request's is said by the run's own event, which may be on its way.
  if (attempt !== undefined && attempt.trigger === undefined && context.nowMs < holdUntilMs) {
    context.recheckAt(holdUntilMs);
    return [];
  }
  const { isPull, isTag, isOfHead, into } = aimOf(build, place, context);
  const reader = reviewReader(place, into, context, context.settings, timeMs);
  const why = reasonOf(build, place, { isPull, isTag }, reader, context);
  if (why === undefined) return [];
  const verdict = acceptanceOf(revision, isOfHead ? 'head' : 'built', place, reader, context, build.heardMs);
  // Of what nobody requires to be reviewed one notice a repository is due, by a rule of its own.
  if (verdict.is === 'reviewed' || verdict.needsNone) {
    context.explain(verdict.needsNone ? 'nobody requires a review where it landed' : verdict.why);
    return [];
  }
  // What strangers do has nothing found, and takes nothing back.
  if (verdict.is === 'unknown' && !verdict.isCrowded) return [];
  const waitsMs = verdict.mayBeExplained ? holdUntilMs + verdict.moreMs : 0;
  const heldUntilMs = verdict.is === 'unknown' ? Infinity : waitsMs;
  return [{ ...found(build, place, verdict, why, context), heldUntilMs }];
}

function deployed({ environments }: Build, { settings }: Context): Why | undefined {
  const judged = environments.filter((one) => !settings.exemptEnvironments.some((pattern) => matches(pattern, one)));
  return judged.length === 0 ? undefined : { what: `a deployment to ${judged.slice(0, 10).join(', ')}` };
}

/** Why a build of an unreviewed commit matters; undefined where it does not. */
function reasonOf(
  build: Build,
  place: Place,
  { isPull, isTag }: { isPull: boolean; isTag: boolean },
  reader: review.ReviewReader,
  context: Context,
): Why | undefined {
  const [{ attempt, ref = '' }, { settings }, may] = [build, context, context.settings.pullRequestsMay];
  if (attempt === undefined) return deployed(build, context);
  if (settings.exemptRefs.some((one) => matches(one, isTag ? `refs/tags/${ref}` : ref))) return undefined;
  const deploys = deployed(build, context);
  if (isPull) {
    // A pull_request run of a fork gets no secrets; pull_request_target does, whoever opened it and from wherever.
    const isGiven =
      attempt.secrets.length > 0 ||
      (attempt.trigger === 'pull_request_target' && usesSecrets(attempt, place, settings.secretWorkflows));
    const isOfHouse = attempt.fork !== true || (build.by !== undefined && reader.couldWrite(build.by, build.timeMs));
    const isOfBase = attempt.trigger === 'pull_request_target' && isOfHouse && may.includes('base-workflow');
    if (isGiven && !isOfBase && !may.includes('secrets')) return { what: 'a pull request run that was given secrets' };
    if (deploys !== undefined && !may.includes('environment')) return { what: `a pull request’s, and ${deploys.what}` };
    const isOnOwn = attempt.jobs.some(({ worker }) => isOwnMachine(worker, place.key, context.read));
    return isOnOwn && !may.includes('self-hosted') ? { what: 'a pull request run on a self-hosted runner' } : undefined;
  }
  if (deploys !== undefined) return deploys;
  if (attempt.secrets.length > 0) return { what: 'a run that was given secrets' };
  if (reader.into !== undefined) return { what: `a build of protected branch ${ref}` };
  if (attempt.trigger === 'release') return { what: `a build of release ${ref}` };
  if (attempt.trigger === 'merge_group' || attempt.fork === true) return undefined;
  if (isTag) return { what: `a build of tag ${ref}` };
  // Until the run's own event came, it may be a pull request's, whose branch another repository has.
  const isBranch =
    attempt.trigger === undefined || place.branch(ref).some((one) => isThere(one, build.timeMs + clockMs));
  if (!isBranch) return { what: `a build of ${ref}, which is no branch that was ever heard of` };
  // Branches build all day; one that rewrites the workflow which holds the secrets is after the secrets.
  const changed = usesSecrets(attempt, place, settings.secretWorkflows)
    ? review.ciPathsBeneath(build.revision, reader)
    : undefined;
  if (changed === undefined || changed.paths.length === 0) return undefined;
  return { what: `a run with secrets whose CI files were changed on the way to ${ref}`, seen: changed.seen };
}

function found(build: Build, place: Place, verdict: review.ReviewVerdict, why: Why, context: Context): Conclusion {
  const [{ repository, revision, attempt }, subject] = [build, `${build.repository}@${build.revision}`];
  const who = verdict.seen.findLast(({ by }) => by !== undefined)?.by ?? build.by;
  const isDynamic = attempt?.trigger === 'dynamic' || attempt?.path?.startsWith('dynamic/') === true;
  const what = attempt === undefined ? 'This' : `Run ${build.id} (attempt ${attempt.attempt})`;
  const environments = build.environments.map((name) => entityOf('environment', name));
  return {
    ...{ subject, occasion: build.occasion, ...(isDynamic ? { severity: 'low' as const } : {}) },
    acts: overridesOf(place.key, [revision, verdict.revision], context),
    title: clip(`${build.name} ran on ${repository} at ${shortSha(revision)}, which nobody else reviewed`, 300),
    summary: `${shortSha(verdict.revision)} is not reviewed: ${verdict.why}. ${what} is ${why.what}${isDynamic ? ', by an automation of the provider’s own' : ''}.`,
    because: [...build.lines(), ...verdict.seen, ...(why.seen ?? [])].map(review.becauseOf),
    entities: [
      entityOf('commit', subject, commitKeyIn(place.key, revision)),
      ...(attempt === undefined ? [] : [entityOf('run', `${repository}#${build.id}`, runKeyIn(place.key, build.id))]),
      entityOf('repository', repository, place.key),
      ...namedOnce(environments, subject),
      ...(who === undefined ? [] : [personOf(who, place.key)]),
    ],
    response: attempt && !isDynamic ? [{ action: 'stop-run', ...targetOf(place, place.key), runId: build.id }] : [],
    remedy: [
      `${attempt === undefined ? 'Take the deployment back' : `Cancel run ${build.id} of ${repository}`}, and hold back whatever came of it.`,
      `Ask ${who?.login ?? 'whoever set it off'} what ${shortSha(verdict.revision)} is, and read its diff.`,
      'If nobody answers for it: revert the commit, and rotate every secret that the run could read.',
    ],
  };
}

/** One a repository: commits were built of which nobody who could be asked knows whether they are reviewed. */
function notice(key: string, context: Context): Conclusion[] {
  const known = context.read(repositories, key);
  // As it was called first, so that a renaming makes no other notice.
  const name = known?.names[0]?.name ?? key.split(':').slice(2).join(':');
  const reader = reviewReader(placeOf(key, name, undefined, context), undefined, context, context.settings);
  const asked = (known?.asked ?? []).map((one) => ({ one, verdict: review.isReviewed(one.revision, reader) }));
  const open = asked.filter(({ verdict }) => verdict.is === 'unknown');
  if (open.length === 0) return [];
  const people = [...new Set(open.flatMap(({ verdict }) => verdict.people ?? []))];
  const whys = [...new Set(open.map(({ verdict }) => verdict.why))].join('; ');
  const line = ({ revision, answered }: Repository['asked'][number]) =>
    `${shortSha(revision)} was built, and ${answered ? 'the answer does not settle it' : 'nobody could be asked about it'}`;
  return [
    {
      subject: name,
      occasion: 'not-known-to-be-reviewed',
      title: clip(`Whether all that ${name} builds is reviewed cannot be told`, 300),
      summary: `${whys}. Nothing speaks against these commits, and builds of such are not found until this is settled.`,
      ...{ severity: 'low', confidence: 'low', response: [] },
      because: open.map(({ one }) => review.becauseOf({ fact: repositories, key, observed: one, what: line(one) })),
      entities: [entityOf('repository', name, key), ...people.map((login) => entityOf('user', login))],
      remedy: [
        'Give read access to it by an App or a token (contents, pull requests, metadata), so that the provider can be asked.',
        ...people.map((login) => `Have an inventory of the organisation’s members imported that lists ${login}.`),
      ],
    },
  ];
}
