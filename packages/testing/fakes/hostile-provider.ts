import { type IssuerKey, makeIssuerKey } from '../id-tokens.ts';
import { type FakeAnswer, startFakeService } from '../integration.conformance.ts';
import type { NextSignIn } from './openid-provider.ts';

type Claims = Record<string, unknown>;

/**
 * An OpenID provider that signs whatever a test says, as none that is honest would. Whoever asks is signed in as account 11's
 * owner, with a factor that resists phishing.
 */
export async function startHostileProvider(client: { id: string; secret: string }) {
  const key = await makeIssuerKey('key-1');
  const keys: [IssuerKey, ...IssuerKey[]] = [key];
  const honest = {
    /** What becomes of the claims of an honest id token. */
    claims: (of: Claims): Claims => of,
    sign: (of: Claims): string | Promise<string> => key.sign(of),
    /** What stands in the address to which a browser is sent back. */
    back: (of: URLSearchParams): URLSearchParams => of,
    token: (of: object): FakeAnswer => json(200, of),
    metadata: (of: object): FakeAnswer => json(200, of),
  };
  const state = {
    ...{ next: undefined as NextSignIn | undefined, authorizations: [] as URLSearchParams[] },
    ...honest,
  };
  let idToken = '';
  const service = await startFakeService(({ path }) => {
    const { pathname } = new URL(path, service.url);
    if (pathname === '/.well-known/openid-configuration') return state.metadata(metadata());
    if (pathname === '/jwks') return json(200, { keys: keys.map(({ publicJwk }) => publicJwk) });
    if (pathname === '/token')
      return state.token({ access_token: 'an-access-token', token_type: 'Bearer', id_token: idToken });
    return json(404, {});
  });
  const issuer = service.url;
  const metadata = () => ({
    ...{
      issuer,
      authorization_endpoint: `${issuer}/auth`,
      token_endpoint: `${issuer}/token`,
      jwks_uri: `${issuer}/jwks`,
    },
    ...{
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
    },
    ...{ authorization_response_iss_parameter_supported: true, code_challenge_methods_supported: ['S256'] },
  });
  return {
    issuer,
    state,
    key,
    requests: service.requests,
    /** Honest again. */
    reset: () => Object.assign(state, honest),
    /** Signs in whoever was sent to `url`, at `nowMs`. @returns where they are sent back to. */
    async signIn(url: string, nowMs: number): Promise<string> {
      const asked = new URL(url).searchParams;
      state.authorizations.push(asked);
      const nowS = Math.floor(nowMs / 1000);
      const claims = {
        ...{ iss: issuer, aud: client.id, sub: 'ada@acme', iat: nowS, exp: nowS + 60, auth_time: nowS },
        ...{ nonce: asked.get('nonce'), acr: 'phr' },
      };
      idToken = await state.sign(state.claims(claims));
      const back = new URL(asked.get('redirect_uri')!);
      back.search = state
        .back(new URLSearchParams({ code: 'a-code', state: asked.get('state')!, iss: issuer }))
        .toString();
      return back.href;
    },
    close: () => service.close(),
  };
}

const json = (status: number, body: object): FakeAnswer => ({ status, body: JSON.stringify(body) });
