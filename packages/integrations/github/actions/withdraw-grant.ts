import type { ResponseStep } from '@tripline/contracts/response';
import type { TokenScope } from '../app-token.ts';
import { type GitHubRequest, ownerAndRepo } from '../client.ts';
import { type Action, changeOnce, checkByAddress } from './action.ts';

type WithdrawGrant = Extract<ResponseStep, { action: 'withdraw-grant' }>;

/** A6: takes back a membership, a team's repository or a collaborator's access that somebody holds now. */
export const withdrawGrant: Action<WithdrawGrant> = {
  code: 'A6',
  reversible: true,
  undo,
  scope,
  request: (step) => onGrant(step, 'DELETE'),
  // Teams that an identity provider keeps answer 403 to any edit: the finding's remedy must be followed there.
  act: (step, context) => changeOnce(onGrant(step, 'DELETE'), context),
  check: (step, { client }) =>
    checkByAddress(client, onGrant(step, 'GET'), {
      alive: ({ data }) => {
        const { state, role } = (data ?? {}) as { state?: string; role?: string };
        const detail = [role, state].filter((part) => part !== undefined).join(', ');
        // GitHub answers for the access itself: it may also come from a team, an owner's role or an enterprise team.
        return `the access is still there${detail ? ` (${detail})` : ''}, by this grant or another`;
      },
      dead: 'GitHub says there is no such access any more',
    }),
};

function onGrant(step: WithdrawGrant, method: 'DELETE' | 'GET'): GitHubRequest {
  switch (step.grant) {
    case 'org-membership':
      return {
        route: `${method} /orgs/{org}/memberships/{username}`,
        parameters: { org: step.organization, username: step.user },
      };
    case 'team-membership':
      return {
        route: `${method} /orgs/{org}/teams/{team_slug}/memberships/{username}`,
        parameters: { org: step.organization, team_slug: step.team, username: step.user },
      };
    case 'team-repository':
      return {
        route: `${method} /orgs/{org}/teams/{team_slug}/repos/{owner}/{repo}`,
        parameters: { org: step.organization, team_slug: step.team, ...ownerAndRepo(step.repository) },
      };
    case 'collaborator':
      return {
        route: `${method} /repos/{owner}/{repo}/collaborators/{username}`,
        parameters: { ...ownerAndRepo(step.repository), username: step.user },
      };
  }
}

function scope(step: WithdrawGrant): TokenScope {
  switch (step.grant) {
    case 'org-membership':
    case 'team-membership':
      return { owner: step.organization, permissions: { members: 'write' } };
    case 'team-repository':
      return {
        owner: step.organization,
        repository: step.repository,
        permissions: { administration: 'write', members: 'read' },
      };
    case 'collaborator':
      return {
        owner: ownerAndRepo(step.repository).owner,
        repository: step.repository,
        permissions: { administration: 'write' },
      };
  }
}

function undo(step: WithdrawGrant): string {
  switch (step.grant) {
    case 'org-membership':
      return `invite ${step.user} to ${step.organization} again; GitHub keeps their settings for three months`;
    case 'team-membership':
      return `add ${step.user} to ${step.organization}/${step.team} again`;
    case 'team-repository':
      return `give ${step.organization}/${step.team} access to ${step.repository} again`;
    case 'collaborator':
      return `invite ${step.user} to ${step.repository} again; a private fork of theirs was deleted with the access and does not come back`;
  }
}
