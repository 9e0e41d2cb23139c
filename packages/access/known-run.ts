import type { Entity } from '@tripline/contracts/finding';
import { type AnyRule, type ConcludeContext, defineRule } from '@tripline/contracts/rule';
import { deployedCommits } from '@tripline/facts/deployed-commits';
import type { Ref } from '@tripline/facts/refs';
import {
  acceptanceOf,
  aimOf,
  mattersToReviews,
  type Place,
  placeOf,
  reviewFacts,
  reviewHouse,
  reviewReader,
} from '@tripline/facts/review-reader';
import { runnerClasses } from '@tripline/facts/runner-classes';
import { runnerGroups } from '@tripline/facts/runner-groups';
import { keyBeside, runnerId } from '@tripline/facts/runner-keys';
import { doubtOf } from '@tripline/facts/runner-standing';
import { runners } from '@tripline/facts/runners';
import { type Attempt, type Build, buildOf, type Job, type Run, runs } from '@tripline/facts/runs';
import { commitKeyIn, entityOf, personOf, runKeyIn } from '@tripline/facts/things';
import type { GitHubJob } from '@tripline/identity/workload';
import { houseOf, runnerHouse } from '@tripline/rules/runner-house';
import { z } from 'zod';
import type { Known } from './known.ts';

/**
 * A job of a run as the log tells it: what its token would have said, as far as events say it too, and what is known beside. Of an
 * attempt of which no job is kept yet, such as one whose first waits at a gate, there is one without a name and `checkRunId`: what
 * all of its jobs share.
 */
export type LoggedJob = {
  name: string;
  /** The owner's id is told by no fact; see `vcs.owner.id` of the run's events. */
  job: Omit<GitHubJob, 'owner'>;
  /** Workflows that the run calls, one of which may hold the job: its token alone says which. */
  referenced: readonly string[];
  known: Omit<Known, 'incidents' | 'address' | 'approval'>;
  /** What incidents may name: the repository, run, commit, person and machine. */
  things: readonly Entity[];
  /** By the provider's clock, ms since the epoch. */
  startedMs: number | undefined;
  finishedMs: number | undefined;
};

const settings = z.strictObject({
  ...reviewHouse,
  ...runnerHouse,
  /** Paths of workflow files, in small letters, of whose jobs all are kept; of other files those with an environment or a machine of one's own. */
  workflows: z.array(z.string()).default([]),
  /** Ids of the repositories whose runs are told of; all of them unless told otherwise. */
  repositories: z.array(z.string()).optional(),
});
type Context = ConcludeContext<z.output<typeof settings>>;

/** The id of what reads runs for policies, by which its settings are made and its state is kept. */
export const readsRuns = 'access-known-runs';

/**
 * Tells what is known of each run's jobs, whenever that changes: a reader of facts as rules are, which finds nothing. `tell` is
 * called with the workspace and the run's key, and again where a batch is evaluated again: what it was told of an evaluation that is
 * not the last one does not hold.
 */
export function readingRuns(tell: (workspace: string, run: string, jobs: readonly LoggedJob[]) => void): AnyRule {
  return defineRule<unknown, z.output<typeof settings>>({
    ...{ id: readsRuns, title: 'What is known of runs', severity: 'low', confidence: 'high' },
    ...{ description: 'Reads what policies of access ask about.', principles: [3], attack: [], owasp: [] },
    ...{ feeds: { needs: ['github'] }, falseAlarms: [], reads: [], learns: true },
    settings: settings as z.ZodType<z.output<typeof settings>>,
    concludes: {
      uses: [runs, runners, runnerClasses, runnerGroups, deployedCommits, ...reviewFacts],
      about: [runs],
      wants: { fact: runs, names: ({ workflows }) => workflows },
      subjects: ({ fact, key, value }, { repositories }) =>
        fact === runs.id && isAsked(value as Run, repositories) ? [key] : [],
      matters: mattersToReviews,
      conclude(key, context) {
        const run = context.read(runs, key);
        if (run !== undefined)
          tell(
            context.workspace,
            key,
            run.attempts.flatMap((attempt) => jobsOf(key, run, attempt, context)),
          );
        return [];
      },
    },
  });
}

/** Whether policies ask about the run. One whose repository has no id yet is no policy's. */
const isAsked = ({ repository: { id } }: Run, asked: readonly string[] | undefined): boolean =>
  asked === undefined || (id !== undefined && asked.includes(id));

