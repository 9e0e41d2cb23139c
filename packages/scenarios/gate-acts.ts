import type { Attributes } from '@tripline/contracts/attributes';
import { eventId } from './deliveries.ts';
import { type RunOf, runId, type Stage, type StepText, step } from './github-bodies.ts';
import type { ScenarioStep } from './scenario.ts';

/** A run whose job waits for an environment of which Tripline is a protection rule. */
export type WaitingRun = RunOf & { environment: string };

/** GitHub asks Tripline's App whether the deployment may go on. */
export function gateAsked(stage: Stage, told: StepText, of: WaitingRun): ScenarioStep {
  const repository = stage.repository(of.repository, told.atMs);
  return step(stage, told, 'deployment_protection_rule', 'github-actions[bot]', {
    ...{ action: 'requested', environment: of.environment, event: of.trigger },
    ...{ sha: of.revision, ref: `refs/heads/${of.branch}`, pull_requests: [], repository },
    deployment_callback_url: `${repository.url}/actions/runs/${runId(stage, of)}/deployment_protection_rule`,
    deployment: {
      ...{ id: stage.id(`deployment ${of.environment}`), sha: of.revision, ref: of.branch, task: 'deploy' },
      ...{ environment: of.environment, production_environment: of.environment === 'production' },
      ...{ creator: stage.user('github-actions[bot]'), created_at: stage.time(told.atMs) },
    },
    installation: { id: stage.id('installation of the gate') },
  });
}

/** Tripline answers what GitHub asked by step `question`; `against`: conditions that speak against it, as policies call them. */
export function gateAnswered(
  stage: Stage,
  told: StepText,
  { question, against = [], ...of }: WaitingRun & { question: string; against?: readonly string[] },
): ScenarioStep {
  const { full_name, id } = stage.repository(of.repository, told.atMs);
  const data: Attributes = {
    ...{ 'vcs.provider.name': 'github', 'tripline.provider.instance': 'github.com' },
    ...{ 'vcs.owner.name': stage.organization.login, 'vcs.repository.name': full_name },
    ...{ 'vcs.repository.id': String(id), 'cicd.pipeline.run.id': String(runId(stage, of)) },
    ...{ 'tripline.pipeline.run.attempt': 1, 'vcs.ref.head.revision': of.revision },
    'deployment.environment.name': of.environment,
    'tripline.deployment.question': eventId(stage.cast, { source: 'github', name: question }),
    'tripline.access.decision': against.length === 0 ? 'granted' : 'denied',
    'tripline.access.policy': `deploy-${of.repository}`,
    'tripline.access.reasons': against.map((condition) => ({
      ...{ condition, state: 'failed', wanted: 'as the policy says', found: 'another' },
    })),
  };
  return {
    ...{ ...told, source: 'tripline', event: 'dev.cdeventsx.tripline-gate.decided' },
    body: data as Record<string, unknown>,
  };
}
