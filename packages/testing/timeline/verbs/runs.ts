import type { Json, Stage } from '../stage.ts';
import { type Said, verb } from '../verb.ts';

export type Run = {
  name: string;
  path: string;
  repository: string;
  revision: string;
  branch: string;
  trigger: string;
  fork: string | undefined;
  attempt: number;
  referenced: string[];
  by: string;
};

/** Runs, as `run 7`, their jobs, and deployments. */
export const runs = [
  /**
   * Options: `trigger <GitHub's event>` (push), `on <branch or tag>` (main), `of fork <owner>`, `path <workflow file>`
   * (`.github/workflows/<workflow>.yml`), `attempt <n>`, `using <workflow>, <workflow>`.
   */
  verb('starts run {run} of {workflow} in {repository} at {commit}', (said, stage) => {
    const run: Run = {
      name: said.the('workflow'),
      path: said.option('path') ?? `.github/workflows/${said.the('workflow')}.yml`,
      repository: said.the('repository'),
      revision: stage.revision(said.the('commit')),
      branch: said.option('on') ?? 'main',
      trigger: said.option('trigger') ?? 'push',
      fork: said.option('of fork'),
      attempt: Number(said.option('attempt') ?? 1),
      referenced:
        said
          .option('using')
          ?.split(',')
          .map((path) => path.trim()) ?? [],
      by: said.who,
    };
    stage.keep(`run ${said.the('run')}`, run);
    tellRun(said, stage, 'requested', run);
  }),
  verb('finishes run {run}', (said, stage) => {
    tellRun(said, stage, 'completed', runOf(said, stage));
  }),
  /**
   * Options: `on <runner>` of your own (GitHub's machine without it), `group <name>`, `group id <id>`, `labels <a>, <b>`,
   * `to <environment>` that it deploys to.
   */
  verb('starts job {job} of run {run}', (said, stage) => {
    tellJob(said, stage, 'in_progress');
  }),
  verb('finishes job {job} of run {run}', (said, stage) => {
    tellJob(said, stage, 'completed');
  }),
  /** A gate of the environment: GitHub asks for a review, and somebody gives it. Option: `and <environment>` of one decision for two. */
  ...(['requests review of', 'approves', 'rejects'] as const).map((does) =>
    verb(`${does} run {run} for {environment}`, (said, stage) => {
      const run = runOf(said, stage);
      const number = runNumber(said.the('run'), stage);
      const environments = [said.the('environment'), said.option('and')].filter((one) => one !== undefined);
      const action = does === 'approves' ? 'approved' : does === 'rejects' ? 'rejected' : 'requested';
      stage.github('deployment_review', said.who, {
        ...{ action, since: stage.time(), repository: stage.repository(run.repository) },
        workflow_run: { id: number, head_branch: run.branch, head_sha: run.revision },
        ...(action === 'requested'
          ? { environment: environments[0], reviewers: [], requestor: stage.user(said.who) }
          : { approver: stage.user(said.who), comment: '', reviewers: [] }),
        workflow_job_runs: environments.map((environment) => ({ environment })),
      });
    }),
  ),
  /** What becomes of a run's deployment. Option: `state <GitHub's>` (success). */
  verb('reports deployment of run {run} to {environment}', (said, stage) => {
    const run = runOf(said, stage);
    const environment = said.the('environment');
    const id = stage.id('deployment', `${said.the('run')} ${environment}`);
    stage.github('deployment_status', said.who, {
      ...{ action: 'created', repository: stage.repository(run.repository), workflow: null, check_run: null },
      deployment_status: { state: said.option('state') ?? 'success', created_at: stage.time() },
      deployment: {
        ...{ id, environment, sha: run.revision, ref: run.branch, task: 'deploy' },
        ...{ production_environment: environment === 'production', creator: stage.user('github-actions[bot]') },
        ...{ created_at: stage.time(), updated_at: stage.time() },
      },
      workflow_run: { id: runNumber(said.the('run'), stage), head_branch: run.branch, head_sha: run.revision },
    });
  }),
  /** `who` is an app where the login ends in `[bot]`. */
  verb('publishes package {package} {version} of {repository}', (said, stage) => {
    const version = { version: said.the('version'), created_at: stage.time() };
    stage.github('registry_package', said.who, {
      ...{ action: 'published', repository: stage.repository(said.the('repository')) },
      registry_package: { name: said.the('package'), package_version: version },
    });
  }),
  verb('publishes release {tag} of {repository}', (said, stage) => {
    stage.github('release', said.who, {
      ...{ action: 'published', repository: stage.repository(said.the('repository')) },
      release: { tag_name: said.the('tag'), target_commitish: 'main', published_at: stage.time() },
    });
  }),
  /** By the API, without a run. Options: `on <branch or tag>`; `with success`, whose status is told too. */
  verb('deploys {commit} of {repository} to {environment}', (said, stage) => {
    const environment = said.the('environment');
    const ref = said.option('on') ?? 'main';
    const body = {
      action: 'created',
      deployment: {
        ...{ id: stage.id('deployment', `${environment} ${said.atMs}`), sha: stage.revision(said.the('commit')), ref },
        ...{ task: 'deploy', environment, original_environment: environment },
        ...{ production_environment: environment === 'production', creator: stage.user(said.who) },
        ...{ created_at: stage.time(), updated_at: stage.time() },
      },
      workflow: null,
      workflow_run: null,
      repository: stage.repository(said.the('repository')),
    };
    stage.github('deployment', said.who, body);
    if (said.option('with success') === undefined) return;
    const status = { state: 'success', environment, created_at: stage.time(), updated_at: stage.time() };
    stage.github('deployment_status', said.who, { ...body, deployment_status: status });
  }),
];

