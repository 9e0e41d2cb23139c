import type { IntentOf } from '@tripline/contracts/response';
import { type GitHubRequest, ownerAndRepo } from '../client.ts';
import { type Action, askByAddress, changeOnce, checkByAddress, noTargets } from './action.ts';

type RevokeDeployKey = Extract<IntentOf<'revoke-credential'>, { credential: 'deploy-key' }>;

const onKey = (step: RevokeDeployKey, method: 'DELETE' | 'GET'): GitHubRequest => ({
  route: `${method} /repos/{owner}/{repo}/keys/{key_id}`,
  parameters: { ...ownerAndRepo(step.repository), key_id: step.credentialId },
});

/** A9: deletes a deploy key: SSH access to one repository ends with it. */
export const revokeDeployKey: Action<RevokeDeployKey> = {
  code: 'A9',
  reversible: false,
  undo: (step) => `irreversible; add a key anew: gh repo deploy-key add <public key file> --repo ${step.repository}`,
  scope: (step) => ({
    owner: ownerAndRepo(step.repository).owner,
    repository: step.repository,
    permissions: { administration: 'write' },
  }),
  targets: ({ repository }) => ({ ...noTargets, repositories: [repository] }),
  request: (step) => onKey(step, 'DELETE'),
  ask: (step, context) =>
    askByAddress(context, onKey(step, 'GET'), {
      absent: 'there is no such deploy key',
      read({ created_at: at, added_by: by }) {
        const since = `${at ? ` since ${at}` : ''}${by ? `, added by ${by}` : ''}`;
        return {
          result: 'so',
          detail: `the deploy key is there${since}`,
          people: typeof by === 'string' ? [{ login: by }] : [],
        };
      },
    }),
  act: (step, context) => changeOnce(onKey(step, 'DELETE'), context),
  check: (step, { client }) =>
    checkByAddress(client, onKey(step, 'GET'), {
      alive: () => 'the deploy key is still there',
      dead: 'GitHub knows no such deploy key any more',
    }),
};
