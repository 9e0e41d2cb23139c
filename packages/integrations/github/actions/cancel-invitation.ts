import type { ResponseStep } from '@tripline/contracts/response';
import { type GitHubClient, type GitHubRequest, ownerAndRepo } from '../client.ts';
import { type Action, type Check, changeOnce, checkByAddress, checkByListing } from './action.ts';

type CancelInvitation = Extract<ResponseStep, { action: 'cancel-invitation' }>;

/** What GitHub takes for a login. An invitation may also name an e-mail address, after which it cannot be asked. */
const login = /^[a-z\d]+(?:-[a-z\d]+)*$/i;

/** A7: cancels an invitation to an organisation or to a repository, before it is accepted. */
export const cancelInvitation: Action<CancelInvitation> = {
  code: 'A7',
  reversible: true,
  undo: (step) => `invite ${step.invitee ?? 'them'} to ${step.repository ?? step.organization} again`,
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
  act: (step, context) => changeOnce(cancelInvitation.request(step), context),

  async check(step, { client }) {
    const where = step.repository ?? step.organization;
    const pending = await checkByListing(client, listing(step), {
      id: step.invitationId,
      alive: 'the invitation is still pending',
      dead: 'the invitation is gone',
    });
    if (pending.result !== 'dead') return pending;
    // An invitation that is gone may have been accepted: the person, not the paper, is what must not be there.
    if (step.invitee === undefined || !login.test(step.invitee)) {
      return {
        result: 'unknown',
        said: 'the invitation is gone; whether it was accepted first cannot be asked without a login',
      };
    }
    const present = await access(step, step.invitee, client);
    if (present.result !== 'alive') return present;
    return {
      result: 'alive',
      said: `the invitation is gone, but ${step.invitee} has access to ${where}: it was accepted`,
    };
  },
};

function listing(step: CancelInvitation): GitHubRequest {
  return step.repository === undefined
    ? { route: 'GET /orgs/{org}/invitations', parameters: { org: step.organization } }
    : { route: 'GET /repos/{owner}/{repo}/invitations', parameters: ownerAndRepo(step.repository) };
}

function access(step: CancelInvitation, invitee: string, client: GitHubClient): Promise<Check> {
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
