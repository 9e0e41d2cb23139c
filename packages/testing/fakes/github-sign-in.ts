import { createHash } from 'node:crypto';
import { type FakeAnswer, startFakeService } from '../integration.conformance.ts';

/** GitHub as far as somebody signs in by a browser to show who they are. For tests only. */
export async function startFakeGitHubSignIn() {
  const client = { id: 'Iv1.tripline', secret: 'a-secret-of-the-client-at-github' };
  const given = new Map<string, { challenge: string; redirectUri: string; user: object }>();
  const alive = new Map<string, object>();
  const state = {
    /** Who is signed in at it, in the browser that comes. */
    next: undefined as { id: number; login: string } | undefined,
    instead: undefined as ((path: string) => FakeAnswer | undefined) | undefined,
  };
  let count = 0;
  /** Signs in whoever was sent to `address`. @returns where they are sent back to. */
  function signIn(address: string, user: { id: number; login: string; type?: string }): string {
    const asked = new URL(address).searchParams;
    count += 1;
    const code = `code-${count}`;
    const redirectUri = asked.get('redirect_uri')!;
    given.set(code, { challenge: asked.get('code_challenge')!, redirectUri, user: { type: 'User', ...user } });
    const back = new URL(redirectUri);
    back.search = new URLSearchParams({ code, state: asked.get('state')! }).toString();
    return back.href;
  }
  const service = await startFakeService(({ method, path, headers, body }) => {
    const instead = state.instead?.(path);
    if (instead !== undefined) return instead;
    if (path.startsWith('/login/oauth/authorize?'))
      return { status: 303, headers: { location: signIn(`${service.url}${path}`, state.next!) } };
    const route = `${method} ${path}`;
    if (route === 'POST /login/oauth/access_token') {
      const said = Object.fromEntries(new URLSearchParams(body));
      const grant = given.get(said['code'] ?? '');
      given.delete(said['code'] ?? '');
      const challenge = createHash('sha256')
        .update(said['code_verifier'] ?? '')
        .digest('base64url');
      const fits =
        said['client_id'] === client.id &&
        said['client_secret'] === client.secret &&
        grant?.challenge === challenge &&
        grant.redirectUri === said['redirect_uri'];
      if (!fits) return json(200, { error: 'bad_verification_code' });
      count += 1;
      const token = `ghu_${String(count).padStart(36, '0')}`;
      alive.set(token, grant.user);
      return json(200, { access_token: token, token_type: 'bearer', scope: '' });
    }
    if (route === 'GET /api/v3/user') {
      const user = alive.get((headers.authorization ?? '').replace(/^Bearer /, ''));
      return user === undefined ? json(401, { message: 'Bad credentials' }) : json(200, user);
    }
    if (route === `DELETE /api/v3/applications/${client.id}/token`) {
      const basic = Buffer.from(`${client.id}:${client.secret}`).toString('base64');
      if (headers.authorization !== `Basic ${basic}`) return json(404, {});
      return alive.delete((JSON.parse(body) as { access_token: string }).access_token)
        ? { status: 204 }
        : json(404, {});
    }
    return json(404, { message: 'Not Found' });
  });
  return {
    ...{ url: service.url, apiUrl: `${service.url}/api/v3`, client, state, requests: service.requests },
    /** Tokens that were given and live. */
    alive: () => alive.size,
    signIn,
    close: () => service.close(),
  };
}

const json = (status: number, body: object): FakeAnswer => ({ status, body: JSON.stringify(body) });
