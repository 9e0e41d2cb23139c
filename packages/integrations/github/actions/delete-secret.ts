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

/** It says of whom the secret is: a repository, an environment of it, or an organisation. */
export type DeleteSecret = IntentOf<'delete-secret'> & ({ repository: string } | { organization: string });

function onSecret(step: DeleteSecret, method: 'DELETE' | 'GET'): GitHubRequest {
  const { repository, environment, secret: secret_name } = step;
  if (repository === undefined) {
    return {
      route: `${method} /orgs/{org}/actions/secrets/{secret_name}`,
      parameters: { org: step.organization, secret_name },
    };
  }
  const of = ownerAndRepo(repository);
  return environment === undefined
    ? { route: `${method} /repos/{owner}/{repo}/actions/secrets/{secret_name}`, parameters: { ...of, secret_name } }
    : {
        route: `${method} /repos/{owner}/{repo}/environments/{environment_name}/secrets/{secret_name}`,
        parameters: { ...of, environment_name: environment, secret_name },
      };
}

/** A8: deletes the stored copy of a secret, so that no further run is given it. What copied it before still has it. */
export const deleteSecret: Action<DeleteSecret> = {
  code: 'A8',
  reversible: false,
  undo: (step) => `irreversible; revoke it where it was issued, and store a new one: gh secret set ${step.secret}`,
  scope: ({ repository, organization, environment }) =>
    repository === undefined
      ? { owner: organization!, permissions: { organization_secrets: 'write' } }
      : scopeOnRepository(repository, environment === undefined ? { secrets: 'write' } : { environments: 'write' }),
  targets: ({ repository }) => ({ ...noTargets, repositories: repository === undefined ? [] : [repository] }),
  request: (step) => onSecret(step, 'DELETE'),
  ask,
  act: (step, context) => changeOnce(onSecret(step, 'DELETE'), context),
  check: checkByAsking(ask),
};

function ask(step: DeleteSecret, context: Asking) {
  const { secret, storedBefore } = step;
  return askByAddress(context, onSecret(step, 'GET'), {
    absent: `there is no secret ${secret}`,
    read({ updated_at: at }) {
      const stored = `the secret is stored${at ? `, since ${at}` : ''}`;
      if (storedBefore === undefined) return { result: 'so', detail: stored };
      const storedMs = typeof at === 'string' ? Date.parse(at) : Number.NaN;
      if (Number.isNaN(storedMs)) {
        const detail = `${stored}: whether that was before ${storedBefore}, GitHub does not say`;
        return { result: 'unknown', reason: 'unclear', detail };
      }
      if (storedMs < Date.parse(storedBefore)) return { result: 'so', detail: stored };
      return { result: 'not-so', detail: `${stored}, and so made anew after ${storedBefore}`, alive: true };
    },
  });
}
