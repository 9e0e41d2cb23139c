import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';

/** How the next person signs in: who, and what the provider says of how. `at`: seconds since the epoch; now when absent. */
export type NextSignIn = {
  subject: string;
  acr?: string | undefined;
  amr?: string[];
  at?: number;
  claims?: Record<string, unknown>;
};

/** A real OpenID provider on loopback, at which people sign in as a test says. */
export async function startOpenIdProvider(client: { id: string; secret: string; redirectUri: string }) {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const state = { next: undefined as NextSignIn | undefined, authorizations: [] as URLSearchParams[] };
  const provider = new Provider(issuer, {
    clients: [{ client_id: client.id, client_secret: client.secret, redirect_uris: [client.redirectUri] }],
    cookies: { keys: ['a-key-of-cookies-for-tests'] },
    features: { devInteractions: { enabled: false } },
    acrValues: ['mfa', 'phr'],
    claims: { openid: ['sub', 'amr', 'github_id'], acr: null, auth_time: null },
    conformIdTokenClaims: false,
    ttl: { AccessToken: 60, Grant: 60, IdToken: 60, Interaction: 60, Session: 60 },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    findAccount: (_, id) => ({ accountId: id, claims: async () => ({ sub: id, ...state.next?.claims }) }),
    loadExistingGrant: async ({ oidc }) => {
      const grant = new provider.Grant({ accountId: oidc.session!.accountId!, clientId: oidc.client!.clientId });
      grant.addOIDCScope('openid');
      await grant.save();
      return grant;
    },
  });
  const callback = provider.callback();
  const signIn = async (request: IncomingMessage, response: ServerResponse) => {
    const { subject, acr, amr, at } = state.next ?? { subject: 'nobody' };
    const login = {
      ...{ accountId: subject, remember: false },
      ...(acr === undefined ? {} : { acr }),
      ...(amr === undefined ? {} : { amr }),
      ...(at === undefined ? {} : { ts: at }),
    };
    await provider.interactionFinished(request, response, { login });
  };
  server.on('request', (request, response) => {
    const url = new URL(request.url!, issuer);
    if (url.pathname === '/auth') state.authorizations.push(url.searchParams);
    if (url.pathname.startsWith('/interaction/')) void signIn(request, response);
    else callback(request, response);
  });
  return {
    issuer,
    state,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
