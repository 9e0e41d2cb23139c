import { accountOf, jobBody, type RunOf, runBody } from './bodies.ts';
import type { Person, Repository } from './organisation.ts';
import { minuteMs, type World } from './world.ts';

const hostedRunner = (world: World) => ({
  ...{ id: world.chance.serial(), name: `GitHub Actions ${world.chance.upTo(1000)}` },
  ...{ group: { id: 0, name: 'GitHub Actions' }, labels: ['ubuntu-latest'] },
});
function runnerFor(world: World, { pool }: Repository, jobOnPool: boolean) {
  if (pool === undefined || !jobOnPool) return hostedRunner(world);
  return { ...world.chance.pick(pool.runners), group: pool.group, labels: pool.labels };
}

export type Build = {
  workflow: string;
  trigger: string;
  branch: string;
  sha: string;
  by: Person;
  jobs: number;
  changes?: readonly number[];
  /** Environments to which its jobs deploy, one after the other; who lets it in where a gate asks. */
  environments?: readonly { name: string; approver?: Person }[];
  /** Its jobs run on the machines of GitHub's, whatever the repository has. */
  isHosted?: boolean;
};

/** A run of a workflow from its request to its end: each is told three times, each of its jobs as well. */
export function build(world: World, repository: Repository, of: Build): void {
  const { chance } = world;
  const run: RunOf = {
    ...{
      id: chance.serial(),
      workflow: of.workflow,
      path: `.github/workflows/${of.workflow}.yml`,
      trigger: of.trigger,
    },
    ...{ branch: of.branch, sha: of.sha, by: of.by, attempt: 1, changes: of.changes ?? [] },
  };
  const conclusion = chance.percent(7) ? 'failure' : 'success';
  tellRun('requested');
  const begunMs = world.now() + 4000 + chance.upTo(20_000);
  world.at(begunMs, () => tellRun('in_progress'));
  const environments = of.environments ?? [];
  let endMs = begunMs;
  for (let nth = 0; nth < of.jobs; nth += 1)
    endMs = Math.max(endMs, job(`job-${nth + 1}`, begunMs + chance.upTo(15_000)));
  for (const { name, approver } of environments) {
    const waitMs = approver === undefined ? 0 : 5 * minuteMs + chance.upTo(30 * minuteMs);
    if (approver !== undefined) gate(name, approver, endMs + 1000, waitMs);
    endMs = job(`deploy-${name}`, endMs + waitMs + 5000, name);
  }
  world.at(endMs + 3000, () => tellRun('completed'));

  function tellRun(action: 'requested' | 'in_progress' | 'completed'): void {
    world.tell('workflow_run', of.by, repository, runBody(run, hereOf(), { action, time: world.time(), conclusion }));
  }
  function hereOf() {
    const { organisation } = world;
    return {
      id: repository.id,
      full_name: `${organisation.login}/${repository.name}`,
      html_url: `https://github.com/${organisation.login}/${repository.name}`,
    };
  }
  /** One job; answers when it ends. */
  function job(name: string, queuedMs: number, environment?: string): number {
    const [id, deployment] = [chance.serial(), environment === undefined ? undefined : chance.serial()];
    const runner = runnerFor(world, repository, !of.isHosted);
    const startedMs = queuedMs + 3000 + chance.upTo(40_000);
    const doneMs = startedMs + Math.round(chance.spread({ p50: 90_000, p90: 600_000, p99: 1_800_000 }));
    const [createdAt, startedAt] = [world.time(queuedMs), world.time(startedMs)];
    const say = (action: 'queued' | 'in_progress' | 'completed') =>
      world.tell(
        'workflow_job',
        of.by,
        repository,
        jobBody(
          { id, run, name, runner, environment, deployment },
          { action, createdAt, startedAt, time: world.time(), conclusion },
        ),
      );
    world.at(queuedMs, () => say('queued'));
    world.at(startedMs, () => say('in_progress'));
    world.at(doneMs, () => {
      say('completed');
      if (environment === undefined) return;
      const made = {
        id: deployment,
        sha: of.sha,
        ref: of.branch,
        task: 'deploy',
        environment,
        production_environment: environment === 'production',
        creator: accountOf(of.by),
        created_at: createdAt,
      };
      world.tell('deployment_status', of.by, repository, {
        ...{ action: 'created', deployment: made, deployment_status: { state: conclusion, created_at: world.time() } },
        workflow_run: { id: run.id, head_branch: of.branch, head_sha: of.sha },
      });
    });
    return doneMs;
  }
  function gate(name: string, approver: Person, askedMs: number, waitMs: number): void {
    const about = { workflow_run: { id: run.id, head_branch: of.branch, head_sha: of.sha }, environment: name };
    world.at(askedMs, () =>
      world.tell('deployment_review', of.by, repository, {
        action: 'requested',
        ...about,
        since: world.time(),
        reviewers: [{ type: 'User', reviewer: accountOf(approver) }],
      }),
    );
    world.at(askedMs + waitMs - 2000, () =>
      world.tell('deployment_review', approver, repository, {
        action: 'approved',
        ...about,
        since: world.time(),
        approver: accountOf(approver),
      }),
    );
  }
}

/** What is built of a commit that came to main. */
export function buildMain(world: World, repository: Repository, sha: string, by: Person): void {
  const { chance } = world;
  build(world, repository, { workflow: 'ci', trigger: 'push', branch: 'main', sha, by, jobs: 1 + chance.upTo(4) });
  if (repository.isDeployed && chance.percent(60)) {
    const approver = repository.team.find(({ login }) => login !== by.login) ?? by;
    const environments = [{ name: 'staging' }, { name: 'production', approver }];
    build(world, repository, { workflow: 'deploy', trigger: 'push', branch: 'main', sha, by, jobs: 1, environments });
  }
}
