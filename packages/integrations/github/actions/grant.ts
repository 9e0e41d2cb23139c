import type { IntentOf, StepTargets } from '@tripline/contracts/response';
import type { TokenScope } from '../app-token.ts';
import { type GitHubRequest, ownerAndRepo } from '../client.ts';
import { noTargets } from './action.ts';

/** A right that somebody holds today, by the words of the steps that take it back or lower it. */
export type HeldGrant =
  | Exclude<IntentOf<'revoke-grant'>, { grant: 'org-invitation' | 'org-role' | 'app-installation' | 'access' }>
  | Exclude<IntentOf<'restore-permission'>, { grant: 'team' }>;

/** A request at the grant's own address. `more`: what a PUT says of it. */
export function onGrant(
  step: HeldGrant,
  method: 'DELETE' | 'GET' | 'PUT',
  more: GitHubRequest['parameters'] = {},
): GitHubRequest {
  switch (step.grant) {
    case 'org-member':
      return {
        route: `${method} /orgs/{org}/memberships/{username}`,
        parameters: { org: step.organization, username: step.user, ...more },
      };
    case 'team-member':
      return {
        route: `${method} /orgs/{org}/teams/{team_slug}/memberships/{username}`,
        parameters: { org: step.organization, team_slug: step.team, username: step.user, ...more },
      };
    case 'team-repository':
      return {
        route: `${method} /orgs/{org}/teams/{team_slug}/repos/{owner}/{repo}`,
        parameters: { org: step.organization, team_slug: step.team, ...ownerAndRepo(step.repository), ...more },
      };
    case 'collaborator':
      return {
        route: `${method} /repos/{owner}/{repo}/collaborators/{username}`,
        parameters: { ...ownerAndRepo(step.repository), username: step.user, ...more },
      };
  }
}

/** The rights that a change of the grant needs. */
export function scopeOfGrant(step: HeldGrant): TokenScope {
  switch (step.grant) {
    case 'org-member':
    case 'team-member':
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

/** Whom and what a change of the grant touches. */
export const targetsOfGrant = (step: HeldGrant): StepTargets => ({
  ...noTargets,
  people: 'user' in step ? [{ login: step.user, id: step.userId }] : [],
  repositories: 'repository' in step ? [step.repository] : [],
});

/** By its own address GitHub answers for access of any origin; the listing has who was added to this repository. */
export const directCollaborators = (repository: string): GitHubRequest => ({
  route: 'GET /repos/{owner}/{repo}/collaborators',
  parameters: { ...ownerAndRepo(repository), affiliation: 'direct' },
});