/** @throws {Error} where no line before it started the run. */
export function runOf(said: Said, stage: Stage): Run {
  const run = stage.kept<Run>(`run ${said.the('run')}`);
  if (run === undefined) throw new Error(`nobody has started run ${said.the('run')}`);
  return run;
}

function tellRun(said: Said, stage: Stage, action: 'requested' | 'completed', run: Run): void {
  const here = stage.repository(run.repository);
  const there = run.fork === undefined ? here : stage.repository(`${run.fork}/${here.name}`);
  const number = runNumber(said.the('run'), stage);
  const done = action === 'completed';
  const workflow = { id: stage.id('workflow', run.path), name: run.name, path: run.path, state: 'active' };
  stage.github('workflow_run', run.by, {
    action,
    workflow,
    workflow_run: {
      ...{ id: number, name: run.name, path: run.path, workflow_id: workflow.id, run_number: 41 },
      ...{ run_attempt: run.attempt, event: run.trigger, head_branch: run.branch, head_sha: run.revision },
      ...{ status: done ? 'completed' : 'queued', conclusion: done ? 'success' : null },
      ...{ head_repository: there, repository: here, html_url: `${here.html_url}/actions/runs/${number}` },
      ...{ created_at: stage.time(), run_started_at: stage.time(), updated_at: stage.time() },
      ...{ actor: stage.user(run.by), triggering_actor: stage.user(said.who), pull_requests: [] },
      referenced_workflows: run.referenced.map((path) => ({ path, sha: run.revision, ref: null })),
    },
    repository: here,
  });
}

function tellJob(said: Said, stage: Stage, action: 'in_progress' | 'completed'): void {
  const run = runOf(said, stage);
  const here = stage.repository(run.repository);
  const runName = said.the('run');
  const url = `${here.html_url}/actions/runs/${runNumber(runName, stage)}`;
  const number = stage.id('job', `${runName} ${said.the('job')} ${run.attempt}`);
  const startedPlace = `job ${number} began`;
  if (action === 'in_progress') stage.keep(startedPlace, stage.time());
  const started = stage.kept<string>(startedPlace) ?? stage.time();
  const job: Json = {
    ...{ id: number, run_id: runNumber(runName, stage), run_attempt: run.attempt, workflow_name: run.name },
    ...{ name: said.the('job'), head_branch: run.branch, head_sha: run.revision, html_url: `${url}/job/${number}` },
    ...{ status: action, conclusion: action === 'completed' ? 'success' : null, steps: [] },
    ...{ created_at: started, started_at: started, completed_at: action === 'completed' ? stage.time() : null },
    ...machineOf(said, stage, `${runName} ${said.the('job')}`),
  };
  const environment = said.option('to');
  const deployment = {
    ...{ id: stage.id('deployment', `${runName} ${environment}`), sha: run.revision, ref: run.branch, task: 'deploy' },
    ...{ environment, original_environment: environment, production_environment: environment === 'production' },
    creator: stage.user('github-actions[bot]'),
  };
  stage.github('workflow_job', said.who, {
    ...{ action, workflow_job: job, repository: here },
    ...(environment === undefined ? {} : { deployment }),
  });
}

/** The runner that took the job: once told, the later lines of the job need not say it again. */
function machineOf(said: Said, stage: Stage, job: string): Json {
  const runner = said.option('on');
  const group = said.option('group');
  const groupId = said.option('group id');
  const labels = said.option('labels');
  const known = stage.kept<Json>(`machine ${job}`);
  if (runner === undefined && known !== undefined) return known;
  const own = runner !== undefined;
  const machine = {
    runner_id: own ? stage.id('runner', runner) : 4,
    runner_name: runner ?? 'GitHub Actions 4',
    runner_group_id: own ? Number(groupId ?? 1) : 0,
    runner_group_name: group ?? (own ? 'Default' : 'GitHub Actions'),
    labels: labels?.split(',').map((label) => label.trim()) ?? (own ? ['self-hosted', 'linux'] : ['ubuntu-latest']),
  };
  stage.keep(`machine ${job}`, machine);
  return machine;
}

export const runNumber = (name: string, stage: Stage) => (/^\d+$/.test(name) ? Number(name) : stage.id('run', name));
