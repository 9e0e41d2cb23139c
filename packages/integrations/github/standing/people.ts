import type { Standing, Trait } from '@tripline/access/standing';
import { type Look, readThing, row } from './look.ts';

const mostPeople = 50_000;
const mostTeams = 1000;
const mostRepositoriesOfTeam = 1000;
const organizationRead = 'members: read';

type Person = { login: string; id: number | bigint };
type Organization = {
  id: number | bigint;
  default_repository_permission?: string | null;
  two_factor_requirement_enabled?: boolean | null;
};

/** What every member may, and whether their second factor is demanded. */
export function readOrganizationRights({ client, organization: org, add, attempt }: Look): Promise<void> {
  return attempt(
    {
      what: 'what every member may',
      kinds: ['organization-right'],
      permission: 'organization_administration: read',
      missing: 'GitHub answered 404',
    },
    async () => {
      const told = await readThing<Organization>(client, { route: 'GET /orgs/{org}', parameters: { org } });
      const base = told.default_repository_permission;
      if (base === 'write' || base === 'admin') {
        const power: Trait = base === 'admin' ? 'administers' : 'writes';
        const id = `organization-right/${told.id}/base`;
        add(
          row({
            kind: 'organization-right',
            id,
            name: `${base} to every repository`,
            repositories: 'all',
            scope: [base],
            traits: [power, 'every-repository'],
          }),
        );
      }
      if (told.two_factor_requirement_enabled === false) {
        const id = `organization-right/${told.id}/second-factor`;
        add(
          row({
            kind: 'organization-right',
            id,
            name: 'sign in without a second factor',
            traits: ['second-factor-optional'],
          }),
        );
      }
    },
  );
}

/** Somebody who is no member, and by login of whom what they may do by repository; see {@link addOutsiders}. */
export type Outsiders = ReadonlyMap<string, { id: string; traits: readonly Trait[]; rights: Map<string, string> }>;

/** Owners and members, and who of them signs in without a second factor. Outside collaborators are returned: repositories say what they may. */
export async function readPeople(look: Look): Promise<Outsiders> {
  const factors = { ...(await readFactors(look, 'members')), ...(await readFactors(look, 'outside_collaborators')) };
  const factorOf = ({ id }: Person): readonly Trait[] =>
    factors[String(id)] === undefined ? [] : [factors[String(id)]!];
  for (const role of ['admin', 'member'] as const) {
    const what = role === 'admin' ? 'owners' : 'members';
    await look.attempt(
      { what, kinds: [role === 'admin' ? 'owner' : 'member'], permission: organizationRead },
      async () => {
        const kind = role === 'admin' ? 'owner' : 'member';
        const power: Partial<Standing> =
          role === 'admin' ? { scope: ['owner'], repositories: 'all' } : { scope: ['member'] };
        for await (const one of list(look, 'members', { role })) {
          const traits: Trait[] = [...(role === 'admin' ? (['administers'] as const) : []), ...factorOf(one)];
          look.add(
            row({
              kind,
              id: `${kind}/${one.id}`,
              name: one.login,
              owner: one.login,
              seenAs: `user:${one.id}`,
              ...power,
              traits,
            }),
          );
        }
      },
    );
  }
  const outsiders = new Map<string, { id: string; traits: readonly Trait[]; rights: Map<string, string> }>();
  await look.attempt(
    { what: 'outside collaborators', kinds: ['outside-collaborator'], permission: organizationRead },
    async () => {
      for await (const one of list(look, 'outside_collaborators', {}))
        outsiders.set(one.login, { id: String(one.id), traits: factorOf(one), rights: new Map() });
    },
  );
  return outsiders;
}

/** A row for each outside collaborator, once their rights by repository are known. */
export function addOutsiders({ add }: Look, outsiders: Outsiders): void {
  for (const [login, { id, traits, rights }] of outsiders) {
    const scope = [...new Set(rights.values())].sort();
    const power: Trait[] = scope.includes('admin')
      ? ['administers']
      : /write|maintain/.test(scope.join())
        ? ['writes']
        : [];
    const repositories = [...rights.keys()].sort();
    const kind = 'outside-collaborator';
    add(
      row({
        kind,
        id: `${kind}/${id}`,
        seenAs: `user:${id}`,
        name: login,
        owner: login,
        repositories,
        scope,
        traits: ['outsider', ...power, ...traits],
      }),
    );
  }
}

