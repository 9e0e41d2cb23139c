import { heldRole } from '@tripline/access/people-rights';
import { GitHubRefusedError } from '../client.ts';
import {
  barOutsiders,
  change,
  giveUp,
  type HeldRight,
  memberOf,
  type RightAccess,
  type RightParts,
  takeAway,
} from './right.ts';

/** A role of an organisation, such as security manager. */
export const orgRole = {
  scope: () => ({ permissions: { members: 'write' as const, organization_custom_org_roles: 'read' as const } }),
  async open(parts: RightParts): Promise<RightAccess> {
    const { client, organization, targetId, account } = parts;
    const name = await nameOf(parts);
    const one = {
      route: '/orgs/{org}/organization-roles/users/{username}/{role_id}',
      parameters: { org: organization.login, username: account.login, role_id: targetId },
    };
    return {
      target: `${organization.login}/${name}`,
      login: account.login,
      held: () => held(parts),
      async set(right) {
        if (right !== heldRole) throw giveUp('rejected', `a role is had or not had, and not as ${right}`);
        await change(client, { ...one, route: `PUT ${one.route}` });
        return 'set';
      },
      remove: () => takeAway(parts, { ...one, route: `DELETE ${one.route}` }),
    };
  },
};

type Holder = { id: number; assignment?: string; inherited_from?: { slug?: string }[] };

async function held(parts: RightParts): Promise<HeldRight> {
  const { client, organization, targetId, account } = parts;
  const request = {
    route: 'GET /orgs/{org}/organization-roles/{role_id}/users',
    parameters: { org: organization.login, role_id: targetId },
  };
  const barred = barOutsiders(await memberOf(parts), parts);
  const bar = barred === undefined ? {} : { barred };
  for await (const { id, assignment = 'direct', inherited_from: from } of client.list<Holder>(request)) {
    if (String(id) !== account.id) continue;
    const right = assignment === 'indirect' ? 'none' : heldRole;
    // Of `mixed` GitHub tells both.
    const elsewhere =
      assignment === 'direct' ? {} : { elsewhere: { right: heldRole, by: `team ${from?.[0]?.slug ?? 'of theirs'}` } };
    return { right, base: right, ...elsewhere, ...bar };
  }
  return { right: 'none', base: 'none', ...bar };
}

async function nameOf({ client, organization, targetId }: RightParts): Promise<string> {
  const request = {
    route: 'GET /orgs/{org}/organization-roles/{role_id}',
    parameters: { org: organization.login, role_id: targetId },
  };
  const answer = await client.send(request);
  const { id, name } = (answer.data ?? {}) as { id?: unknown; name?: unknown };
  if (answer.status === 200 && String(id) === targetId && typeof name === 'string') return name;
  throw new GitHubRefusedError(request, answer);
}
