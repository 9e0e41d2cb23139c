import { createAppAuth } from '@octokit/auth-app';
import { NotSignedError } from '../vault/transit.ts';
import type { AppKey } from './app-key.ts';
import { outcomeOf, outcomeOfError, saysTokenIsNone } from './classify.ts';
import {
  createGitHubClient,
  type GitHubAnswer,
  type GitHubClient,
  GitHubRefusedError,
  messageOf,
  ownerAndRepo,
} from './client.ts';

/** What a token may do: nothing beyond these permissions, on nothing beyond these repositories. */
export type TokenScope = {
  /** Organisation, or the user who owns the repository. */
  owner: string;
  /** Full name of the one repository, or absent where only permissions on the organisation are asked for. */
  repository?: string;
  /** The same by its id, which no other repository ever has. */
  repositoryId?: string;
  /** Short name of the enterprise whose installation is used, for what only an App installed on an enterprise may do. */
  enterprise?: string;
  permissions: Readonly<Record<string, 'read' | 'write'>>;
};

export type GitHubApp = {
  apiUrl: string;
  id: string;
  fetch?: typeof globalThis.fetch | undefined;
  timeoutMs?: number | undefined;
  /** As of {@link createGitHubClient}. */
  mostAnswerBytes?: number | undefined;
} & AppKey;

/** GitHub issues no token for this scope. `outcome` says whether it may later. */
export class NoTokenError extends Error {
  readonly code = 'NO_TOKEN';
  readonly outcome: { kind: 'retry' | 'give-up'; reason: string; message: string; afterMs?: number };
  constructor(outcome: NoTokenError['outcome']) {
    super(outcome.message);
    this.outcome = outcome;
  }
}

/** What was made for an App before is good while its JWT lives for so long yet, ms: signing one takes longer than all else of a request. */
const leftMs = 5 * 60_000;
const ownClients = new WeakMap<GitHubApp, { client: GitHubClient; expiresMs: number }>();

/** A client whose requests bear the App's own JWT, which lives for at most ten minutes. @throws {NoTokenError} where nothing signs it */
export async function appClient(app: GitHubApp): Promise<GitHubClient> {
  const former = ownClients.get(app);
  if (former !== undefined && former.expiresMs - Date.now() > leftMs) return former.client;
  const key = 'createJwt' in app ? { createJwt: app.createJwt } : { privateKey: app.privateKey };
  const made = await createAppAuth({ appId: app.id, ...key })({ type: 'app' }).catch((error: unknown) => {
    if (error instanceof NotSignedError)
      throw new NoTokenError({ kind: 'retry', reason: 'not-signed', message: error.message });
    // What is thrown of a key may bear it.
    const message = `The private key of App ${app.id} cannot sign: check privateKey in tripline.yaml`;
    throw new NoTokenError({ kind: 'give-up', reason: 'unusable-key', message });
  });
  const client = createGitHubClient({ ...connection(app), authorization: `bearer ${made.token}`, manner: 'once' });
  ownClients.set(app, { client, expiresMs: Date.parse(made.expiresAt) });
  return client;
}

type TokenOptions = { nowMs: () => number; onLeftAlive: (reason: string) => void };

/**
 * Mints an installation token for `scope`, calls `work` with a client that uses it, and revokes it however `work` ends.
 * `onLeftAlive` is called when the revocation failed: the token then stays valid for up to an hour.
 * @throws {NoTokenError} and does not call `work`.
 */
export async function withAppToken<T>(
  app: GitHubApp,
  scope: TokenScope,
  work: (client: GitHubClient) => Promise<T>,
  { manner, ...options }: TokenOptions & { manner: 'patient' | 'once' },
): Promise<T> {
  const use = (authorization: string) => work(createGitHubClient({ ...connection(app), authorization, manner }));
  return withAppAuthorization(app, scope, use, options);
}

/** The same for work that sends its own requests: `work` gets the value of their header `authorization`. */
export async function withAppAuthorization<T>(
  app: GitHubApp,
  scope: TokenScope,
  work: (authorization: string) => Promise<T>,
  options: TokenOptions,
): Promise<T> {
  const authorization = `token ${await mint(app, scope, options.nowMs())}`;
  try {
    return await work(authorization);
  } finally {
    // Sent without the throttle, so that it does not queue behind the work's own requests.
    const revoker = createGitHubClient({ ...connection(app), authorization, manner: 'once' });
    const why = await endToken(revoker);
    if (why !== undefined) options.onLeftAlive(why);
  }
}

/** Revokes the token that a client bears. @returns why it is left alive; undefined where it is not, or was dead already. */
export async function endToken(client: GitHubClient): Promise<string | undefined> {
  try {
    const answer = await client.send({ route: 'DELETE /installation/token', parameters: {} });
    return answer.status === 204 || saysTokenIsNone(answer) ? undefined : `GitHub answered ${answer.status}`;
  } catch (error) {
    return (error as Error).message;
  }
}

