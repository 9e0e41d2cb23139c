import { createHash } from 'node:crypto';
import type { Cast, ScenarioStep } from './scenario.ts';

/**
 * Bodies as GitHub's webhooks send them, built for a cast. Field by field after GitHub's documentation of each event:
 * https://docs.github.com/en/webhooks/webhook-events-and-payloads
 */
type Json = Record<string, unknown>;
export const zeroSha = '0'.repeat(40);

/** As many as five hexadecimal digits tell. A number of JSON holds it times the largest seed, 2 ** 32. */
const idsOfAPlaying = 16 ** 5;

/** People and repositories of a cast, and the clock of its playing. */
export type Stage = ReturnType<typeof createStage>;

export function createStage(cast: Cast) {
  const digits = (text: string) => Number.parseInt(createHash('sha256').update(text).digest('hex').slice(0, 5), 16);
  /** A number for a thing of this playing; a name always gives the same one. Of so many that two things hardly ever share one. */
  const id = (name: string) => cast.seed * idsOfAPlaying + digits(name);
  const sha = (name: string) => createHash('sha1').update(`${cast.organization} ${cast.seed} ${name}`).digest('hex');
  const time = (atMs: number) => new Date(cast.startMs + atMs).toISOString();

  const organization = {
    login: cast.organization,
    id: id('organization'),
    url: `https://api.github.com/orgs/${cast.organization}`,
    description: 'An organisation that exists only in a drill',
  };
  function user(login: string) {
    const bot = login.endsWith('[bot]');
    return {
      login,
      id: id(`user ${login}`),
      type: bot ? 'Bot' : 'User',
      site_admin: false,
      url: `https://api.github.com/users/${login}`,
      html_url: `https://github.com/${bot ? `apps/${login.slice(0, -5)}` : login}`,
    };
  }
  function repository(name: string, atMs: number, owner: Json = { ...organization, type: 'Organization' }) {
    const fullName = `${String(owner['login'])}/${name}`;
    return {
      id: id(`repository ${fullName}`),
      name,
      full_name: fullName,
      private: false,
      visibility: 'public',
      owner,
      html_url: `https://github.com/${fullName}`,
      url: `https://api.github.com/repos/${fullName}`,
      fork: owner['login'] !== cast.organization,
      default_branch: 'main',
      created_at: '2024-01-15T09:00:00Z',
      updated_at: time(atMs),
      pushed_at: Math.floor((cast.startMs + atMs) / 1000),
    };
  }
  return {
    cast,
    id,
    sha,
    time,
    organization,
    user,
    repository,
    fullName: (name: string) => `${cast.organization}/${name}`,
  };
}

export type StepText = Pick<ScenarioStep, 'name' | 'says' | 'atMs'>;

export function step(stage: Stage, told: StepText, event: string, sender: string, body: Json): ScenarioStep {
  return {
    ...told,
    source: 'github',
    event,
    body: { ...body, organization: stage.organization, sender: stage.user(sender) },
  };
}

export type PushOf = {
  repository: string;
  ref: string;
  by: string;
  before: string;
  after: string;
  message: string;
  /** What its commit changes; `added` what it adds. */
  files: string[];
  added?: string[];
  /** Whom the commit names as its author and committer beside the pusher: an account by its login, or a name that is nobody's. */
  as?: string | { name: string; email: string };
  /** `web-flow` when GitHub itself made the commit, as it does in a merge. */
  committer?: string;
  forced?: boolean;
};
export function push(stage: Stage, told: StepText, of: PushOf): ScenarioStep {
  const mail = (login: string) => {
    if (login === 'web-flow') return 'noreply@github.com';
    return login === of.as ? `${stage.user(login).id}+${login}@users.noreply.github.com` : `${login}@example.com`;
  };
  const accountOf = (login: string) => ({
    name: login === 'web-flow' ? 'GitHub' : login,
    email: mail(login),
    username: login,
  });
  const author = typeof of.as === 'object' ? of.as : accountOf(of.as ?? of.by);
  const commit = {
    id: of.after,
    tree_id: stage.sha(`tree ${of.after}`),
    distinct: true,
    message: of.message,
    timestamp: stage.time(told.atMs),
    url: `https://github.com/${stage.fullName(of.repository)}/commit/${of.after}`,
    author,
    committer: of.committer === undefined ? author : accountOf(of.committer),
    added: of.added ?? [],
    removed: [],
    modified: of.files,
  };
  const deleted = of.after === zeroSha;
  return step(stage, told, 'push', of.by, {
    ref: of.ref,
    before: of.before,
    after: of.after,
    created: of.before === zeroSha,
    deleted,
    forced: of.forced ?? false,
    base_ref: null,
    compare: `https://github.com/${stage.fullName(of.repository)}/compare/${of.before.slice(0, 12)}...${of.after.slice(0, 12)}`,
    commits: deleted ? [] : [commit],
    head_commit: deleted ? null : commit,
    pusher: { name: of.by, email: mail(of.by) },
    repository: stage.repository(of.repository, told.atMs),
  });
}

