import { type Said, verb } from '../verb.ts';
import { type Run, runNumber, runOf } from './runs.ts';

/** Tripline as a protection rule of an environment: what GitHub asks it, and what it answers. */
export const gates = [
  /** Option: `without a deployment`, as of a job that makes none. */
  verb('asks the gate about run {run} for {environment}', (said, stage) => {
    const run = runOf(said, stage);
    const environment = said.the('environment');
    const repository = stage.repository(run.repository);
    const number = runNumber(said.the('run'), stage);
    const deployment = {
      ...{ id: stage.id('deployment', `${said.the('run')} ${environment} ${said.atMs}`), environment },
      ...{ sha: run.revision, ref: run.branch, task: 'deploy', production_environment: environment === 'production' },
      ...{ creator: stage.user('github-actions[bot]'), created_at: stage.time(), updated_at: stage.time() },
    };
    stage.github('deployment_protection_rule', said.who, {
      ...{ action: 'requested', environment, event: run.trigger, sha: run.revision, ref: `refs/heads/${run.branch}` },
      deployment_callback_url: `https://api.github.com/repos/${repository.full_name}/actions/runs/${number}/deployment_protection_rule`,
      deployment: said.option('without a deployment') === undefined ? deployment : null,
      ...{ pull_requests: [], repository, installation: { id: 4711 } },
    });
    stage.keep(questionName(said), stage.told.at(-1)!.id);
  }),
  /** What the gate answers: granted, denied or pending. Options: `attempt <n>` (1), `in a dry run`. */
  verb('answers the gate about run {run} for {environment} with {decision}', (said, stage) => {
    const run: Run = runOf(said, stage);
    const repository = stage.repository(run.repository);
    stage.feed(
      'dev.cdeventsx.tripline-gate.decided',
      {
        ...{ 'vcs.provider.name': 'github', 'vcs.repository.name': repository.full_name },
        ...{ 'vcs.repository.id': String(repository.id), 'vcs.repository.url.full': repository.html_url },
        'cicd.pipeline.run.id': String(runNumber(said.the('run'), stage)),
        'tripline.pipeline.run.attempt': Number(said.option('attempt') ?? 1),
        'deployment.environment.name': said.the('environment'),
        'tripline.access.decision': said.the('decision') as 'granted' | 'denied' | 'pending',
        'tripline.deployment.question': stage.kept<string>(questionName(said)) ?? 'nobody asked',
        ...(said.option('in a dry run') === undefined ? {} : { 'tripline.access.dry_run': true as const }),
      },
      repository.owner.login,
    );
  }),
];

const questionName = (said: Said): string => `question about ${said.the('run')} for ${said.the('environment')}`;
