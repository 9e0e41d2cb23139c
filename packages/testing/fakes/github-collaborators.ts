import { generateKeyPairSync } from 'node:crypto';
import { type FakeAnswer, type FakeRequest, startFakeService } from '../integration.conformance.ts';

const keyPair = () =>
  generateKeyPairSync('rsa', {
    ...{ modulusLength: 2048, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
const words: Record<string, number> = { pull: 1, triage: 2, push: 3, maintain: 4, admin: 5 };

/**
 * GitHub as far as the collaborators of one repository go: acme/api (id 74), installation 4711. Members are added at once, others
 * invited. For tests only.
 */
export async function startFakeCollaborators() {
  const tokens = new Set<string>();
  let minted = 0;
  const github = {
    privateKey: keyPair().privateKey,
    name: 'acme/api',
    /** Logins by account; members of the organisation. */
    logins: new Map([
      ['11', 'ada'],
      ['12', 'mallory'],
      ['99', 'stranger'],
    ]),
    members: new Set(['11', '12']),
    /** Direct rights by account, in the words of requests. */
    held: new Map<string, string>(),
    /** Roles of the organisation's own, by account. */
    roles: new Map<string, string>(),
    invitations: new Set<string>(),
    /** Changes that were carried out, oldest first. */
    changes: [] as string[],
    alive: () => tokens.size,
    /** Answers in the place of GitHub. */
    instead: undefined as ((request: FakeRequest) => FakeAnswer | undefined) | undefined,
  };
  const service = await startFakeService((request) => github.instead?.(request) ?? answer(request));

  function answer({ method, path, headers, body }: FakeRequest): FakeAnswer {
    const route = `${method} ${path.split('?')[0]}`;
    if (route === 'GET /orgs/acme/installation') return json(200, { id: 4711 });
    if (route === 'POST /app/installations/4711/access_tokens') {
      const asked = JSON.parse(body) as { repository_ids?: number[]; permissions: object };
      if (asked.repository_ids?.length !== 1 || asked.repository_ids[0] !== 74)
        return json(422, { message: 'no such repository' });
      minted += 1;
      const value = `ghs_${String(minted).padStart(36, '0')}`;
      tokens.add(value);
      return json(201, { token: value });
    }
    const token = /^token (.+)$/.exec(headers.authorization ?? '')?.[1] ?? '';
    if (!tokens.has(token)) return json(401, { message: 'Bad credentials' });
    if (route === 'DELETE /installation/token') return tokens.delete(token) ? { status: 204 } : { status: 401 };
    if (route === 'GET /repositories/74') return json(200, { id: 74, full_name: github.name });
    const account = /^GET \/user\/(\d+)$/.exec(route)?.[1];
    if (account !== undefined) {
      const login = github.logins.get(account);
      return login === undefined ? json(404, { message: 'Not Found' }) : json(200, { id: Number(account), login });
    }
    return ofRepository(route, body);
  }

  function ofRepository(route: string, body: string): FakeAnswer {
    const own = `/repos/${github.name}`;
    if (route === `GET ${own}/collaborators`) return json(200, [...github.held.keys()].map(listed));
    const invitation = new RegExp(`^DELETE ${own}/invitations/(\\d+)$`).exec(route)?.[1];
    if (invitation !== undefined)
      return github.invitations.delete(invitation) ? { status: 204 } : json(404, { message: 'Not Found' });
    const [, method, login] = new RegExp(`^(PUT|DELETE) ${own}/collaborators/([\\w-]+)$`).exec(route) ?? [];
    const [id] = [...github.logins].find(([, name]) => name === login) ?? [];
    if (id === undefined) return json(404, { message: 'Not Found' });
    if (method === 'DELETE') {
      github.held.delete(id);
      github.changes.push(`${login} none`);
      return { status: 204 };
    }
    const { permission } = JSON.parse(body) as { permission: string };
    if (!github.members.has(id) && !github.held.has(id)) {
      github.invitations.add('5');
      return json(201, { id: 5 });
    }
    github.held.set(id, permission);
    github.changes.push(`${login} ${permission}`);
    return { status: 204 };
  }

  const listed = (id: string) => {
    const right = words[github.held.get(id)!]!;
    const permissions = Object.fromEntries(Object.entries(words).map(([word, rank]) => [word, rank <= right]));
    return { id: Number(id), login: github.logins.get(id), permissions, role_name: github.roles.get(id) ?? 'admin' };
  };
  return Object.assign(github, { url: service.url, requests: service.requests, close: service.close });
}
export type FakeCollaborators = Awaited<ReturnType<typeof startFakeCollaborators>>;

const json = (status: number, body: unknown): FakeAnswer => ({ status, body: JSON.stringify(body) });
