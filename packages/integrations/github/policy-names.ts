import type { LockFile } from '@tripline/access/lock';
import { type GitHubClient, GitHubRefusedError, type GitHubRequest } from './client.ts';
import { isForbidden } from './inventory.ts';
import { CannotReadError, type GitHubAccess, permittedOf, withReader } from './reader.ts';

type Options = { nowMs: () => number; onLeftAlive: (reason: string) => void };
/** `teams` and `roles` that were found, by `organisation/name`; why not, of those that were not, by `teams acme/ops`. */
export type PolicyNames = Pick<LockFile, 'teams' | 'roles'> & { unread: Map<string, string> };
type Named = Record<'teams' | 'roles', readonly string[]>;

const permissions = { members: 'read', organization_custom_org_roles: 'read', metadata: 'read' } as const;
const mostRoles = 1000;

/**
 * Which ids the names of teams and roles mean at GitHub now, with that of their organisation.
 * @throws {CannotReadError} GitHub gives no answer, or used up what it allows: asking again may help.
 */
export async function readPolicyNames(access: GitHubAccess, named: Named, options: Options): Promise<PolicyNames> {
  const found: PolicyNames = { teams: {}, roles: {}, unread: new Map() };
  for (const organization of new Set([...named.teams, ...named.roles].map(organizationOf))) {
    const isHere = (name: string) => organizationOf(name) === organization;
    const here: Named = { teams: named.teams.filter(isHere), roles: named.roles.filter(isHere) };
    try {
      const may = await permittedOf(access, organization, permissions, options.nowMs());
      await withReader(access, { owner: organization, permissions: may }, options, (client) =>
        readOf(client, organization, here, found),
      );
    } catch (error) {
      if (!(error instanceof CannotReadError) || error.outcome.kind === 'retry') throw error;
      for (const kind of ['teams', 'roles'] as const)
        for (const name of here[kind])
          if (found[kind][name] === undefined) found.unread.set(`${kind} ${name}`, error.message);
    }
  }
  return found;
}

const organizationOf = (name: string): string => name.split('/')[0]!;

type Id = { id: number | bigint };

async function readOf(
  client: GitHubClient,
  organization: string,
  { teams, roles }: Named,
  found: PolicyNames,
): Promise<void> {
  const { id } = await get<Id>(client, { route: 'GET /orgs/{org}', parameters: { org: organization } });
  const owner = String(id);
  for (const name of teams) {
    const slug = name.slice(organization.length + 1);
    const request = { route: 'GET /orgs/{org}/teams/{team_slug}', parameters: { org: organization, team_slug: slug } };
    const team = await orWhy(() => get<Id & { slug?: string; organization?: Id }>(client, request), 'members: read');
    if ('why' in team) found.unread.set(`teams ${name}`, team.why);
    // One that was renamed answers by its former slug no more; another organisation's is none of this one.
    else if (team.slug?.toLowerCase() !== slug.toLowerCase() || String(team.organization?.id ?? id) !== owner)
      found.unread.set(`teams ${name}`, 'GitHub answers with another team');
    else found.teams[name] = { id: String(team.id), owner };
  }
  if (roles.length === 0) return;
  const request = { route: 'GET /orgs/{org}/organization-roles', parameters: { org: organization } };
  const told = await orWhy(
    () => get<{ roles?: (Id & { name: string })[] }>(client, request),
    'organization_custom_org_roles: read',
  );
  for (const name of roles) {
    const role = 'why' in told ? undefined : (told.roles ?? []).slice(0, mostRoles).find((one) => isNamed(one, name));
    if (role !== undefined) found.roles[name] = { id: String(role.id), owner };
    else found.unread.set(`roles ${name}`, 'why' in told ? told.why : `GitHub lists no such role of ${organization}`);
  }
}

const isNamed = (role: { name: string }, name: string): boolean =>
  role.name.toLowerCase() === name.slice(name.indexOf('/') + 1).toLowerCase();

/** What is missing, or may not be read, is said; anything else is thrown. */
async function orWhy<T extends object>(ask: () => Promise<T>, permission: string): Promise<T | { why: string }> {
  try {
    return await ask();
  } catch (error) {
    if (isForbidden(error)) return { why: `GitHub does not allow it: grant ${permission}` };
    if (error instanceof GitHubRefusedError && error.answer.status === 404)
      return { why: `GitHub knows none of that name, or may not show it: grant ${permission}` };
    throw error;
  }
}

async function get<T>(client: GitHubClient, request: GitHubRequest): Promise<T> {
  const answer = await client.send(request);
  if (answer.status !== 200) throw new GitHubRefusedError(request, answer);
  return answer.data as T;
}
