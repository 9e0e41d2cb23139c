import type { IntentOf } from '@tripline/contracts/response';
import { type GitHubClient, GitHubRefusedError, type GitHubRequest } from '../client.ts';
import {
  type Action,
  type Asked,
  type Asking,
  asked,
  changeOnce,
  checkByAsking,
  isPerson,
  listingLimit,
  noTargets,
  personOf,
} from './action.ts';

type RevokeRole = Extract<IntentOf<'revoke-grant'>, { grant: 'org-role' }>;

/** A6: takes a role in the organisation from somebody, such as security manager. What a team has of it they keep. */
export const revokeOrgRole: Action<RevokeRole> = {
  code: 'A6',
  reversible: true,
  undo: (step) => `give ${step.user} the role ${step.role} in ${step.organization} again`,
  scope: (step) => ({
    owner: step.organization,
    permissions: { members: 'write', organization_custom_org_roles: 'read' },
  }),
  targets: ({ user: login, userId: id }) => ({ ...noTargets, people: [{ login, id }] }),
  request: ({ organization: org, user: username, role, roleId = `id-of-${role}` }): GitHubRequest => ({
    route: 'DELETE /orgs/{org}/organization-roles/users/{username}/{role_id}',
    parameters: { org, username, role_id: roleId },
  }),
  ask,
  act: (step, context) => changeOnce(revokeOrgRole.request(step), context),
  check: checkByAsking(ask),
};

type Holder = { login: string; id: number; assignment?: string };

function ask(step: RevokeRole, { client, clock }: Asking): Promise<Asked> {
  return asked(clock, async () => {
    const roleId = step.roleId ?? (await roleByName(step, client));
    if (roleId === undefined) return { result: 'not-so', detail: `there is no role ${step.role}` };
    const request = {
      route: 'GET /orgs/{org}/organization-roles/{role_id}/users',
      parameters: { org: step.organization, role_id: roleId },
    };
    for await (const holder of client.list<Holder>(request, { maxItems: listingLimit })) {
      const person = personOf(holder);
      if (person === undefined || !isPerson(person, { login: step.user, id: step.userId })) continue;
      if (holder.assignment === 'indirect') {
        const detail = `${holder.login} has the role ${step.role} by a team: take it from the team, or them out of it`;
        return { result: 'not-so', detail, alive: true };
      }
      const now = { ...step, roleId, user: holder.login };
      return { result: 'so', detail: `${holder.login} has the role ${step.role}`, people: [person], now };
    }
    return { result: 'not-so', detail: `${step.user} has no role ${step.role}` };
  });
}

/** The role's id by its name, which an organisation has once. */
async function roleByName(step: RevokeRole, client: GitHubClient): Promise<string | undefined> {
  const request = { route: 'GET /orgs/{org}/organization-roles', parameters: { org: step.organization } };
  const answer = await client.send(request);
  const roles = (answer.data as { roles?: { id: number; name: string }[] } | null)?.roles;
  if (answer.status !== 200 || !Array.isArray(roles)) throw new GitHubRefusedError(request, answer);
  const role = roles.find(({ name }) => name.toLowerCase() === step.role.toLowerCase());
  return role === undefined ? undefined : String(role.id);
}