const list = ({ client, organization: org }: Look, of: 'members' | 'outside_collaborators', parameters: object) =>
  client.list<Person>({ route: `GET /orgs/{org}/${of}`, parameters: { org, ...parameters } }, { maxItems: mostPeople });

/** People by id whose second factor is none, or one by SMS. */
async function readFactors(look: Look, of: 'members' | 'outside_collaborators'): Promise<Record<string, Trait>> {
  const factors: Record<string, Trait> = {};
  const said = of === 'members' ? 'members' : 'outside collaborators';
  const remedy = 'let an owner look under People → Two-factor authentication: GitHub tells owners alone';
  await look.attempt(
    { what: `the second factors of ${said}`, kinds: [], permission: organizationRead, remedy },
    async () => {
      for await (const { id } of list(look, of, { filter: '2fa_insecure' })) factors[String(id)] = 'weak-second-factor';
      for await (const { id } of list(look, of, { filter: '2fa_disabled' })) factors[String(id)] = 'no-second-factor';
    },
  );
  return factors;
}

type Team = { id: number | bigint; slug: string };
type TeamRepository = { full_name: string; role_name?: string; permissions?: Readonly<Record<string, boolean>> };

/** Teams that may change something, a row each with all the repositories in which they do. */
export function readTeams({ client, organization: org, add, attempt }: Look): Promise<void> {
  return attempt({ what: 'teams and their rights', kinds: ['team'], permission: organizationRead }, async () => {
    const teams = { route: 'GET /orgs/{org}/teams', parameters: { org } };
    for await (const { id, slug } of client.list<Team>(teams, { maxItems: mostTeams })) {
      const rights = new Map<string, string>();
      const listed = { route: 'GET /orgs/{org}/teams/{team_slug}/repos', parameters: { org, team_slug: slug } };
      for await (const { full_name, permissions } of client.list<TeamRepository>(listed, {
        maxItems: mostRepositoriesOfTeam,
      })) {
        const right = ['admin', 'maintain', 'push'].find((one) => permissions?.[one] === true);
        if (right !== undefined) rights.set(full_name, right);
      }
      if (rights.size === 0) continue;
      const scope = [...new Set(rights.values())].sort();
      const traits: Trait[] = scope.includes('admin') ? ['administers'] : ['writes'];
      add(row({ kind: 'team', id: `team/${id}`, name: slug, repositories: [...rights.keys()].sort(), scope, traits }));
    }
  });
}

type Role = { id: number | bigint; name: string; permissions?: readonly string[]; base_role?: string | null };

/** Roles in the organisation that somebody holds. */
export function readOrganizationRoles({ client, organization: org, add, attempt }: Look): Promise<void> {
  const part = {
    what: 'roles in the organisation',
    kinds: ['organization-role'] as const,
    permission: 'organization_custom_org_roles: read',
    missing: 'this organisation has none',
  };
  return attempt(part, async () => {
    const answer = await readThing<{ roles?: Role[] }>(client, {
      route: 'GET /orgs/{org}/organization-roles',
      parameters: { org },
    });
    for (const role of answer.roles ?? []) {
      const parameters = { org, role_id: role.id };
      const holders: NonNullable<Standing['holders']>[number][] = [];
      for await (const { login, id } of client.list<Person>({
        route: 'GET /orgs/{org}/organization-roles/{role_id}/users',
        parameters,
      }))
        holders.push({ login, id: String(id) });
      for await (const { slug } of client.list<Team>({
        route: 'GET /orgs/{org}/organization-roles/{role_id}/teams',
        parameters,
      }))
        holders.push({ team: slug });
      if (holders.length === 0) continue;
      const scope = [...(role.permissions ?? []), ...(role.base_role ? [role.base_role] : [])].sort();
      const isWriting = /write|maintain|admin|manage/.test(scope.join(' '));
      const said = holders.map(({ team, login }) => (team === undefined ? login : `team ${team}`)).sort();
      const name = `${role.name}: ${said.join(', ')}`;
      add(
        row({
          kind: 'organization-role',
          id: `organization-role/${role.id}`,
          name,
          repositories: 'all',
          ...{ scope, holders },
          traits: isWriting ? ['administers'] : [],
        }),
      );
    }
  });
}
