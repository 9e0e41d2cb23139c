import type { IntentOf } from '@tripline/contracts/response';
import { type GitHubRequest, ownerAndRepo } from '../client.ts';
import {
  type Action,
  type Asking,
  askByAddress,
  changeOnce,
  checkByAsking,
  noTargets,
  scopeOnRepository,
} from './action.ts';

type StopWorkflow = IntentOf<'stop-workflow'>;

/** GitHub knows a workflow by the name of its file too. */
const onWorkflow = (step: StopWorkflow & { workflow: string }, route: string): GitHubRequest => ({
  route,
  parameters: { ...ownerAndRepo(step.repository), workflow_id: step.workflow.split('/').at(-1) },
});
const onRepository = (step: StopWorkflow, method: 'GET' | 'PUT', more: object = {}): GitHubRequest => ({
  route: `${method} /repos/{owner}/{repo}/actions/permissions`,
  parameters: { ...ownerAndRepo(step.repository), ...more },
});
const isOfOne = (step: StopWorkflow): step is StopWorkflow & { workflow: string } => step.workflow !== undefined;

/** A2: disables a workflow, or GitHub Actions of a repository as a whole. Runs that are under way go on. */
export const stopWorkflow: Action<StopWorkflow> = {
  code: 'A2',
  reversible: true,
  undo: (step) =>
    isOfOne(step)
      ? `gh workflow enable ${step.workflow.split('/').at(-1)} --repo ${step.repository}`
      : `allow Actions again at https://${step.instance}/${step.repository}/settings/actions`,
  scope: (step) =>
    scopeOnRepository(step.repository, isOfOne(step) ? { actions: 'write' } : { administration: 'write' }),
  targets: ({ repository }) => ({ ...noTargets, repositories: [repository] }),
  request: (step) =>
    isOfOne(step)
      ? onWorkflow(step, 'PUT /repos/{owner}/{repo}/actions/workflows/{workflow_id}/disable')
      : onRepository(step, 'PUT', { enabled: false }),
  ask,
  act: (step, context) => changeOnce(stopWorkflow.request(step), context),
  check: checkByAsking(ask),
};

function ask(step: StopWorkflow, context: Asking) {
  if (!isOfOne(step)) {
    return askByAddress(context, onRepository(step, 'GET'), {
      absent: `there is no ${step.repository}`,
      read({ enabled }) {
        if (typeof enabled !== 'boolean') return unclear;
        return {
          result: enabled ? 'so' : 'not-so',
          detail: `Actions are ${enabled ? 'allowed' : 'off'} in ${step.repository}`,
        };
      },
    });
  }
  return askByAddress(context, onWorkflow(step, 'GET /repos/{owner}/{repo}/actions/workflows/{workflow_id}'), {
    absent: `there is no workflow ${step.workflow} in ${step.repository}`,
    read({ state, path }) {
      // It is asked for by the name of its file alone.
      if (typeof path === 'string' && step.workflow.includes('/') && path !== step.workflow) {
        return {
          result: 'not-so',
          detail: `the workflow of that name is ${path}, and not ${step.workflow}`,
          alive: true,
        };
      }
      if (typeof state !== 'string') return unclear;
      return { result: state === 'active' ? 'so' : 'not-so', detail: `the workflow is ${state.replaceAll('_', ' ')}` };
    },
  });
}

const unclear = { result: 'unknown', reason: 'unclear', detail: 'GitHub does not say whether it is on' } as const;
