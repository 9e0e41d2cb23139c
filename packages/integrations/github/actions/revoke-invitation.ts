import type { IntentOf } from '@tripline/contracts/response';
import type { Check } from '../../provider.ts';
import { type GitHubClient, type GitHubRequest, ownerAndRepo } from '../client.ts';
import {
  type Action,
  type Asked,
  askByListing,
  changeOnce,
  checkByAddress,
  checkByListing,
  noTargets,
  personOf,
} from './action.ts';

type RevokeInvitation = Extract<IntentOf<'revoke-grant'>, { grant: 'org-invitation' }>;

/**
 * What may be a login: managed ones hold `_`, old ones hyphens anywhere. An invitation may also name an e-mail address,
 * after which it cannot be asked.
 */
const login = /^[\w-]+$/;

/** A7: cancels an invitation to an organisation or to a repository, before it is accepted. */
export const revokeInvitation: Action<RevokeInvitation> = {
  code: 'A7',
  reversible: true,
  undo: (step) => `invite ${step.user ?? 'them'} to ${step.repository ?? step.organization} again`,
  scope: (step) =>
    step.repository === undefined
      ? { owner: step.organization, permissions: { members: 'write' } }
      : {
          owner: ownerAndRepo(step.repository).owner,
          repository: step.repository,
          permissions: { administration: 'write' },
        },
  request: (step) =>
    step.repository === undefined
      ? {
          route: 'DELETE /orgs/{org}/invitations/{invitation_id}',
          parameters: { org: step.organization, invitation_id: step.invitationId },
        }
      : {
          route: 'DELETE /repos/{owner}/{repo}/invitations/{invitation_id}',
          parameters: { ...ownerAndRepo(step.repository), invitation_id: step.invitationId },
        },
  targets: ({ repository, user, userId }) => ({
    ...noTargets,
    people: user === undefined && userId === undefined ? [] : [{ login: user, id: userId }],
    repositories: repository === undefined ? [] : [repository],
  }),
  ask: (step, context) =>
    askByListing<Pending>(context, listing(step), ({ id }) => String(id) === step.invitationId, {
      absent: () => askAccess(step, context.client),
      read: (pending) => judge(pending),
    }),
  act: (step, context) => changeOnce(revokeInvitation.request(step), context),

  async check(step, { client }) {
    const where = step.repository ?? step.organization;
    const pending = await checkByListing(client, listing(step), {
      id: step.invitationId,
      alive: 'the invitation is still pending',
      dead: 'the invitation is gone',
    });
    if (pending.result !== 'dead') return pending;
    // An invitation that is gone may have been accepted: what matters is whether the person has access.
    if (step.user === undefined || !login.test(step.user)) {
      return {
        result: 'unknown',
        detail: 'the invitation is gone; whether it was accepted first cannot be asked without a login',
      };
    }
    const present = await access(step, step.user, client);
    if (present.result !== 'alive') return present;
    return {
      result: 'alive',
      detail: `the invitation is gone, but ${step.user} has access to ${where}: it was accepted`,
    };
  },
};

/** An invitation as GitHub lists it: an organisation's names its account by `login`, a repository's by `invitee`. */
type Pending = {
  id: number;
  login?: string | null;
  email?: string | null;
  invitee?: unknown;
  inviter?: unknown;
  created_at?: string;
};

function judge(pending: Pending): Asked {
  const invited = personOf(pending.invitee) ?? (pending.login ? { login: pending.login } : undefined);
  const inviter = personOf(pending.inviter)?.login;
  const since = `${pending.created_at ? ` since ${pending.created_at}` : ''}${inviter ? `, by ${inviter}` : ''}`;
  return { result: 'so', detail: `the invitation is pending${since}`, people: invited === undefined ? [] : [invited] };
}

/** The invitation is gone: cancelled, run out, or accepted, which a person must undo. */
async function askAccess(step: RevokeInvitation, client: GitHubClient): Promise<Asked> {
  const gone = 'there is no such invitation';
  if (step.user === undefined || !login.test(step.user)) return { result: 'not-so', detail: gone };
  const present = await access(step, step.user, client);
  if (present.result === 'unknown') return { result: 'unknown', reason: 'unclear', detail: present.detail };
  if (present.result === 'dead') return { result: 'not-so', detail: `${gone}, and ${step.user} has no access` };
  const where = step.repository ?? step.organization;
  return {
    result: 'not-so',
    detail: `${gone}, but ${step.user} has access to ${where}: it was accepted`,
    alive: true,
  };
}

function listing(step: RevokeInvitation): GitHubRequest {
  return step.repository === undefined
    ? { route: 'GET /orgs/{org}/invitations', parameters: { org: step.organization } }
    : { route: 'GET /repos/{owner}/{repo}/invitations', parameters: ownerAndRepo(step.repository) };
}

function access(step: RevokeInvitation, invitee: string, client: GitHubClient): Promise<Check> {
  const request: GitHubRequest =
    step.repository === undefined
      ? { route: 'GET /orgs/{org}/memberships/{username}', parameters: { org: step.organization, username: invitee } }
      : {
          route: 'GET /repos/{owner}/{repo}/collaborators/{username}',
          parameters: { ...ownerAndRepo(step.repository), username: invitee },
        };
  return checkByAddress(client, request, {
    alive: () => `${invitee} has access`,
    dead: `the invitation is gone and ${invitee} has no access to ${step.repository ?? step.organization}`,
  });
}
