import type { ResponseStep } from '@tripline/contracts/response';
import { type GitHubRequest, ownerAndRepo } from '../client.ts';
import { type Action, changeOnce, checkByAddress } from './action.ts';

type DeleteDeployKey = Extract<ResponseStep, { action: 'delete-deploy-key' }>;

const onKey = (step: DeleteDeployKey, method: 'DELETE' | 'GET'): GitHubRequest => ({
  route: `${method} /repos/{owner}/{repo}/keys/{key_id}`,
  parameters: { ...ownerAndRepo(step.repository), key_id: step.keyId },
});

/** A9: deletes a deploy key: SSH access to one repository ends with it. */
export const deleteDeployKey: Action<DeleteDeployKey> = {
  code: 'A9',
  reversible: false,
  undo: (step) => `irreversible; add a key anew: gh repo deploy-key add <public key file> --repo ${step.repository}`,
  scope: (step) => ({
    owner: ownerAndRepo(step.repository).owner,
    repository: step.repository,
    permissions: { administration: 'write' },
  }),
  request: (step) => onKey(step, 'DELETE'),
  act: (step, context) => changeOnce(onKey(step, 'DELETE'), context),
  check: (step, { client }) =>
    checkByAddress(client, onKey(step, 'GET'), {
      alive: () => 'the deploy key is still there',
      dead: 'GitHub knows no such deploy key any more',
    }),
};
