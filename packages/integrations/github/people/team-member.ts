import { GitHubRefusedError } from '../client.ts';
import { askGraphql } from '../graphql.ts';
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

/** Membership of one team. Who is in a team beneath it has its rights without being in it themselves. */
export const teamMember = {
  scope: () => ({ permissions: { members: 'write' as const } }),
  async open(parts: RightParts): Promise<RightAccess> {
    const { client, organization, targetId, account } = parts;
    const ids = { org_id: organization.id, team_id: targetId };
    const slug = await slugOf(parts, ids);
    const route = '/organizations/{org_id}/team/{team_id}/memberships/{username}';
    const own = { ...ids, username: account.login };
    const name = `${organization.login}/${slug}`;
    return {
      target: name,
      login: account.login,
      held: () => held(parts, slug),
      async set(role) {
        try {
          const answer = await change(client, { route: `PUT ${route}`, parameters: { ...own, role } });
          if ((answer.data as { state?: unknown } | null)?.state !== 'pending') return 'set';
        } catch (error) {
          if (!(error instanceof GitHubRefusedError) || error.answer.status !== 403) throw error;
          throw giveUp(
            'forbidden',
            `${error.message}. A team that an identity provider keeps takes nobody by hand: ask for a right on the repository instead`,
          );
        }
        await takeAway(parts, { route: `DELETE ${route}`, parameters: own });
        return 'invited';
      },
      remove: () => takeAway(parts, { route: `DELETE ${route}`, parameters: own }),
    };
  },
};

const membersQuery = `query ($org: String!, $slug: String!, $login: String!) {
  organization(login: $org) {
    team(slug: $slug) {
      databaseId
      own: members(membership: IMMEDIATE, query: $login, first: 100) { edges { role node { databaseId } } }
      beneath: members(membership: CHILD_TEAM, query: $login, first: 100) { edges { role node { databaseId } } }
    }
  }
}`;
type Members = { edges: ({ role: string; node: { databaseId: number } } | null)[] };
type TeamAnswer = { organization: { team: { databaseId: number; own: Members; beneath: Members } | null } | null };

async function held(parts: RightParts, slug: string): Promise<HeldRight> {
  const { graphql, organization, account, targetId } = parts;
  const asked = { org: organization.login, slug, login: account.login };
  const team = (await askGraphql<TeamAnswer>(graphql, membersQuery, asked)).organization?.team;
  // Its slug was given to another team between two questions.
  if (String(team?.databaseId) !== targetId) throw giveUp('not-found', `${slug} is another team by now`);
  const roleIn = ({ edges }: Members) =>
    edges.find((edge) => String(edge?.node.databaseId ?? '') === account.id)?.role.toLowerCase();
  const right = roleIn(team!.own) ?? 'none';
  const beneath = roleIn(team!.beneath);
  const is = await memberOf(parts);
  const barred =
    is === 'owner'
      ? `${account.login} is an owner of ${organization.login}, and has every right already`
      : barOutsiders(is, parts);
  return {
    ...{ right, base: right },
    ...(beneath && { elsewhere: { right: 'member', by: `a team beneath ${slug}` } }),
    ...(barred !== undefined && { barred }),
  };
}

async function slugOf({ client }: RightParts, ids: { org_id: string; team_id: string }): Promise<string> {
  const request = { route: 'GET /organizations/{org_id}/team/{team_id}', parameters: ids };
  const answer = await client.send(request);
  const { id, slug } = (answer.data ?? {}) as { id?: unknown; slug?: unknown };
  if (answer.status === 200 && String(id) === ids.team_id && typeof slug === 'string') return slug;
  throw new GitHubRefusedError(request, answer);
}
