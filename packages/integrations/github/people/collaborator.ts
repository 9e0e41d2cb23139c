import { outcomeOf } from '../classify.ts';
import { type GitHubClient, GitHubRefusedError, ownerAndRepo } from '../client.ts';
import { askGraphql } from '../graphql.ts';
import {
  change,
  type HeldRight,
  memberOf,
  type RightAccess,
  type RightOf,
  type RightParts,
  takeAway,
} from './right.ts';

const words = { read: 'pull', triage: 'triage', write: 'push', maintain: 'maintain', admin: 'admin' } as const;
const weakestFirst = ['none', 'read', 'triage', 'write', 'maintain', 'admin'];

/** A right on one repository that somebody was given by name. */
export const collaborator = {
  scope: ({ targetId }: RightOf) => ({
    repositoryId: targetId,
    permissions: { administration: 'write' as const, members: 'read' as const },
  }),
  async open(parts: RightParts): Promise<RightAccess> {
    const { client, nowMs, targetId, account } = parts;
    const repository = await nameOf(client, targetId);
    const own = { ...ownerAndRepo(repository), username: account.login };
    const route = '/repos/{owner}/{repo}/collaborators/{username}';
    return {
      target: repository,
      login: account.login,
      held: () => held(parts, repository),
      async set(right) {
        const permission = Object.hasOwn(words, right) ? words[right as keyof typeof words] : right;
        const answer = await change(client, { route: `PUT ${route}`, parameters: { ...own, permission } });
        if (answer.status !== 201) return 'set';
        const { id } = (answer.data ?? {}) as { id?: unknown };
        const invitation = { ...ownerAndRepo(repository), invitation_id: id };
        const undo = { route: 'DELETE /repos/{owner}/{repo}/invitations/{invitation_id}', parameters: invitation };
        const undone = await client.send(undo);
        if (outcomeOf(undone, nowMs()).kind !== 'done') throw new GitHubRefusedError(undo, undone);
        return 'invited';
      },
      remove: () => takeAway(parts, { route: `DELETE ${route}`, parameters: own }),
    };
  },
};

/**
 * REST tells the most that somebody has by any way, so that who was given `read` and has `write` by a team would be given
 * `write` back. GraphQL names each source.
 */
const sourcesQuery = `query ($owner: String!, $name: String!, $login: String!) {
  repository(owner: $owner, name: $name) {
    collaborators(login: $login, first: 10) {
      edges { node { databaseId } permissionSources { permission roleName source { __typename ... on Team { slug } } } }
    }
  }
}`;
type Source = {
  permission: string;
  roleName: string | null;
  source: { __typename: 'Organization' | 'Repository' | 'Team'; slug?: string };
};
type SourcesAnswer = {
  repository: {
    collaborators: { edges: ({ node: { databaseId: number }; permissionSources: Source[] | null } | null)[] } | null;
  } | null;
};

async function held(parts: RightParts, repository: string): Promise<HeldRight> {
  const { graphql, account, organization } = parts;
  const { owner, repo: name } = ownerAndRepo(repository);
  const told = await askGraphql<SourcesAnswer>(graphql, sourcesQuery, { owner, name, login: account.login });
  const edges = told.repository?.collaborators?.edges ?? [];
  const sources =
    edges.find((edge) => String(edge?.node.databaseId ?? '') === account.id)?.permissionSources ?? undefined;
  const rights = (sources ?? []).map((source) => ({ ...rightOf(source), source: source.source }));
  const direct = rights.find(({ source }) => source.__typename === 'Repository') ?? { right: 'none', base: 'none' };
  const [most] = rights
    .filter(({ source }) => source.__typename !== 'Repository')
    .toSorted((a, b) => weakestFirst.indexOf(b.base) - weakestFirst.indexOf(a.base));
  const elsewhere = most && {
    right: most.base,
    by: most.source.slug === undefined ? organization.login : `team ${most.source.slug}`,
  };
  const barred = await barOf(parts, repository, direct.right);
  return {
    ...{ right: direct.right, base: direct.base },
    ...(elsewhere && { elsewhere }),
    ...(barred !== undefined && { barred }),
  };
}

/** A role of the organisation's own holds at least what it is made from. */
function rightOf({ permission, roleName }: Source): { right: string; base: string } {
  const role = (roleName ?? permission).toLowerCase();
  const named = role === 'push' ? 'write' : role === 'pull' ? 'read' : role;
  if (weakestFirst.includes(named)) return { right: named, base: named };
  return { right: roleName!, base: permission.toLowerCase() };
}

/** GitHub adds members at once and asks everybody else, whenever they like to accept. */
async function barOf(parts: RightParts, repository: string, right: string): Promise<string | undefined> {
  const { client, account, organization } = parts;
  const is = await memberOf(parts);
  if (is === 'owner') return `${account.login} is an owner of ${organization.login}, and has every right already`;
  if (right !== 'none') return undefined;
  if (is !== 'member')
    return `${account.login} is no member of ${organization.login}: GitHub would only invite them, for whenever they like to accept`;
  const request = { route: 'GET /repos/{owner}/{repo}/invitations', parameters: ownerAndRepo(repository) };
  for await (const { invitee } of client.list<{ invitee: { id: number } | null }>(request))
    if (String(invitee?.id) === account.id)
      return `${account.login} has an invitation to ${repository} that they have not accepted yet, which this would overwrite`;
  return undefined;
}

async function nameOf(client: GitHubClient, id: string): Promise<string> {
  const request = { route: 'GET /repositories/{repository_id}', parameters: { repository_id: id } };
  const answer = await client.send(request);
  const { id: told, full_name: name } = (answer.data ?? {}) as { id?: unknown; full_name?: unknown };
  if (answer.status === 200 && String(told) === id && typeof name === 'string') return name;
  throw new GitHubRefusedError(request, answer);
}
