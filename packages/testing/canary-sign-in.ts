import { randomBytes } from 'node:crypto';
import { openPrompt, type ShownRun } from '@tripline/broker/store/approvals';
import type { Db } from '@tripline/db/database';
import { createBrowser } from './browser.ts';
import type { IssuerKey } from './id-tokens.ts';
import { createSoftwarePasskey } from './software-passkey.ts';

const random = () => randomBytes(18).toString('hex');

/** Where the pages are, and the provider and the GitHub at which people sign in. */
export type CanaryPages = { publicUrl: string; broker: string; issuer: string; key: IssuerKey; db: Db };

/** An OpenID provider and a GitHub that answer with secrets of their own; paths are as each is asked. */
export function createCanaryProvider({ issuer, key }: Pick<CanaryPages, 'issuer' | 'key'>) {
  const secrets = {
    code: `canary-code-${random()}`,
    accessToken: `canary-oidc-token-${random()}`,
    githubCode: `canary-github-code-${random()}`,
    githubToken: `ghu_canary${random()}`,
  };
  const state = { idToken: '' };
  return {
    secrets,
    /** Who comes back next, and with which nonce. */
    async signsIn(sub: string, nonce: string) {
      const nowS = Math.floor(Date.now() / 1000);
      const claims = {
        iss: issuer,
        aud: 'tripline',
        sub,
        nonce,
        acr: 'mfa',
        auth_time: nowS,
        iat: nowS,
        exp: nowS + 60,
      };
      state.idToken = await key.sign(claims);
      return state.idToken;
    },
    answer(path: string): [number, object] {
      if (path.endsWith('/.well-known/openid-configuration'))
        return [200, { issuer, ...metadata(issuer), token_endpoint_auth_methods_supported: ['client_secret_post'] }];
      if (path.endsWith('/token'))
        return [200, { access_token: secrets.accessToken, token_type: 'Bearer', id_token: state.idToken }];
      if (path.endsWith('/login/oauth/access_token')) return [200, { access_token: secrets.githubToken }];
      return [200, { keys: [key.publicJwk] }];
    },
  };
}
const metadata = (issuer: string) => ({
  ...{ authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/jwks` },
  ...{ response_types_supported: ['code'], subject_types_supported: ['public'] },
  id_token_signing_alg_values_supported: ['RS256'],
});

/**
 * Has account 11, whom the settings know, sign in and make, confirm and use a passkey, and somebody whom nobody knows begin to show
 * who they are. @returns every secret of it by a name: states, nonces, cookies, challenges, tokens, numbers of forms.
 */
export async function walkPages(
  { publicUrl, broker, db }: CanaryPages,
  provider: ReturnType<typeof createCanaryProvider>,
): Promise<{ found: Record<string, string>; statuses: number[] }> {
  const found: Record<string, string> = { ...provider.secrets };
  const statuses: number[] = [];
  const keep = (name: string, value: string | null | undefined) => {
    // What is short may stand anywhere by chance.
    if (value !== null && value !== undefined && value.length >= 16)
      found[`${name} ${Object.keys(found).length}`] = value;
  };
  const run = { id: '9', attempt: 1 };
  const shown: ShownRun = {
    ...{ repository: { id: '1', name: 'canary-org/app' }, run, sha: '41ab'.repeat(10), ref: 'refs/heads/main' },
    ...{ event: 'push', environment: 'production', actor: { id: '11', name: 'ada' }, policy: 'deploy-api' },
    ...{ tier: 'production', gives: [], instance: 'github.com', lastSha: null, phishingResistant: false },
    asked: { of: 'trigger', people: [{ id: '11', name: 'ada' }] },
  };
  const of = {
    ...{ workspace: 'canary-org', run: 'a run', sha: shown.sha, environment: 'production' },
    policy: { name: 'deploy-api', give: [], mfa: undefined },
  };
  const linkTo = (id: string) => `${publicUrl}/step-up/${id}`;
  const prompt = await openPrompt(db, of, shown, { nowMs: Date.now(), linkTo });
  if (prompt.state !== 'open') throw new Error('another prompt is open');
  const url = linkTo(prompt.id);
  const browser = () =>
    createBrowser((at) => (at.origin === publicUrl ? new URL(at.pathname + at.search, broker) : at));
  const cookies = (by: ReturnType<typeof browser>) => {
    for (const [name, value] of by.jars.get(publicUrl) ?? []) keep(name, value);
  };
  const signIn = async (sub: string) => {
    const by = browser();
    const to = new URL((await by.ask(`${url}/sign-in`)).response.headers.get('location')!);
    for (const name of ['state', 'nonce', 'code_challenge']) keep(name, to.searchParams.get(name));
    cookies(by);
    for (const part of (await provider.signsIn(sub, to.searchParams.get('nonce')!)).split('.')) keep('id token', part);
    const back = new URLSearchParams({ code: provider.secrets.code, state: to.searchParams.get('state')! });
    const page = await by.open(`${publicUrl}/step-up/callback?${back}`);
    statuses.push(page.response.status);
    cookies(by);
    return { by, page };
  };
  const sent = async (by: ReturnType<typeof browser>, path: string, body: object) => {
    const headers = { origin: publicUrl, 'content-type': 'application/json' };
    const { response, text } = await by.ask(`${url}/passkey/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers,
    });
    statuses.push(response.status);
    cookies(by);
    const said = JSON.parse(text) as { challenge: string };
    keep('challenge', said.challenge);
    keep('challenge as bytes', said.challenge && Buffer.from(said.challenge, 'base64url').toString('hex'));
    return said;
  };

  const ada = await signIn('ada-sub');
  const passkey = createSoftwarePasskey({ origin: publicUrl, rpId: new URL(publicUrl).hostname });
  await sent(ada.by, 'make', passkey.make(await sent(ada.by, 'make/options', {})));
  await db.pool.query(`UPDATE access_passkeys SET confirmed_by = '{"id":"12","name":"bea"}', confirmed_at = now()`);
  const again = browser();
  await sent(again, 'use', passkey.use(await sent(again, 'use/options', {})));
  const page = await again.open(url);
  const token = /name="token" value="([^"]*)"/.exec(page.text)?.[1] ?? '';
  keep('token of a form', token);

  const eve = await signIn('eve-sub');
  const gone = await eve.by.ask(`${url}/link`);
  const to = new URL(gone.response.headers.get('location')!, publicUrl);
  for (const name of ['state', 'code_challenge']) keep(`github ${name}`, to.searchParams.get(name));
  cookies(eve.by);
  const back = new URLSearchParams({ code: provider.secrets.githubCode, state: to.searchParams.get('state')! });
  statuses.push((await eve.by.open(`${publicUrl}/step-up/callback/github?${back}`)).response.status);

  const answered = await again.post(`${url}/approve`, { token, number: prompt.number }, { origin: publicUrl });
  statuses.push(answered.response.status);
  return { found, statuses };
}