function jobsOf(key: string, run: Run, attempt: Attempt, context: Context): LoggedJob[] {
  const { trigger, revision, path, ref, actor } = attempt;
  // Until its own event came, who set it off and which file it is of are not known.
  if (trigger === undefined || revision === undefined || path === undefined || ref === undefined) return [];
  const repositoryKey = key.slice(0, key.lastIndexOf('#'));
  const { name, id, defaultBranch } = run.repository;
  const place = placeOf(repositoryKey, name, defaultBranch, context);
  const commitKey = commitKeyIn(repositoryKey, revision);
  const build = buildOf(key, run, attempt);
  const aim = aimOf(build, place, context);
  const whole = wholeRef(attempt, ref, aim.isTag, place);
  const reviewed = reviewOf(build, aim, place, context);
  const deployedTo = (context.watch(deployedCommits, commitKey)?.successes ?? []).map(({ environment }) => environment);
  const jobs: readonly (Job | undefined)[] = attempt.jobs.length === 0 ? [undefined] : attempt.jobs;
  return jobs.map((job) => ({
    name: job?.name ?? '',
    job: {
      ...{
        provider: 'github',
        checkRunId: job?.checkRunId ?? job?.id ?? null,
        headRef: null,
        baseRef: null,
        event: trigger,
        sha: revision,
      },
      repository: { id: id ?? '', name },
      run: { id: run.id, attempt: attempt.attempt },
      caller: { ref: `${name}/${path}@${whole}`, sha: null },
      workflow: { ref: `${name}/${path}@${whole}`, sha: '' },
      ref: whole,
      environment: job?.environment ?? null,
      runnerEnvironment: job?.worker?.hosted === false ? 'self-hosted' : 'github-hosted',
      actor: { id: actor?.id ?? '', name: actor?.login ?? '' },
    },
    referenced: attempt.referenced,
    known: {
      job: job?.finishedMs !== undefined ? 'ended' : job?.startedMs === undefined ? 'unknown' : 'running',
      ...{ fork: attempt.fork ?? (attempt.headUntold === true ? undefined : false), reviewed, deployedTo },
      runner: machineOf(repositoryKey, job?.worker, context),
    },
    things: thingsOf(repositoryKey, run, attempt, job?.worker),
    startedMs: job?.startedMs,
    finishedMs: job?.finishedMs,
  }));
}

function thingsOf(
  repositoryKey: string,
  { id, repository: { name } }: Run,
  attempt: Attempt,
  worker: Job['worker'],
): Entity[] {
  const { revision = '', actor } = attempt;
  const isOwn = worker?.hosted === false && worker.id !== undefined;
  return [
    entityOf('repository', name, repositoryKey),
    entityOf('run', `${name}#${id}`, runKeyIn(repositoryKey, id)),
    entityOf('commit', `${name}@${revision}`, commitKeyIn(repositoryKey, revision)),
    ...(actor === undefined ? [] : [personOf(actor, repositoryKey)]),
    ...(isOwn ? [entityOf('runner', keyBeside(repositoryKey, runnerId(worker.id!, worker.name)))] : []),
  ];
}

/** The ref as a token has it: of a run that outsiders set off on the default branch's own file it is that branch. */
function wholeRef({ trigger, changes }: Attempt, ref: string, isTag: boolean, { defaultBranch }: Place): string {
  const [change] = changes;
  if (trigger === 'pull_request') return change === undefined ? `refs/heads/${ref}` : `refs/pull/${change}/merge`;
  const isOfDefault = ['pull_request_target', 'issue_comment', 'schedule', 'workflow_run'].includes(trigger!);
  if (isOfDefault && defaultBranch !== undefined) return `refs/heads/${defaultBranch}`;
  return `${isTag ? 'refs/tags' : 'refs/heads'}/${ref}`;
}

/**
 * As build-from-unreviewed-commit has it: what may yet be explained is not known. Nor is what was built of a branch of which nothing
 * was received, neither a push nor an inventory: that rule takes it for what was there before, since it finds nothing then.
 */
function reviewOf(
  { revision, timeMs, heardMs }: Build,
  { into, isOfHead }: ReturnType<typeof aimOf>,
  place: Place,
  context: Context,
): Known['reviewed'] {
  const reader = reviewReader(place, into, context, context.settings, timeMs);
  const as = isOfHead ? 'head' : 'built';
  const { is, why, mayBeExplained, moreMs } = acceptanceOf(revision, as, place, reader, context, heardMs);
  if (is === 'reviewed' && into !== undefined && !place.branch(into).some(isHeardOf))
    return { is: 'unknown', why: `nothing was received of ${into} before: import an inventory, or merge to it` };
  const holdUntilMs = heardMs + context.settings.holdMs + moreMs;
  if (is !== 'unreviewed' || !mayBeExplained || context.nowMs >= holdUntilMs) return { is, why };
  context.recheckAt(holdUntilMs);
  return { is: 'unknown', why: `${why}; what would explain it may be on its way` };
}

const isHeardOf = ({ moves, stood, first }: Ref): boolean => first !== undefined || moves.length + stood.length > 0;

function machineOf(repositoryKey: string, worker: Job['worker'], context: Context): Known['runner'] {
  if (worker?.id === undefined) return undefined;
  if (worker.hosted) return { group: worker.groupName, isKnown: true };
  const runner = context.watch(runners, keyBeside(repositoryKey, runnerId(worker.id, worker.name)));
  const work = runner?.work.findLast(({ groupId }) => groupId === worker.groupId);
  if (runner === undefined || work === undefined) return { group: worker.groupName, isKnown: false };
  const doubt = doubtOf(runner, work, houseOf(runner.name, context.settings), context);
  return { group: worker.groupName, isKnown: doubt === undefined };
}
