import type { ResponseStep } from '@tripline/contracts/response';
import { type Action, changeOnce, checkByListing } from './action.ts';

type RevokePat = Extract<ResponseStep, { action: 'revoke-fine-grained-pat' }>;

/**
 * A4: revokes a fine-grained personal access token's access to an organisation. Only a GitHub App may ask for it. What
 * the token made while it lived, such as SSH keys, survives it.
 */
export const revokeFineGrainedPat: Action<RevokePat> = {
  code: 'A4',
  reversible: false,
  undo: () => 'irreversible; its owner can ask for access with a new token',
  scope: (step) => ({ owner: step.organization, permissions: { organization_personal_access_tokens: 'write' } }),
  request: (step) => ({
    route: 'POST /orgs/{org}/personal-access-tokens/{pat_id}',
    parameters: { org: step.organization, pat_id: step.patId, action: 'revoke' },
  }),
  act: (step, context) => changeOnce(revokeFineGrainedPat.request(step), context),
  check: (step, { client }) =>
    checkByListing(
      client,
      { route: 'GET /orgs/{org}/personal-access-tokens', parameters: { org: step.organization } },
      {
        id: step.patId,
        alive: `the token still has access to ${step.organization}`,
        dead: `the token is no longer among those with access to ${step.organization}`,
      },
    ),
};
