import type { StepUpSettings } from '@tripline/access/settings';
import * as openid from 'openid-client';

/** What is kept in the browser between the way to the provider and back. `of`: for what somebody signs in. */
export type SignInState = { of: string; state: string; nonce: string; verifier: string; begunMs: number };
/** Who signed in, as the provider proves. */
export type SignedIn = {
  subject: string;
  claims: Record<string, unknown>;
  isPhishingResistant: boolean;
  provedAtMs: number;
};

/** Somebody signed in, or tried to, and it counts for nothing. `message`: what is wrong, and what to do. */
export class SignInRefusedError extends Error {
  readonly reason: string;
  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}
/** The provider does not answer as one does. */
export class ProviderAwayError extends Error {}

export type SignIn = {
  /** Where to send a browser. `wantsResistant`: for a factor that cannot be phished. */
  begin: (of: string, wantsResistant: boolean) => Promise<{ url: string; state: SignInState }>;
  /**
   * Whom the provider sent back with `query`.
   * @throws {SignInRefusedError} nobody who counts
   * @throws {ProviderAwayError} it cannot be asked
   */
  finish: (query: URLSearchParams, state: SignInState) => Promise<SignedIn>;
};

/** Between two clocks. */
const skewMs = 60_000;
const answerS = 8;
/** For how long what the provider says of itself is believed. */
const metadataMs = 3_600_000;

/**
 * Signing in at an OpenID provider, by code with PKCE. What it proves is checked here: providers answer a sign-in by password
 * alone without `acr` though one was asked for, and the client takes that.
 */
export function createSignIn(
  { publicUrl, oidc }: StepUpSettings,
  options: { fetch: typeof globalThis.fetch; nowMs: () => number },
): SignIn {
  const redirectUri = new URL('/step-up/callback', publicUrl).href;
  let read: { at: number; configuration: Promise<openid.Configuration> } | undefined;
  async function configured(): Promise<openid.Configuration> {
    const at = options.nowMs();
    if (read === undefined || at - read.at > metadataMs) {
      const mine = { at, configuration: discover(oidc, options.fetch) };
      read = mine;
      mine.configuration.catch(() => {
        if (read === mine) read = undefined;
      });
    }
    try {
      return await read.configuration;
    } catch (error) {
      throw new ProviderAwayError(`the OpenID provider ${oidc.issuer} cannot be asked: ${(error as Error).message}`);
    }
  }
  return {
    async begin(of, wantsResistant) {
      const configuration = await configured();
      const [state, nonce, verifier] = [openid.randomState(), openid.randomNonce(), openid.randomPKCECodeVerifier()];
      const { any, phishingResistant } = oidc.acrValues;
      const acrValues = wantsResistant ? phishingResistant : [...any, ...phishingResistant];
      const url = openid.buildAuthorizationUrl(configuration, {
        ...{ redirect_uri: redirectUri, scope: 'openid', state, nonce, prompt: 'login', max_age: '0' },
        code_challenge: await openid.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        ...(acrValues.length === 0 ? {} : { acr_values: acrValues.join(' ') }),
      });
      return { url: url.href, state: { of, state, nonce, verifier, begunMs: options.nowMs() } };
    },
    async finish(query, { state, nonce, verifier, begunMs }) {
      const configuration = await configured();
      const current = new URL(redirectUri);
      current.search = query.toString();
      let claims: openid.IDToken | undefined;
      try {
        const tokens = await openid.authorizationCodeGrant(configuration, current, {
          ...{ pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true },
        });
        claims = tokens.claims();
      } catch (error) {
        throw refusalOf(error);
      }
      return proofOf(claims, oidc, { begunMs, nowMs: options.nowMs() });
    },
  };
}

async function discover({ issuer, clientId, clientSecret }: StepUpSettings['oidc'], fetch: typeof globalThis.fetch) {
  const isPlain = new URL(issuer).protocol === 'http:';
  // A signature is checked although TLS says who sent the token: a proxy before the provider sends no token of its own.
  const execute = [openid.enableNonRepudiationChecks, ...(isPlain ? [openid.allowInsecureRequests] : [])];
  const options = { execute, timeout: answerS, [openid.customFetch]: fetch as openid.CustomFetch };
  const found = await openid.discovery(new URL(issuer), clientId, undefined, openid.None(), options);
  const server = found.serverMetadata();
  // RFC 8414: absent means basic.
  const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
  const authentication = methods.includes('client_secret_basic')
    ? openid.ClientSecretBasic(clientSecret)
    : openid.ClientSecretPost(clientSecret);
  const configuration = new openid.Configuration(server, clientId, undefined, authentication);
  configuration[openid.customFetch] = fetch as openid.CustomFetch;
  configuration.timeout = answerS;
  for (const set of execute) set(configuration);
  return configuration;
}

/** What the provider proved, or why that is not enough. */
function proofOf(
  claims: openid.IDToken | undefined,
  { acrValues, amrValues }: StepUpSettings['oidc'],
  { begunMs, nowMs }: { begunMs: number; nowMs: number },
): SignedIn {
  if (claims === undefined) throw new SignInRefusedError('no-id-token', 'The provider sent no id token.');
  const { sub, acr, amr, auth_time: authTime } = claims;
  if (typeof authTime !== 'number')
    throw new SignInRefusedError('no-auth-time', 'The provider does not say when you signed in (auth_time).');
  const provedAtMs = authTime * 1000;
  if (provedAtMs < begunMs - skewMs)
    throw new SignInRefusedError(
      'stale-sign-in',
      `You signed in at ${new Date(provedAtMs).toISOString()}, before this was asked of you. Sign in anew: the provider must ask you again.`,
    );
  if (provedAtMs > nowMs + skewMs)
    throw new SignInRefusedError('clock-differs', 'The provider’s clock is ahead of ours by more than a minute.');
  const methods = Array.isArray(amr) ? amr.filter((one) => typeof one === 'string') : [];
  const shows = (level: 'any' | 'phishingResistant') =>
    (typeof acr === 'string' && acrValues[level].includes(acr)) ||
    methods.some((method) => amrValues[level].includes(method));
  const isPhishingResistant = shows('phishingResistant');
  if (!isPhishingResistant && !shows('any')) {
    const said = `acr is ${acr === undefined ? 'absent' : JSON.stringify(acr)}, amr is ${amr === undefined ? 'absent' : JSON.stringify(amr)}`;
    throw new SignInRefusedError(
      'no-second-factor',
      `The provider does not say that you gave a second factor: ${said.slice(0, 300)}. Sign in with one; if you did, broker.stepUp.oidc must name the value.`,
    );
  }
  return { subject: sub, claims, isPhishingResistant, provedAtMs: Math.min(provedAtMs, nowMs) };
}

function refusalOf(error: unknown): Error {
  if (error instanceof openid.AuthorizationResponseError)
    return new SignInRefusedError('sign-in-failed', `The provider did not let you sign in: ${error.error}.`);
  if (error instanceof openid.ResponseBodyError && error.status < 500)
    return new SignInRefusedError('sign-in-failed', `The provider refused the sign-in: ${error.error}. Begin again.`);
  if (error instanceof openid.ClientError && error.code?.startsWith('OAUTH_') === true) {
    const code = error.code;
    if (/INVALID_RESPONSE|JWT_|TIMESTAMP|KEY_SELECTION/.test(code))
      return new SignInRefusedError(
        'sign-in-not-proved',
        `What the provider sent proves nothing (${code}). Begin again.`,
      );
  }
  return new ProviderAwayError(`the OpenID provider did not answer: ${(error as Error).message}`);
}
