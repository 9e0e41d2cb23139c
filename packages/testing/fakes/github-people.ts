import { generateKeyPairSync } from 'node:crypto';
import { type FakeAnswer, type FakeRequest, startFakeService } from '../integration.conformance.ts';

const keyPair = () =>
  generateKeyPairSync('rsa', {
    ...{ modulusLength: 2048, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
/** Names of roles by the words of requests, and what a role of one's own is made from. */
const roleOf: Record<string, string> = {
  pull: 'read',
  triage: 'triage',
  push: 'write',
  maintain: 'maintain',
  admin: 'admin',
};

/**
 * GitHub as far as rights of people go, in acme (id 65): repository acme/api (74), team acme/responders (9), role
 * security_manager (8136); installation 4711. Members are added at once, others invited. For tests only.
 */
export async function startFakePeople() {
  const tokens = new Set<string>();
  let minted = 0;
  const github = {
    privateKey: keyPair().privateKey,
    name: 'acme/api',
    organizationId: 65,
    /** Logins by account. */
    logins: new Map([
      ['11', 'ada'],
      ['12', 'mallory'],
      ['99', 'stranger'],
    ]),
    members: new Set(['11', '12']),
    owners: new Set<string>(),
    /** Direct rights by account, in the words of requests, or a role of the organisation's own. */
    held: new Map<string, string>(),
    /** The same of the team and the role: `member`, `maintainer`, `holder`. */
    team: new Map<string, string>(),
    role: new Map<string, string>(),
    /** What accounts have on the repository by a team, in GitHub's names of roles. */
    byTeam: new Map<string, string>(),
    /** What every member may on every repository. */
    everybody: undefined as string | undefined,
    /** Members of a team beneath the team, and holders of the role by a team. */
    beneath: new Set<string>(),
    roleByTeam: new Set<string>(),
    /** The team is kept by an identity provider. */
    isSynced: false,
    /** Pending invitations to the repository, by id: of whom. */
    invitations: new Map<string, string>(),
    /** Changes that were carried out, oldest first. */
    changes: [] as string[],
    /** Permissions that tokens were asked for with, newest last. */
    asked: [] as object[],
    alive: () => tokens.size,
    /** Every token that was made. */
    values: [] as string[],
    /** Answers in the place of GitHub. */
    instead: undefined as ((request: FakeRequest) => FakeAnswer | undefined) | undefined,
  };
  const service = await startFakeService((request) => github.instead?.(request) ?? answer(request));

  function answer({ method, path, headers, body }: FakeRequest): FakeAnswer {
    const route = `${method} ${path.split('?')[0]}`;
    if (route === 'GET /orgs/acme/installation') return json(200, { id: 4711 });
    if (route === 'POST /app/installations/4711/access_tokens') {
      const asked = JSON.parse(body) as { repository_ids?: number[]; permissions: object };
      if (asked.repository_ids !== undefined && asked.repository_ids.join() !== '74')
        return json(422, { message: 'no such repository' });
      github.asked.push(asked.permissions);
      minted += 1;
      const value = `ghs_${String(minted).padStart(36, '0')}`;
      tokens.add(value);
      github.values.push(value);
      return json(201, { token: value });
    }
    const token = /^token (.+)$/.exec(headers.authorization ?? '')?.[1] ?? '';
    if (!tokens.has(token)) return json(401, { message: 'Bad credentials' });
    if (route === 'DELETE /installation/token') return tokens.delete(token) ? { status: 204 } : { status: 401 };
    if (route === 'GET /orgs/acme') return json(200, { id: github.organizationId, login: 'acme' });
    if (route === 'GET /repositories/74') return json(200, { id: 74, full_name: github.name });
    if (route === 'GET /organizations/65/team/9') return json(200, { id: 9, slug: 'responders' });
    if (route === 'GET /orgs/acme/organization-roles/8136') return json(200, { id: 8136, name: 'security_manager' });
    if (route === 'POST /graphql') return json(200, { data: byGraphql(JSON.parse(body)) });
    const account = /^GET \/user\/(\d+)$/.exec(route)?.[1];
    if (account !== undefined) {
      const login = github.logins.get(account);
      return login === undefined ? notFound : json(200, { id: Number(account), login });
    }
    return ofMembers(route) ?? ofTeam(route, body) ?? ofRole(route) ?? ofRepository(route, body);
  }

  const idOf = (login: string | undefined) => [...github.logins].find(([, name]) => name === login)?.[0];

  function ofMembers(route: string): FakeAnswer | undefined {
    const login = /^GET \/orgs\/acme\/memberships\/([\w-]+)$/.exec(route)?.[1];
    if (login === undefined) return undefined;
    const id = idOf(login)!;
    if (!github.members.has(id)) return notFound;
    return json(200, { state: 'active', role: github.owners.has(id) ? 'admin' : 'member' });
  }

  function ofTeam(route: string, body: string): FakeAnswer | undefined {
    const [, method, login] = /^(PUT|DELETE) \/organizations\/65\/team\/9\/memberships\/([\w-]+)$/.exec(route) ?? [];
    const id = idOf(login);
    if (login === undefined) return undefined;
    if (id === undefined) return notFound;
    if (github.isSynced) return json(403, { message: 'This team is externally managed' });
    if (method === 'DELETE') return taken(github.team, id, `${login} out of responders`);
    const { role } = JSON.parse(body) as { role: string };
    github.team.set(id, role);
    github.changes.push(`${login} ${role} of responders`);
    return json(200, { role, state: 'active' });
  }

  function ofRole(route: string): FakeAnswer | undefined {
    if (route === 'GET /orgs/acme/organization-roles/8136/users')
      return json(
        200,
        [...new Set([...github.role.keys(), ...github.roleByTeam])].map((id) => ({
          ...{ id: Number(id), login: github.logins.get(id), inherited_from: [{ slug: 'security' }] },
          assignment: !github.roleByTeam.has(id) ? 'direct' : github.role.has(id) ? 'mixed' : 'indirect',
        })),
      );
    const [, method, login] =
      /^(PUT|DELETE) \/orgs\/acme\/organization-roles\/users\/([\w-]+)\/8136$/.exec(route) ?? [];
    const id = idOf(login);
    if (login === undefined) return undefined;
    if (id === undefined) return notFound;
    if (method === 'DELETE') return taken(github.role, id, `${login} no security_manager`);
    github.role.set(id, 'holder');
    github.changes.push(`${login} security_manager`);
    return { status: 204 };
  }

  function taken(from: Map<string, string>, id: string, what: string): FakeAnswer {
    if (!from.delete(id)) return notFound;
    github.changes.push(what);
    return { status: 204 };
  }

  function ofRepository(route: string, body: string): FakeAnswer {
    const own = `/repos/${github.name}`;
    if (route === `GET ${own}/invitations`)
      return json(
        200,
        [...github.invitations].map(([id, invitee]) => ({ id: Number(id), invitee: { id: Number(invitee) } })),
      );
    const invitation = new RegExp(`^DELETE ${own}/invitations/(\\d+)$`).exec(route)?.[1];
    if (invitation !== undefined) return github.invitations.delete(invitation) ? { status: 204 } : notFound;
    const [, method, login] = new RegExp(`^(PUT|DELETE) ${own}/collaborators/([\\w-]+)$`).exec(route) ?? [];
    const id = idOf(login);
    if (id === undefined) return notFound;
    if (method === 'DELETE') {
      github.held.delete(id);
      github.changes.push(`${login} none`);
      return { status: 204 };
    }
    const { permission } = JSON.parse(body) as { permission: string };
    if (!github.members.has(id) && !github.held.has(id)) {
      github.invitations.set('5', id);
      return json(201, { id: 5 });
    }
    github.held.set(id, permission);
    github.changes.push(`${login} ${permission}`);
    return { status: 204 };
  }

  function byGraphql({ query, variables }: { query: string; variables: { login: string } }): object {
    const id = idOf(variables.login)!;
    const node = { databaseId: Number(id) };
    if (query.includes('team(slug')) {
      const edge = (role: string | undefined) => ({
        edges: role === undefined ? [] : [{ role: role.toUpperCase(), node }],
      });
      const beneath = edge(github.beneath.has(id) ? 'member' : undefined);
      return { organization: { team: { databaseId: 9, own: edge(github.team.get(id)), beneath } } };
    }
    const source = (role: string, __typename: string) => ({
      ...{ permission: { read: 'READ', admin: 'ADMIN' }[role] ?? 'WRITE', roleName: role },
      source: { __typename, ...(__typename === 'Team' && { slug: 'sre' }) },
    });
    const [direct, byTeam] = [github.held.get(id), github.byTeam.get(id)];
    const permissionSources = [
      ...(direct === undefined ? [] : [source(roleOf[direct] ?? direct, 'Repository')]),
      ...(byTeam === undefined ? [] : [source(byTeam, 'Team')]),
      ...(github.everybody === undefined ? [] : [source(github.everybody, 'Organization')]),
    ];
    return { repository: { collaborators: { edges: [{ node, permissionSources }] } } };
  }

  return Object.assign(github, { url: service.url, requests: service.requests, close: service.close });
}
export type FakePeople = Awaited<ReturnType<typeof startFakePeople>>;

const json = (status: number, body: unknown): FakeAnswer => ({ status, body: JSON.stringify(body) });
const notFound = json(404, { message: 'Not Found' });