/** A branch or tag that came (`create`) or went (`delete`). */
export function ref(
  stage: Stage,
  told: StepText,
  event: 'create' | 'delete',
  of: { repository: string; ref: string; type: 'branch' | 'tag'; by: string },
): ScenarioStep {
  return step(stage, told, event, of.by, {
    ref: of.ref,
    ref_type: of.type,
    ...(event === 'create' ? { master_branch: 'main', description: null } : {}),
    pusher_type: 'user',
    repository: stage.repository(of.repository, told.atMs),
  });
}

export type ChangeOf = {
  repository: string;
  number: number;
  title: string;
  author: string;
  association: string;
  head: string;
  branch: string;
  base: string;
  /** When it was opened, ms after the start. */
  openedAtMs?: number;
  /** The head lies in the author's own fork. */
  fork?: boolean;
  /** The fork was deleted since: GitHub tells of no repository then. */
  forkDeleted?: boolean;
  merged?: { by: string; revision: string };
};
function change(stage: Stage, told: StepText, of: ChangeOf, state: 'open' | 'closed'): Json {
  const here = stage.repository(of.repository, told.atMs);
  const there = of.fork ? stage.repository(of.repository, told.atMs, stage.user(of.author)) : here;
  const url = `${here.html_url}/pull/${of.number}`;
  return {
    id: stage.id(`change ${of.number}`),
    number: of.number,
    html_url: url,
    title: of.title,
    body: null,
    state,
    draft: false,
    user: stage.user(of.author),
    author_association: of.association,
    head: {
      label: `${there.owner['login']}:${of.branch}`,
      ref: of.branch,
      sha: of.head,
      repo: of.forkDeleted ? null : there,
    },
    base: { label: `${stage.cast.organization}:main`, ref: 'main', sha: of.base, repo: here },
    created_at: stage.time(of.openedAtMs ?? 0),
    updated_at: stage.time(told.atMs),
    closed_at: state === 'closed' ? stage.time(told.atMs) : null,
    merged: of.merged !== undefined,
    merged_at: of.merged ? stage.time(told.atMs) : null,
    merged_by: of.merged ? stage.user(of.merged.by) : null,
    merge_commit_sha: of.merged?.revision ?? null,
  };
}

export function pullRequest(
  stage: Stage,
  told: StepText,
  action: 'opened' | 'closed' | 'labeled' | 'synchronize',
  of: ChangeOf & {
    /** Who put `label` on it. */
    by?: string;
    label?: string;
    /** Its head before the push that `synchronize` tells. */
    before?: string;
  },
): ScenarioStep {
  const opened = action === 'opened' ? { ...of, openedAtMs: told.atMs } : of;
  return step(stage, told, 'pull_request', of.by ?? of.merged?.by ?? of.author, {
    action,
    number: of.number,
    ...(of.label === undefined ? {} : { label: { id: stage.id(`label ${of.label}`), name: of.label } }),
    ...(of.before === undefined ? {} : { before: of.before, after: of.head }),
    pull_request: change(stage, told, opened, action === 'closed' ? 'closed' : 'open'),
    repository: stage.repository(of.repository, told.atMs),
  });
}

export function approval(stage: Stage, told: StepText, by: string, of: ChangeOf): ScenarioStep {
  const { merged: _, ...open } = of;
  return step(stage, told, 'pull_request_review', by, {
    action: 'submitted',
    review: {
      id: stage.id(`review ${of.number}`),
      user: stage.user(by),
      body: null,
      state: 'approved',
      commit_id: of.head,
      submitted_at: stage.time(told.atMs),
      author_association: 'MEMBER',
      html_url: `https://github.com/${stage.fullName(of.repository)}/pull/${of.number}#pullrequestreview`,
    },
    pull_request: change(stage, told, open, 'open'),
    repository: stage.repository(of.repository, told.atMs),
  });
}

export type RunOf = {
  repository: string;
  name: string;
  path: string;
  trigger: string;
  by: string;
  revision: string;
  branch: string;
  /** Owner of the fork that the head lies in. */
  fork?: string;
  /** Where the base of the change stood: of a run by `pull_request_target` GitHub says it as `head_sha`. */
  base?: string;
};
const headShaOf = ({ trigger, base, revision }: RunOf) =>
  trigger === 'pull_request_target' ? (base ?? revision) : revision;
export const runId = (stage: Stage, of: RunOf) => stage.id(`run ${of.repository} ${of.path} ${of.revision}`);

