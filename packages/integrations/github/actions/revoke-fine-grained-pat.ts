import type { ResponseStep } from '@tripline/contracts/response';
import { outcomeOf, outcomeOfError } from '../classify.ts';
import { GitHubRefused, type GitHubRequest } from '../client.ts';
import { type Action, changeOnce, checkByListing, listingLimit } from './action.ts';

type RevokePat = Extract<ResponseStep, { action: 'revoke-fine-grained-pat' }>;

const listing = (step: RevokePat): GitHubRequest => ({
  route: 'GET /orgs/{org}/personal-access-tokens',
  parameters: { org: step.organization },
});
const revocation = (step: RevokePat, grantId: string): GitHubRequest => ({
  route: 'POST /orgs/{org}/personal-access-tokens/{pat_id}',
  parameters: { org: step.organization, pat_id: grantId, action: 'revoke' },
});

/**
 * A4: revokes a fine-grained personal access token's access to an organisation. Only a GitHub App may ask for it. What
 * the token made while it lived, such as SSH keys, survives it. GitHub revokes by the id of the organisation's grant,
 * which no feed tells, so the grant of the token is looked up first.
 */
export const revokeFineGrainedPat: Action<RevokePat> = {
  code: 'A4',
  reversible: false,
  undo: () => 'irreversible; its owner can ask for access with a new token',
  scope: (step) => ({ owner: step.organization, permissions: { organization_personal_access_tokens: 'write' } }),
  request: (step) => revocation(step, `grant-of-token-${step.tokenId}`),
  async act(step, context) {
    await context.gate();
    try {
      const grants = context.client.list<{ id: number; token_id: number }>(listing(step), { maxItems: listingLimit });
      for await (const grant of grants) {
        if (String(grant.token_id) === step.tokenId) return changeOnce(revocation(step, String(grant.id)), context);
      }
    } catch (error) {
      if (error instanceof GitHubRefused) {
        const outcome = outcomeOf(error.answer, context.clock.nowMs());
        // A listing that is not there was not allowed: it says nothing of the token.
        return outcome.kind === 'done' ? { kind: 'give-up', reason: 'forbidden', message: error.message } : outcome;
      }
      return outcomeOfError(error);
    }
    return { kind: 'done', reason: 'already-gone', message: `the token has no access to ${step.organization}` };
  },
  check: (step, { client }) =>
    checkByListing(client, listing(step), {
      id: step.tokenId,
      by: 'token_id',
      alive: `the token still has access to ${step.organization}`,
      dead: `the token is no longer among those with access to ${step.organization}`,
    }),
};
