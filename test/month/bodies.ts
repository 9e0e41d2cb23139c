import type { Organisation, Person, Repository } from './organisation.ts';

/**
 * Bodies as GitHub's webhooks send them, field by field after GitHub's documentation of each event, as far as Tripline reads
 * them: https://docs.github.com/en/webhooks/webhook-events-and-payloads
 */
export type Json = Record<string, unknown>;
export const zeroSha = '0'.repeat(40);

export const accountOf = ({ login, id, isBot }: Person) => ({
  ...{ login, id, type: isBot ? 'Bot' : 'User', site_admin: false },
  html_url: `https://github.com/${isBot ? `apps/${login.slice(0, -5)}` : login}`,
});
/** GitHub's own account, which makes the commits of merges. */
export const webFlow: Person = { login: 'web-flow', id: 19_864_447, role: 'member', isPrivate: false, isBot: false };

/** How an event says that somebody belongs: of a private member only that they contributed before. */
export const associationOf = ({ isBot, isPrivate }: Person) =>
  isBot ? 'CONTRIBUTOR' : isPrivate ? 'CONTRIBUTOR' : 'MEMBER';

export function repositoryBody(organisation: Organisation, { name, id, isPublic }: Repository, atMs: number): Json {
  const full = `${organisation.login}/${name}`;
  return {
    ...{ id, name, full_name: full, private: !isPublic, visibility: isPublic ? 'public' : 'private', fork: false },
    owner: { login: organisation.login, id: organisation.id, type: 'Organization' },
    ...{ html_url: `https://github.com/${full}`, default_branch: 'main', created_at: organisation.createdAt },
    pushed_at: Math.floor(atMs / 1000),
  };
}

export type CommitOf = { id: string; author: Person; committer: Person; message: string; files: readonly string[] };
function commitBody({ id, author, committer, message, files }: CommitOf, time: string): Json {
  const signature = (of: Person) => ({
    name: of.login === 'web-flow' ? 'GitHub' : of.login,
    email: of.login === 'web-flow' ? 'noreply@github.com' : `${of.id}+${of.login}@users.noreply.github.com`,
    username: of.login,
  });
  return {
    ...{ id, tree_id: id, distinct: true, message, timestamp: time, url: `https://github.com/commit/${id}` },
    ...{ author: signature(author), committer: signature(committer), added: [], removed: [], modified: files },
  };
}

export type PushOf = {
  ref: string;
  before: string;
  commits: readonly CommitOf[];
  after: string;
  by: Person;
  forced?: boolean;
};
export function pushBody({ ref, before, commits, after, by, forced = false }: PushOf, time: string): Json {
  const told = commits.map((one) => commitBody(one, time));
  return {
    ...{ ref, before, after, created: before === zeroSha, deleted: after === zeroSha, forced, base_ref: null },
    ...{
      commits: told,
      head_commit: told.at(-1) ?? null,
      pusher: { name: by.login, email: `${by.login}@example.com` },
    },
  };
}

export type ChangeOf = {
  number: number;
  title: string;
  author: Person;
  branch: string;
  head: string;
  base: string;
  commits: number;
  openedAt: string;
};
export function changeBody(
  { number, title, author, branch, head, base, commits, openedAt }: ChangeOf,
  here: Json,
  time: string,
  merged?: { by: Person; revision: string },
): Json {
  return {
    ...{ id: number, number, title, body: null, draft: false, user: accountOf(author), commits },
    ...{ state: merged ? 'closed' : 'open', merged: merged !== undefined, author_association: associationOf(author) },
    ...{ html_url: `${here['html_url']}/pull/${number}`, created_at: openedAt, updated_at: time },
    ...{ closed_at: merged ? time : null, merged_at: merged ? time : null },
    ...{ merged_by: merged ? accountOf(merged.by) : null, merge_commit_sha: merged?.revision ?? null },
    head: { label: branch, ref: branch, sha: head, repo: here },
    base: { label: 'main', ref: 'main', sha: base, repo: here },
  };
}

export const reviewBody = (id: number, by: Person, state: string, commit: string, time: string): Json => ({
  ...{ id, user: accountOf(by), body: null, state, commit_id: commit, submitted_at: time },
  ...{ author_association: associationOf(by), html_url: 'https://github.com/review' },
});

export type RunOf = {
  id: number;
  workflow: string;
  path: string;
  trigger: string;
  branch: string;
  sha: string;
  by: Person;
  attempt: number;
  changes: readonly number[];
};
export function runBody(
  { id, workflow, path, trigger, branch, sha, by, attempt, changes }: RunOf,
  here: Json,
  of: { action: 'requested' | 'in_progress' | 'completed'; time: string; conclusion: string },
): Json {
  return {
    action: of.action,
    workflow: { id: 1, name: workflow, path, state: 'active' },
    workflow_run: {
      ...{ id, name: workflow, path, workflow_id: 1, run_number: 1, run_attempt: attempt, event: trigger },
      ...{ status: of.action === 'requested' ? 'queued' : of.action, head_branch: branch, head_sha: sha },
      conclusion: of.action === 'completed' ? of.conclusion : null,
      ...{ head_repository: here, repository: here, html_url: `${here['html_url']}/actions/runs/${id}` },
      ...{ created_at: of.time, run_started_at: of.time, updated_at: of.time },
      ...{ actor: accountOf(by), triggering_actor: accountOf(by), referenced_workflows: [] },
      pull_requests: changes.map((number) => ({ number })),
    },
  };
}

export type JobOf = {
  id: number;
  run: RunOf;
  name: string;
  runner: { id: number; name: string; group: { id: number; name: string }; labels: readonly string[] };
  environment?: string | undefined;
  deployment?: number | undefined;
};
export function jobBody(
  { id, run, name, runner, environment, deployment }: JobOf,
  of: {
    action: 'queued' | 'in_progress' | 'completed';
    createdAt: string;
    startedAt: string;
    time: string;
    conclusion: string;
  },
): Json {
  const isAssigned = of.action !== 'queued';
  return {
    action: of.action,
    workflow_job: {
      ...{ id, run_id: run.id, run_attempt: run.attempt, workflow_name: run.workflow, name, status: of.action },
      ...{ head_branch: run.branch, head_sha: run.sha, html_url: `https://github.com/job/${id}`, steps: [] },
      conclusion: of.action === 'completed' ? of.conclusion : null,
      ...{ created_at: of.createdAt, started_at: of.startedAt, labels: runner.labels },
      completed_at: of.action === 'completed' ? of.time : null,
      ...{ runner_id: isAssigned ? runner.id : null, runner_name: isAssigned ? runner.name : null },
      runner_group_id: isAssigned ? runner.group.id : null,
      runner_group_name: isAssigned ? runner.group.name : null,
    },
    ...(environment === undefined
      ? {}
      : {
          deployment: {
            ...{ id: deployment, sha: run.sha, ref: run.branch, task: 'deploy', environment },
            production_environment: environment === 'production',
          },
        }),
  };
}
