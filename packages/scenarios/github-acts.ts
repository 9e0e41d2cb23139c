import {
  approval,
  type ChangeOf,
  type JobOf,
  job,
  pullRequest,
  push,
  type RunOf,
  ref,
  run,
  runId,
  type Stage,
  type StepText,
  step,
  zeroSha,
} from './github-bodies.ts';
import type { ScenarioStep } from './scenario.ts';

/** All that one act makes GitHub send, in its order, with what Tripline sets aside. */

/** So long a step takes within an act, ms. */
const beatMs = 20;

/** A run of one job, from its request to its end `takesMs` later. Its steps are called after `told.name`. */
export function wholeRun(
  stage: Stage,
  told: StepText,
  of: RunOf & Pick<JobOf, 'job' | 'runner' | 'environment'>,
  takesMs = 300,
): ScenarioStep[] {
  const startedAtMs = told.atMs + 3 * beatMs;
  const endedAtMs = told.atMs + takesMs;
  const one: JobOf = { ...of, startedAtMs };
  const at = (part: string, says: string, atMs: number): StepText => ({ name: `${told.name}-${part}`, says, atMs });
  return [
    run(stage, told, 'requested', of),
    job(stage, at('job-queued', `job ${of.job} waited for a machine`, told.atMs + beatMs), 'queued', one),
    check(stage, at('check', `check ${of.job} was made`, told.atMs + beatMs), 'created', one),
    run(stage, at('begun', 'the run began', told.atMs + 2 * beatMs), 'in_progress', of),
    job(
      stage,
      at('job', `job ${of.job} started${of.runner ? ` on ${of.runner.name}` : ''}`, startedAtMs),
      'in_progress',
      one,
    ),
    job(stage, at('job-done', `job ${of.job} ended`, endedAtMs - 2 * beatMs), 'completed', one),
    check(stage, at('check-done', `check ${of.job} ended`, endedAtMs - 2 * beatMs), 'completed', one),
    checkSuite(stage, at('checks-done', 'all of its checks had ended', endedAtMs - beatMs), of),
    run(stage, at('done', 'the run ended', endedAtMs), 'completed', of),
  ];
}

const actionsApp = { id: 15_368, slug: 'github-actions', name: 'GitHub Actions' };

function check(stage: Stage, told: StepText, action: 'created' | 'completed', of: JobOf): ScenarioStep {
  const isDone = action === 'completed';
  const number = stage.id(`check ${runId(stage, of)} ${of.job}`);
  return step(stage, told, 'check_run', of.by, {
    action,
    check_run: {
      id: number,
      name: of.job,
      head_sha: of.revision,
      external_id: stage.sha(`check ${number}`),
      html_url: `https://github.com/${stage.fullName(of.repository)}/actions/runs/${runId(stage, of)}/job/${number}`,
      status: isDone ? 'completed' : 'queued',
      conclusion: isDone ? 'success' : null,
      started_at: stage.time(of.startedAtMs),
      completed_at: isDone ? stage.time(told.atMs) : null,
      check_suite: { id: stage.id(`suite ${runId(stage, of)}`), head_branch: of.branch, head_sha: of.revision },
      app: actionsApp,
      pull_requests: [],
    },
    repository: stage.repository(of.repository, told.atMs),
  });
}

function checkSuite(stage: Stage, told: StepText, of: RunOf): ScenarioStep {
  return step(stage, told, 'check_suite', of.by, {
    action: 'completed',
    check_suite: {
      id: stage.id(`suite ${runId(stage, of)}`),
      head_branch: of.branch,
      head_sha: of.revision,
      status: 'completed',
      conclusion: 'success',
      before: null,
      after: of.revision,
      app: actionsApp,
      pull_requests: [],
      created_at: stage.time(told.atMs - 10 * beatMs),
      updated_at: stage.time(told.atMs),
    },
    repository: stage.repository(of.repository, told.atMs),
  });
}

/** A workflow of one job. */
export type Workflow = Pick<RunOf, 'repository' | 'name' | 'path' | 'trigger'> & Pick<JobOf, 'job'>;

/** A change was opened, and `workflow` ran for it. The run is called after it too. */
export function openedWithRun(
  stage: Stage,
  told: StepText & { runSays: string },
  change: ChangeOf,
  workflow: Workflow,
): ScenarioStep[] {
  const { runSays: says, ...opened } = told;
  return [
    pullRequest(stage, opened, 'opened', change),
    ...runOf(stage, { name: `${told.name}-run`, says, atMs: told.atMs + 3 * beatMs }, change, workflow),
  ];
}

/** `workflow` ran for the head of a change. `by`: whoever set it off, where it was not the author. */
export function runOf(
  stage: Stage,
  told: StepText,
  change: ChangeOf,
  workflow: Workflow,
  by = change.author,
): ScenarioStep[] {
  const fork = change.fork ? { fork: change.author } : {};
  const { head: revision, branch, base } = change;
  return wholeRun(stage, told, { ...workflow, ...fork, by, revision, branch, base });
}

/** Somebody made a fork of a public repository. */
export function forked(stage: Stage, told: StepText, of: { repository: string; by: string }): ScenarioStep {
  return step(stage, told, 'fork', of.by, {
    forkee: {
      ...stage.repository(of.repository, told.atMs, stage.user(of.by)),
      created_at: stage.time(told.atMs),
    },
    repository: stage.repository(of.repository, told.atMs),
  });
}

/** A branch of the repository itself came, with one commit. */
export function branchPushed(
  stage: Stage,
  told: StepText,
  of: Omit<Parameters<typeof push>[2], 'ref' | 'before'> & { branch: string },
): ScenarioStep[] {
  const { branch, ...pushed } = of;
  const created = { repository: of.repository, ref: branch, type: 'branch' as const, by: of.by };
  return [
    ref(stage, { ...told, name: `${told.name}-created`, says: `branch ${branch} was made` }, 'create', created),
    push(stage, told, { ...pushed, ref: `refs/heads/${branch}`, before: zeroSha }),
  ];
}

/** A change that is approved and merged as GitHub's pages do it, from its branch to what comes to the default branch. */
export function reviewedChange(
  stage: Stage,
  told: Omit<StepText, 'says'> & { says?: string },
  of: Omit<ChangeOf, 'merged'> & { files: string[]; reviewer: string; mergedBy?: string; merge: string },
): ScenarioStep[] {
  const { files, reviewer, mergedBy = reviewer, merge, ...change } = of;
  const at = (part: string, says: string, beats: number): StepText => {
    return { name: `${told.name}-${part}`, says, atMs: told.atMs + beats * beatMs };
  };
  const repository = change.repository;
  const pushed = { repository, branch: change.branch, by: change.author, after: change.head, message: change.title };
  return [
    ...(change.fork
      ? []
      : branchPushed(stage, at('pushed', `${change.author} pushed branch ${change.branch}`, 0), { ...pushed, files })),
    pullRequest(stage, at('opened', told.says ?? `${change.author} opened a pull request`, 2), 'opened', change),
    approval(stage, at('approved', `${reviewer} approved it`, 6), reviewer, change),
    pullRequest(stage, at('merged', `${mergedBy} merged it`, 8), 'closed', {
      ...change,
      merged: { by: mergedBy, revision: merge },
    }),
    push(stage, at('landed', 'the merge came to main', 9), {
      ...{ repository, ref: 'refs/heads/main', by: mergedBy, before: change.base, after: merge },
      ...{ message: `${change.title} (#${change.number})`, files, committer: 'web-flow' },
    }),
  ];
}
