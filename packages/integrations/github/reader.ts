import type { Outcome } from '../outcome.ts';
import type { AppKey } from './app-key.ts';
import { appClient, type GitHubApp, grantedOn, NoTokenError, type TokenScope, withAppToken } from './app-token.ts';
import { outcomeOf } from './classify.ts';
import { createGitHubClient, type GitHubClient, GitHubRefusedError, NoAnswerError } from './client.ts';

/** Credentials for reading at GitHub: the App's, or else a read-only token. */
export type GitHubAccess = {
  apiUrl: string;
  app?: ({ id: string } & AppKey) | undefined;
  token?: string | undefined;
  fetch?: typeof globalThis.fetch | undefined;
  timeoutMs?: number | undefined;
  /** See {@link createGitHubClient}. */
  waitBaseMs?: number;
};

/** GitHub could not be read. `outcome` says whether it may be later. */
export class CannotReadError extends Error {
  readonly code = 'CANNOT_READ';
  readonly outcome: Exclude<Outcome, { kind: 'done' }>;
  constructor(outcome: CannotReadError['outcome']) {
    super(outcome.message ?? outcome.reason);
    this.outcome = outcome;
  }
}

/** Whether anything is configured to read with. */
export function mayRead(access: GitHubAccess): boolean {
  return access.app !== undefined || access.token !== undefined;
}

/**
 * Calls `work` with a patient client that may read what `scope` says. A token minted for it is revoked afterwards.
 * @throws {CannotReadError}
 */
export async function withReader<T>(
  access: GitHubAccess,
  scope: TokenScope,
  options: { nowMs: () => number; onLeftAlive: (reason: string) => void },
  work: (client: GitHubClient) => Promise<T>,
): Promise<T> {
  if (!mayRead(access)) {
    const message =
      'no GitHub App and no token is configured to read with (TRIPLINE_GITHUB_APP_ID and TRIPLINE_GITHUB_APP_PRIVATE_KEY, or TRIPLINE_GITHUB_TOKEN)';
    throw new CannotReadError({ kind: 'give-up', reason: 'not-configured', message });
  }
  try {
    const app = appOf(access);
    if (app) return await withAppToken(app, scope, work, { ...options, manner: 'patient' });
    const { apiUrl, token, fetch, timeoutMs, waitBaseMs } = access;
    const client = createGitHubClient({
      ...{ apiUrl, fetch, authorization: `token ${token}`, manner: 'patient' },
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(waitBaseMs === undefined ? {} : { waitBaseMs }),
    });
    return await work(client);
  } catch (error) {
    throw cannotRead(error, options.nowMs());
  }
}

/**
 * Of `wanted` what the App has on an organisation: GitHub gives no token at all where one permission of many is missing. With a
 * token instead of an App it is all of it, since nobody says what that may do. @throws {CannotReadError}
 */
export async function permittedOf(
  access: GitHubAccess,
  organization: string,
  wanted: TokenScope['permissions'],
  nowMs: number,
): Promise<TokenScope['permissions']> {
  const app = appOf(access);
  if (!app) return wanted;
  try {
    // One that is not installed is said by the minting.
    const granted = (await grantedOn(app, organization)) ?? wanted;
    return Object.fromEntries(Object.entries(wanted).filter(([name]) => granted[name] !== undefined));
  } catch (error) {
    throw cannotRead(error, nowMs);
  }
}

/** Logins of the accounts on which the App is installed. @throws {CannotReadError} */
export async function installedOn(access: GitHubAccess, nowMs: number): Promise<string[]> {
  const app = appOf(access);
  if (!app) return [];
  try {
    const logins: string[] = [];
    const client = await appClient(app);
    for await (const { account } of client.list<{ account: { login: string } }>({
      route: 'GET /app/installations',
      parameters: {},
    })) {
      logins.push(account.login);
    }
    return logins;
  } catch (error) {
    throw cannotRead(error, nowMs);
  }
}

function appOf({ app, apiUrl, fetch, timeoutMs }: GitHubAccess): GitHubApp | undefined {
  return app && { ...app, apiUrl, fetch, timeoutMs };
}

/** Converts an error of GitHub's into a {@link CannotReadError}; any other error is returned as it is. */
export function cannotRead(error: unknown, nowMs: number): unknown {
  if (error instanceof NoTokenError) return new CannotReadError(error.outcome);
  if (error instanceof NoAnswerError)
    return new CannotReadError({ kind: 'retry', reason: error.reason, message: error.message });
  if (!(error instanceof GitHubRefusedError)) return error;
  const outcome = outcomeOf(error.answer, nowMs);
  if (outcome.kind === 'retry') return new CannotReadError({ ...outcome, message: error.message });
  // For a read, "already gone" means that the resource does not exist or is not visible.
  const reason = outcome.reason === 'already-gone' ? 'not-found' : (outcome.reason ?? 'rejected');
  return new CannotReadError({ kind: 'give-up', reason, message: error.message });
}
