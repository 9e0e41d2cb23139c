import type { IntentOf } from '@tripline/contracts/response';
import { outcomeOf, outcomeOfError } from '../classify.ts';
import { GitHubRefusedError, type GitHubRequest } from '../client.ts';
import { type Action, askByListing, changeOnce, checkByListing, listingLimit, noTargets, personOf } from './action.ts';

type RevokePat = Extract<IntentOf<'revoke-credential'>, { credential: 'personal-access-token' }>;

type TokenGrant = { id: number; token_id: number; owner?: unknown; access_granted_at?: string };

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
  // No feed tells whose token it is; GitHub's API does.
  targets: () => noTargets,
  ask: (step, context) =>
    askByListing<TokenGrant>(context, listing(step), ({ token_id }) => String(token_id) === step.credentialId, {
      absent: () => ({ result: 'not-so', detail: `the token has no access to ${step.organization}` }),
      read({ owner, access_granted_at: at }) {
        const person = personOf(owner);
        const of = `${person?.login === undefined ? '' : ` of ${person.login}`}${at ? ` since ${at}` : ''}`;
        return { result: 'so', detail: `the token${of} has access`, people: person === undefined ? [] : [person] };
      },
    }),
  request: (step) => revocation(step, `grant-of-token-${step.credentialId}`),
  async act(step, context) {
    await context.gate();
    try {
      const grants = context.client.list<TokenGrant>(listing(step), { maxItems: listingLimit });
      for await (const grant of grants) {
        if (String(grant.token_id) === step.credentialId)
          return changeOnce(revocation(step, String(grant.id)), context);
      }
    } catch (error) {
      if (error instanceof GitHubRefusedError) {
        const outcome = outcomeOf(error.answer, context.clock.nowMs());
        // A listing that answers 404 was not allowed: it says nothing about the token.
        return outcome.kind === 'done' ? { kind: 'give-up', reason: 'forbidden', message: error.message } : outcome;
      }
      return outcomeOfError(error);
    }
    return { kind: 'done', reason: 'already-gone', message: `the token has no access to ${step.organization}` };
  },
  check: (step, { client }) =>
    checkByListing(client, listing(step), {
      id: step.credentialId,
      by: 'token_id',
      alive: `the token still has access to ${step.organization}`,
      dead: `the token is no longer among those with access to ${step.organization}`,
    }),
};