type RunAction = 'requested' | 'in_progress' | 'completed';
export function run(stage: Stage, told: StepText, action: RunAction, of: RunOf): ScenarioStep {
  const here = stage.repository(of.repository, told.atMs);
  const number = runId(stage, of);
  const workflow = { id: stage.id(`workflow ${of.path}`), name: of.name, path: of.path, state: 'active' };
  const done = action === 'completed';
  return step(stage, told, 'workflow_run', of.by, {
    action,
    workflow,
    workflow_run: {
      id: number,
      name: of.name,
      path: of.path,
      workflow_id: workflow.id,
      run_number: 41,
      run_attempt: 1,
      event: of.trigger,
      status: action === 'requested' ? 'queued' : action,
      conclusion: done ? 'success' : null,
      head_branch: of.branch,
      head_sha: headShaOf(of),
      head_commit: { id: of.revision, timestamp: stage.time(told.atMs) },
      head_repository: of.fork ? stage.repository(of.repository, told.atMs, stage.user(of.fork)) : here,
      repository: here,
      html_url: `${here.html_url}/actions/runs/${number}`,
      created_at: stage.time(told.atMs),
      run_started_at: stage.time(told.atMs),
      updated_at: stage.time(told.atMs),
      actor: stage.user(of.by),
      triggering_actor: stage.user(of.by),
      referenced_workflows: [],
      pull_requests: [],
    },
    repository: here,
  });
}

export type JobOf = RunOf & {
  job: string;
  /** When it started, ms after the start of the playing. */
  startedAtMs: number;
  /** A self-hosted runner; without one the job runs on a machine of GitHub's. */
  runner?: { id: number; name: string };
  environment?: string;
};
export function job(
  stage: Stage,
  told: StepText,
  action: 'queued' | 'in_progress' | 'completed',
  of: JobOf,
): ScenarioStep {
  const here = stage.repository(of.repository, told.atMs);
  const number = stage.id(`job ${of.repository} ${of.path} ${of.revision} ${of.job}`);
  const assigned = action !== 'queued';
  const hosted = { id: stage.id('hosted runner'), name: 'GitHub Actions 12' };
  const runner = of.runner ?? hosted;
  return step(stage, told, 'workflow_job', of.by, {
    action,
    workflow_job: {
      id: number,
      run_id: runId(stage, of),
      run_attempt: 1,
      workflow_name: of.name,
      name: of.job,
      head_branch: of.branch,
      head_sha: headShaOf(of),
      html_url: `${here.html_url}/actions/runs/${runId(stage, of)}/job/${number}`,
      status: action,
      conclusion: action === 'completed' ? 'success' : null,
      created_at: stage.time(of.startedAtMs),
      started_at: stage.time(of.startedAtMs),
      completed_at: action === 'completed' ? stage.time(told.atMs) : null,
      labels: of.runner ? ['self-hosted', 'linux', 'x64'] : ['ubuntu-latest'],
      runner_id: assigned ? runner.id : null,
      runner_name: assigned ? runner.name : null,
      runner_group_id: assigned ? (of.runner ? 1 : 0) : null,
      runner_group_name: assigned ? (of.runner ? 'Default' : 'GitHub Actions') : null,
      steps: [],
    },
    ...(of.environment === undefined
      ? {}
      : {
          deployment: {
            id: stage.id(`deployment ${of.environment}`),
            sha: of.revision,
            ref: of.branch,
            task: 'deploy',
            environment: of.environment,
            original_environment: of.environment,
            production_environment: of.environment === 'production',
            creator: stage.user('github-actions[bot]'),
          },
        }),
    repository: here,
  });
}

export function invitation(stage: Stage, told: StepText, of: { by: string; invitee: string }): ScenarioStep {
  return step(stage, told, 'organization', of.by, {
    action: 'member_invited',
    invitation: {
      id: stage.id(`invitation ${of.invitee}`),
      login: of.invitee,
      email: null,
      role: 'direct_member',
      created_at: stage.time(told.atMs),
      inviter: stage.user(of.by),
      team_count: 1,
    },
    user: stage.user(of.invitee),
  });
}

export function membership(stage: Stage, told: StepText, of: { member: string }): ScenarioStep {
  return step(stage, told, 'organization', of.member, {
    action: 'member_added',
    membership: {
      url: `https://api.github.com/orgs/${stage.cast.organization}/memberships/${of.member}`,
      state: 'active',
      role: 'member',
      organization_url: stage.organization.url,
      user: stage.user(of.member),
    },
  });
}

export function collaborator(
  stage: Stage,
  told: StepText,
  action: 'added' | 'removed',
  of: { repository: string; by: string; member: string; permission: string },
): ScenarioStep {
  return step(stage, told, 'member', of.by, {
    action,
    member: stage.user(of.member),
    ...(action === 'added' ? { changes: { permission: { to: of.permission }, role_name: { to: of.permission } } } : {}),
    repository: stage.repository(of.repository, told.atMs),
  });
}
