import { randomBytes } from 'node:crypto';
import type { MinterProvider, ProviderAnswer, ProviderRequest } from '../../minter.conformance.ts';

type Installation = {
  id: number;
  account: { id: number; login: string };
  permissions: Record<string, string>;
  repositories: Record<string, string>;
};

const json = (status: number, body: unknown): ProviderAnswer => ({ status, body: JSON.stringify(body) });

/** As much of GitHub as gives, takes and ends installation tokens, as its documentation describes it. */
export function fakeGitHub(
  installations: readonly Installation[],
  { format = 'short', nowMs = Date.now }: { format?: 'short' | 'stateless'; nowMs?: () => number } = {},
): MinterProvider {
  const alive = new Map<string, object>();
  const bearer = ({ headers }: ProviderRequest) => /^(?:token|bearer) (.+)$/i.exec(headers.authorization ?? '')?.[1];
  const newToken = () =>
    format === 'short'
      ? `ghs_${randomBytes(27).toString('base64url').replace(/[-_]/g, 'x')}`
      : `ghs_1234_eyJ${randomBytes(60).toString('base64url')}.eyJ${randomBytes(200).toString('base64url')}.${randomBytes(100).toString('base64url')}`;

  function mint(installation: Installation, body: string): ProviderAnswer {
    const { repository_ids: ids, permissions = installation.permissions } = JSON.parse(body) as {
      repository_ids?: number[];
      permissions?: Record<string, string>;
    };
    const rank = ['read', 'write', 'admin'];
    const beyond = Object.entries(permissions).some(
      ([name, level]) => rank.indexOf(level) > rank.indexOf(installation.permissions[name] ?? ''),
    );
    const unknown = ids?.some((id) => installation.repositories[id] === undefined);
    if (beyond || unknown) return json(422, { message: 'The permissions requested are not granted' });
    const token = newToken();
    const of = {
      expires_at: new Date(nowMs() + 3_600_000).toISOString().replace(/\.\d+/, ''),
      permissions: { metadata: 'read', ...permissions },
      repository_selection: ids === undefined ? 'all' : 'selected',
      repositories: (ids ?? Object.keys(installation.repositories)).map((id) => ({ id: Number(id) })),
    };
    alive.set(token, of);
    return json(201, { token, ...of });
  }

  return {
    answer(request) {
      const { method, path, body } = request;
      const token = bearer(request) ?? '';
      const route = `${method} ${path.split('?')[0]}`;
      if (route === 'GET /app/installations') return json(200, installations);
      const id = /^POST \/app\/installations\/(\d+)\/access_tokens$/.exec(route)?.[1];
      if (id !== undefined) {
        const installation = installations.find((one) => String(one.id) === id);
        return installation === undefined ? json(404, { message: 'Not Found' }) : mint(installation, body);
      }
      if (!alive.has(token)) return json(401, { message: 'Bad credentials' });
      if (route === 'DELETE /installation/token') {
        alive.delete(token);
        return { status: 204 };
      }
      if (route === 'GET /installation/repositories') return json(200, { total_count: 1, ...alive.get(token) });
      return json(404, { message: 'Not Found' });
    },
    alive: () => alive.size,
    admits: ({ token }) => alive.has(token ?? ''),
  };
}
