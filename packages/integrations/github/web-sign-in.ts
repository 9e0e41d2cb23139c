import { z } from 'zod';
import { boundedText } from '../bounded.ts';
import { createOutbound, type Outbound } from '../outbound.ts';

/** Somebody's account, as they showed it by signing in. `login` is for people to read. */
export type GitHubPerson = { id: string; login: string };

/** GitHub did not say who signed in. `isAway`: it may, later. */
export class WebSignInError extends Error {
  readonly code = 'GITHUB_SIGN_IN';
  readonly isAway: boolean;
  constructor(message: string, isAway: boolean) {
    super(message);
    this.isAway = isAway;
  }
}

export type WebSignIn = {
  /** Where to send a browser. `challenge`: base64url SHA-256 of the verifier (PKCE). */
  addressFor: (of: { state: string; challenge: string }) => string;
  /** Who came back with `code`. What GitHub gave to ask that is revoked at once. @throws {WebSignInError} */
  personOf: (of: { code: string; verifier: string }) => Promise<GitHubPerson>;
};

const mostAnswerBytes = 256 * 1024;
const timeoutMs = 8000;
const tokenForm = z.object({ access_token: z.string().min(1).max(500) });
const refusalForm = z.object({ error: z.string().regex(/^[a-z_]{1,60}$/) });
const userForm = z.object({ id: z.int().positive(), login: z.string().min(1).max(100), type: z.string() });

/**
 * Has people show by GitHub's own sign-in which account is theirs, for a client that asks for no right. Nothing but the account is
 * read, and no token is kept.
 */
export function createWebSignIn(
  of: { url: string; apiUrl: string; clientId: string; clientSecret: string; redirectUri: string },
  options: { onLeftAlive: (reason: string) => void },
): WebSignIn {
  const { url, apiUrl, clientId, clientSecret, redirectUri } = of;
  const web = createOutbound(url);
  const api = createOutbound(apiUrl);
  const at = (base: string, path: string) => `${base.endsWith('/') ? base.slice(0, -1) : base}${path}`;

  async function tokenFor({ code, verifier }: { code: string; verifier: string }): Promise<string> {
    const body = new URLSearchParams({
      ...{ client_id: clientId, client_secret: clientSecret, code, code_verifier: verifier, redirect_uri: redirectUri },
    });
    const answer = await ask(web, at(url, '/login/oauth/access_token'), { method: 'POST', body });
    // GitHub says 200 of a refusal, too.
    const token = tokenForm.safeParse(answer);
    if (token.success) return token.data.access_token;
    const refused = refusalForm.safeParse(answer);
    throw new WebSignInError(`GitHub refused the sign-in${refused.success ? `: ${refused.data.error}` : ''}`, false);
  }

  async function revoke(token: string): Promise<void> {
    const authorization = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`;
    const body = JSON.stringify({ access_token: token });
    try {
      const path = `/applications/${encodeURIComponent(clientId)}/token`;
      await send(api, at(apiUrl, path), { method: 'DELETE', body, headers: { authorization } });
    } catch (error) {
      options.onLeftAlive((error as Error).message);
    }
  }

  return {
    addressFor({ state, challenge }) {
      const address = new URL(at(url, '/login/oauth/authorize'));
      const query = {
        ...{ client_id: clientId, redirect_uri: redirectUri, state, scope: '', allow_signup: 'false' },
        // Somebody who is signed in as another is asked which account they mean.
        ...{ prompt: 'select_account', code_challenge: challenge, code_challenge_method: 'S256' },
      };
      for (const [name, value] of Object.entries(query)) address.searchParams.set(name, value);
      return address.href;
    },
    async personOf(given) {
      const token = await tokenFor(given);
      try {
        const said = await ask(api, at(apiUrl, '/user'), { headers: { authorization: `Bearer ${token}` } });
        const user = userForm.safeParse(said);
        if (!user.success || user.data.type !== 'User')
          throw new WebSignInError('GitHub names no person’s account', false);
        return { id: String(user.data.id), login: user.data.login };
      } finally {
        await revoke(token);
      }
    },
  };
}

async function ask(outbound: Outbound, url: string, init: RequestInit): Promise<unknown> {
  const answer = await send(outbound, url, init);
  try {
    return JSON.parse(await boundedText(answer, mostAnswerBytes));
  } catch {
    throw new WebSignInError('GitHub’s answer broke off', true);
  }
}

/** @throws {WebSignInError} there was no answer, or no success. */
async function send(outbound: Outbound, url: string, init: RequestInit): Promise<Response> {
  const headers = { accept: 'application/json', ...(init.headers as Record<string, string> | undefined) };
  let answer: Response;
  try {
    answer = await outbound(url, { ...init, headers, signal: AbortSignal.timeout(timeoutMs) });
  } catch {
    throw new WebSignInError('GitHub does not answer', true);
  }
  if (answer.ok) return answer;
  throw new WebSignInError(`GitHub answered ${answer.status}`, answer.status >= 500 || answer.status === 429);
}
