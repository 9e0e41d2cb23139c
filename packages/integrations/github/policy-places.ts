import type { AtGithub, EnvironmentAtGithub } from '@tripline/access/lint-at-github';
import { appClient, type GitHubApp } from './app-token.ts';
import { type GitHubClient, GitHubRefusedError, type GitHubRequest, ownerAndRepo } from './client.ts';
import { CannotReadError, cannotRead, type GitHubAccess, mayRead, permittedOf, withReader } from './reader.ts';

type Options = { nowMs: () => number; onLeftAlive: (reason: string) => void };

/** By tier and repository, what the App of the tier was granted there; nothing of a tier that has none. @throws {CannotReadError} */
export async function readGranted(
  given: readonly { tier: string; repository: string }[],
  appOf: (tier: string) => GitHubApp | undefined,
  nowMs: number,
): Promise<AtGithub['granted']> {
  const granted = new Map<string, Readonly<Record<string, string>> | 'not-installed'>();
  for (const { tier, repository } of given) {
    const app = appOf(tier);
    if (app === undefined) continue;
    const request = { route: 'GET /repos/{owner}/{repo}/installation', parameters: ownerAndRepo(repository) };
    try {
      const client = await appClient(app);
      const told = await orMissing<{ permissions?: Record<string, string> }>(client, request);
      granted.set(`${tier} ${repository}`, told === undefined ? 'not-installed' : (told.permissions ?? {}));
    } catch (error) {
      throw cannotRead(error, nowMs);
    }
  }
  return granted;
}

const permissions = { actions: 'read', metadata: 'read' } as const;

/**
 * By repository and environment, what protects it. What may not be read is unknown; so is everything where nothing is configured to
 * read with. @throws {CannotReadError} GitHub gives no answer.
 */
export async function readEnvironmentGates(
  access: GitHubAccess,
  named: readonly { repository: string; environment: string }[],
  options: Options,
): Promise<AtGithub['environments']> {
  const found = new Map<string, EnvironmentAtGithub>();
  if (!mayRead(access)) return found;
  for (const [repository, all] of Map.groupBy(named, (one) => one.repository)) {
    const { owner } = ownerAndRepo(repository);
    try {
      const may = await permittedOf(access, owner, permissions, options.nowMs());
      if (may['actions'] === undefined) continue;
      await withReader(access, { owner, repository, permissions: may }, options, async (client) => {
        for (const { environment } of all)
          found.set(`${repository} ${environment}`, await gateOf(client, repository, environment));
      });
    } catch (error) {
      if (!(error instanceof CannotReadError) || error.outcome.kind === 'retry') throw error;
    }
  }
  return found;
}

async function gateOf(client: GitHubClient, repository: string, environment: string): Promise<EnvironmentAtGithub> {
  const where = { ...ownerAndRepo(repository), environment_name: environment };
  const at = await orMissing<{ visibility?: string }>(client, {
    route: 'GET /repos/{owner}/{repo}',
    parameters: ownerAndRepo(repository),
  });
  // Without the repository nothing is known of what it has.
  if (at === undefined) return { is: 'unknown', mayHaveNone: true };
  const mayHaveNone = at.visibility !== 'public' && at.visibility !== 'internal';
  const known = await orMissing<{ protection_rules?: { type: string; reviewers?: unknown[] }[] }>(client, {
    route: 'GET /repos/{owner}/{repo}/environments/{environment_name}',
    parameters: where,
  });
  if (known === undefined) return { is: 'absent', mayHaveNone };
  const isReviewed = (known.protection_rules ?? []).some(
    ({ type, reviewers }) => type === 'required_reviewers' && (reviewers?.length ?? 0) > 0,
  );
  if (isReviewed) return { is: 'gated', mayHaveNone };
  const rules = await orMissing<{ custom_deployment_protection_rules?: { enabled?: boolean }[] }>(client, {
    route: 'GET /repos/{owner}/{repo}/environments/{environment_name}/deployment_protection_rules',
    parameters: where,
  });
  const isGated = rules?.custom_deployment_protection_rules?.some(({ enabled }) => enabled !== false) === true;
  return { is: isGated ? 'gated' : rules === undefined ? 'unknown' : 'open', mayHaveNone };
}

/** Undefined where GitHub answers 404. @throws {GitHubRefusedError} */
async function orMissing<T>(client: GitHubClient, request: GitHubRequest): Promise<T | undefined> {
  const answer = await client.send(request);
  if (answer.status === 404) return undefined;
  if (answer.status >= 300) throw new GitHubRefusedError(request, answer);
  return answer.data as T;
}
