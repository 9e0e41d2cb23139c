import type { IntentOf } from '@tripline/contracts/response';
import type { GitHubClient, GitHubRequest } from '../client.ts';
import {
  type Action,
  type Asked,
  type Asking,
  asked,
  changeEach,
  checkByAsking,
  isPerson,
  listingLimit,
  loginOf,
  noTargets,
} from './action.ts';

type RevokeAuthorization = Extract<IntentOf<'revoke-credential'>, { credential: 'credential-authorization' }>;
type Authorization = { login: string; credential_id: number; credential_type: string };

const revocation = (step: RevokeAuthorization, credential: number | string): GitHubRequest => ({
  route: 'DELETE /orgs/{org}/credential-authorizations/{credential_id}',
  parameters: { org: step.organization, credential_id: credential },
});

/**
 * A5: ends what a user's personal access tokens, SSH keys and tokens of OAuth apps may do in an organisation with single sign-on.
 * It touches no token of an App, no deploy key, no GITHUB_TOKEN and no fine-grained token.
 */
export const revokeCredentialAuthorization: Action<RevokeAuthorization> = {
  code: 'A5',
  reversible: false,
  undo: (step) => `irreversible; ${step.user} can authorise their tokens and keys anew, after signing in`,
  scope: (step) => ({ owner: step.organization, permissions: { organization_administration: 'write' } }),
  targets: ({ user: login, userId: id }) => ({ ...noTargets, people: [{ login, id }] }),
  request: (step) => revocation(step, step.credentialId ?? 'each'),
  ask,
  act: (step, context) =>
    changeEach(context, () => authorizationsOf(step, context.client), {
      request: ({ credential_id }) => revocation(step, credential_id),
      ...{ done: 'revoked', name: ({ credential_type }) => credential_type },
    }),
  check: checkByAsking(ask),
};

function ask(step: RevokeAuthorization, { client, clock }: Asking): Promise<Asked> {
  return asked(clock, async () => {
    // By its number where that is known: the login may be another account's by now.
    const login = step.userId === undefined ? step.user : await loginOf(client, step.userId);
    if (login === undefined) return { result: 'not-so', detail: `there is no account ${step.user} any more` };
    const now = { ...step, user: login };
    const { length } = await authorizationsOf(now, client);
    return length === 0
      ? { result: 'not-so', detail: `no token or key of ${login} is authorised for ${step.organization}` }
      : { result: 'so', detail: `${length} tokens and keys of ${login} are authorised for ${step.organization}`, now };
  });
}

async function authorizationsOf(step: RevokeAuthorization, client: GitHubClient): Promise<Authorization[]> {
  const those: Authorization[] = [];
  const request = {
    route: 'GET /orgs/{org}/credential-authorizations',
    parameters: { org: step.organization, login: step.user },
  };
  for await (const one of client.list<Authorization>(request, { maxItems: listingLimit })) {
    const isWanted = step.credentialId === undefined || String(one.credential_id) === step.credentialId;
    if (isWanted && isPerson({ login: one.login }, { login: step.user })) those.push(one);
  }
  return those;
}