async function mint(app: GitHubApp, scope: TokenScope, nowMs: number): Promise<string> {
  const client = await appClient(app);
  const known = installations.get(app) ?? new Map<string, string>();
  installations.set(app, known);
  // No login contains a slash.
  const key = scope.enterprise === undefined ? scope.owner : `enterprises/${scope.enterprise}`;
  const lookUp = async () => {
    const installation = await findInstallation(client, scope, nowMs);
    known.set(key, installation);
    return installation;
  };
  const installation = known.get(key);
  let answer = await askForToken(client, scope, installation ?? (await lookUp()));
  // Reinstalled since it was looked up, the App has another installation id.
  if (answer.status === 404 && installation !== undefined) answer = await askForToken(client, scope, await lookUp());
  const token = (answer.data as { token?: unknown } | null)?.token;
  if (answer.status >= 200 && answer.status < 300 && typeof token === 'string') return token;
  if (answer.status === 422) {
    const wanted = Object.entries(scope.permissions).map(([name, level]) => `${name}: ${level}`);
    throw new NoTokenError({
      kind: 'give-up',
      reason: 'not-permitted',
      message: `The GitHub App may not do this on ${scope.enterprise ?? scope.repository ?? scope.owner}; grant it ${wanted.join(', ')} (GitHub: ${messageOf(answer)})`,
    });
  }
  throw refusal(answer, nowMs);
}

/** Ids of the App's installations by owner, cached: one call less before a response. */
const installations = new WeakMap<GitHubApp, Map<string, string>>();

function askForToken(client: GitHubClient, scope: TokenScope, installation: string): Promise<GitHubAnswer> {
  return ask(client, {
    route: 'POST /app/installations/{installation_id}/access_tokens',
    parameters: {
      installation_id: installation,
      permissions: scope.permissions,
      ...(scope.repository === undefined ? {} : { repositories: [ownerAndRepo(scope.repository).repo] }),
      ...(scope.repositoryId === undefined ? {} : { repository_ids: [Number(scope.repositoryId)] }),
    },
  });
}

/** The number of the App's own installation on an organisation; undefined where it has none. @throws {GitHubRefusedError} */
export async function ownInstallationOn(app: GitHubApp, organization: string): Promise<string | undefined> {
  return (await installationOn(app, organization))?.id;
}

/** What the App was granted on an organisation, by permission; undefined where it is not installed. @throws {GitHubRefusedError} */
export async function grantedOn(
  app: GitHubApp,
  organization: string,
): Promise<Readonly<Record<string, string>> | undefined> {
  return (await installationOn(app, organization))?.permissions;
}

async function installationOn(app: GitHubApp, organization: string) {
  const client = await appClient(app);
  const request = { route: 'GET /orgs/{org}/installation', parameters: { org: organization } };
  const answer = await client.send(request);
  if (answer.status === 404) return undefined;
  const { id, permissions = {} } = (answer.data ?? {}) as { id?: unknown; permissions?: Record<string, string> };
  if (answer.status !== 200 || id === undefined) throw new GitHubRefusedError(request, answer);
  return { id: String(id), permissions };
}

/** The App's installation on an enterprise, on an organisation or, where the owner is a person, on that account. */
async function findInstallation(client: GitHubClient, scope: TokenScope, nowMs: number): Promise<string> {
  const { owner, enterprise } = scope;
  let answer = await ask(
    client,
    enterprise === undefined
      ? { route: 'GET /orgs/{org}/installation', parameters: { org: owner } }
      : { route: 'GET /enterprises/{enterprise}/installation', parameters: { enterprise } },
  );
  if (answer.status === 404 && enterprise === undefined) {
    answer = await ask(client, { route: 'GET /users/{username}/installation', parameters: { username: owner } });
  }
  if (answer.status === 404) {
    throw new NoTokenError({
      kind: 'give-up',
      reason: 'not-installed',
      message: `The GitHub App is not installed on ${enterprise === undefined ? owner : `the enterprise ${enterprise}`}; install it there`,
    });
  }
  const id = (answer.data as { id?: unknown } | null)?.id;
  if (answer.status !== 200 || id === undefined) throw refusal(answer, nowMs);
  return String(id);
}

async function ask(client: GitHubClient, request: Parameters<GitHubClient['send']>[0]): Promise<GitHubAnswer> {
  try {
    return await client.send(request);
  } catch (error) {
    const outcome = outcomeOfError(error);
    throw new NoTokenError(outcome as NoTokenError['outcome']);
  }
}

function refusal(answer: GitHubAnswer, nowMs: number): NoTokenError {
  const outcome = outcomeOf(answer, nowMs);
  const message = `GitHub gives no token for the App: ${messageOf(answer)}`;
  if (outcome.kind === 'retry') return new NoTokenError({ ...outcome, message });
  return new NoTokenError({ kind: 'give-up', reason: outcome.reason ?? 'rejected', message });
}

function connection({ apiUrl, fetch, timeoutMs, mostAnswerBytes }: GitHubApp) {
  return { apiUrl, fetch, timeoutMs, mostAnswerBytes };
}
