import { randomBytes } from 'node:crypto';
import type { MinterProvider, ProviderAnswer } from '../../minter.conformance.ts';

type Token = {
  id: number;
  name: string;
  scopes: string[];
  access_level: number;
  expires_at: string;
  value: string;
  revoked: boolean;
};

const json = (status: number, body: unknown): ProviderAnswer => ({ status, body: JSON.stringify(body) });

/** As much of GitLab as gives, lists and ends project access tokens, as its documentation describes it. */
export function fakeGitLab({ token: own, project }: { token: string; project: string }): MinterProvider {
  const tokens: Token[] = [];
  const shown = ({ value: _, ...token }: Token) => ({
    ...token,
    active: !token.revoked,
    user_id: 166,
    last_used_at: null,
  });

  return {
    answer({ method, path, headers, body }) {
      if (headers['private-token'] !== own) return json(401, { message: '401 Unauthorized' });
      const [, id, tail] = /^\/api\/v4\/projects\/(\d+)\/access_tokens(?:\/(\d+)|\?.*)?$/.exec(path) ?? [];
      if (id !== project) return json(404, { message: '404 Project Not Found' });
      if (method === 'POST') {
        const asked = JSON.parse(body) as Omit<Token, 'id' | 'value' | 'revoked'>;
        const made = {
          ...asked,
          id: tokens.length + 1,
          revoked: false,
          value: `glpat-${randomBytes(15).toString('hex')}`,
        };
        tokens.push(made);
        return json(201, { ...shown(made), token: made.value });
      }
      if (tail === undefined) return json(200, tokens.filter(({ revoked }) => !revoked).map(shown));
      const one = tokens.find((token) => String(token.id) === tail);
      if (one === undefined) {
        return json(404, { message: `404 Could not find project access token with token_id: ${tail} Not Found` });
      }
      if (method === 'GET') return json(200, shown(one));
      if (one.revoked) return json(400, { message: '400 Bad request - Failed to revoke token' });
      one.revoked = true;
      return { status: 204 };
    },
    alive: () => tokens.filter(({ revoked }) => !revoked).length,
    admits: ({ token }) => tokens.some(({ value, revoked }) => value === token && !revoked),
  };
}
