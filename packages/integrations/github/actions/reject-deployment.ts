import type { IntentOf } from '@tripline/contracts/response';
import { GitHubRefusedError, type GitHubRequest, ownerAndRepo } from '../client.ts';
import {
  type Action,
  type Asked,
  type Asking,
  asked,
  changeOnce,
  checkByAsking,
  noTargets,
  scopeOnRepository,
} from './action.ts';

type RejectDeployment = IntentOf<'reject-deployment'>;

const ofRun = (step: RejectDeployment, route: string, more: object = {}): GitHubRequest => ({
  route,
  parameters: { ...ownerAndRepo(step.repository), run_id: step.runId, ...more },
});

/**
 * A10: says no for Tripline's App where it is a protection rule of the environment. Reviews are people's alone: GitHub lets no
 * App give one.
 */
export const rejectDeployment: Action<RejectDeployment> = {
  code: 'A10',
  reversible: false,
  undo: (step) => `irreversible; the run can be started anew: gh run rerun ${step.runId} --repo ${step.repository}`,
  scope: (step) => scopeOnRepository(step.repository, { deployments: 'write', actions: 'read' }),
  targets: ({ repository }) => ({ ...noTargets, repositories: [repository] }),
  request: (step) =>
    ofRun(step, 'POST /repos/{owner}/{repo}/actions/runs/{run_id}/deployment_protection_rule', {
      environment_name: step.environment,
      state: 'rejected',
      comment: 'Rejected by Tripline',
    }),
  ask: (step, context) =>
    asked(context.clock, async () => {
      const pending = await waits(step, context);
      if (pending.result !== 'so') return pending;
      if (await isGate(step, context)) return pending;
      return {
        result: 'not-so',
        detail: `the App is no protection rule of ${step.environment}: reject it under "Review deployments" at https://${step.instance}/${step.repository}/actions/runs/${step.runId}`,
        alive: true,
      };
    }),
  act: (step, context) => changeOnce(rejectDeployment.request(step), context),
  check: checkByAsking((step, context) => asked(context.clock, () => waits(step, context))),
};

type Pending = { environment?: { name?: string } };

async function waits(step: RejectDeployment, { client }: Pick<Asking, 'client'>): Promise<Asked> {
  const request = ofRun(step, 'GET /repos/{owner}/{repo}/actions/runs/{run_id}/pending_deployments');
  const answer = await client.send(request);
  if (answer.status === 404) return { result: 'not-so', detail: 'there is no such run' };
  if (answer.status !== 200 || !Array.isArray(answer.data)) throw new GitHubRefusedError(request, answer);
  const isWaiting = (answer.data as Pending[]).some(({ environment }) => environment?.name === step.environment);
  return isWaiting
    ? { result: 'so', detail: `the deployment to ${step.environment} waits` }
    : { result: 'not-so', detail: `no deployment of the run to ${step.environment} waits` };
}

type Rules = { custom_deployment_protection_rules?: { enabled?: boolean; app?: { id?: number } }[] };

/** Whether the App is among the rules of the environment, and so may say no. */
async function isGate(step: RejectDeployment, { client, appId }: Asking): Promise<boolean> {
  const request: GitHubRequest = {
    route: 'GET /repos/{owner}/{repo}/environments/{environment_name}/deployment_protection_rules',
    parameters: { ...ownerAndRepo(step.repository), environment_name: step.environment },
  };
  const answer = await client.send(request);
  if (answer.status === 404) return false;
  const rules = (answer.data as Rules | null)?.custom_deployment_protection_rules;
  if (answer.status !== 200 || !Array.isArray(rules)) throw new GitHubRefusedError(request, answer);
  return rules.some(({ enabled, app }) => enabled === true && appId !== undefined && String(app?.id) === appId);
}
