import type { RightKind } from '@tripline/access/people-rights';
import { loginOf, organizationId } from '../actions/action.ts';
import { type GitHubApp, NoTokenError, type TokenScope, withAppAuthorization } from '../app-token.ts';
import { outcomeOf } from '../classify.ts';
import { createGitHubClient, GitHubRefusedError, NoAnswerError } from '../client.ts';
import { graphqlApiUrl } from '../graphql.ts';
import { collaborator } from './collaborator.ts';
import { orgRole } from './org-role.ts';
import { giveUp, type RightAccess, RightError, type RightOf, type RightParts } from './right.ts';
import { teamMember } from './team-member.ts';

export type Rights = {
  /** Calls `work` with an access for this one right, and ends that however `work` ends. @throws {RightError} */
  use: <T>(of: RightOf, work: (access: RightAccess) => Promise<T>) => Promise<T>;
};

type Kind = { scope: (of: RightOf) => Omit<TokenScope, 'owner'>; open: (parts: RightParts) => Promise<RightAccess> };
const kinds = { collaborator, 'team-member': teamMember, 'org-role': orgRole } satisfies Record<RightKind, Kind>;

/** Gives, changes and takes back rights of people, by an App that may (README.md, section "People"). */
export function createRights(
  app: GitHubApp,
  options: { nowMs: () => number; onLeftAlive: (reason: string) => void },
): Rights {
  const { nowMs } = options;
  return {
    async use(of, work) {
      const { kind, organization, targetId, accountId } = of;
      const { scope, open } = kinds[kind];
      const call = async (authorization: string) => {
        const clientAt = (apiUrl: string) =>
          createGitHubClient({
            ...{ apiUrl, authorization, manner: 'once' as const },
            ...(app.fetch && { fetch: app.fetch }),
            ...(app.timeoutMs && { timeoutMs: app.timeoutMs }),
          });
        const client = clientAt(app.apiUrl);
        const login = await loginOf(client, accountId);
        if (login === undefined)
          throw giveUp('no-account', `account ${accountId} is not there any more: nothing is left to change`);
        const { id } = organization;
        if (id !== '' && (await organizationId(client, organization.login)) !== id)
          throw giveUp('other-organization', `${organization.login} is not the organisation any more that was pinned`);
        const account = { id: accountId, login };
        const graphql = clientAt(graphqlApiUrl(app.apiUrl));
        return work(await open({ client, graphql, nowMs, organization, targetId, account }));
      };
      try {
        return await withAppAuthorization(app, { owner: organization.login, ...scope(of) }, call, options);
      } catch (error) {
        throw explained(error, nowMs);
      }
    },
  };
}

/** What is none of ours, such as a fault in `work`, stays what it is. */
function explained(error: unknown, nowMs: () => number): unknown {
  if (error instanceof NoTokenError) return new RightError(error.outcome);
  if (error instanceof NoAnswerError)
    return new RightError({ kind: 'retry', reason: error.reason, message: error.message });
  if (!(error instanceof GitHubRefusedError)) return error;
  const outcome = outcomeOf(error.answer, nowMs());
  if (outcome.kind === 'done') return giveUp('not-found', error.message);
  return new RightError({ ...outcome, message: error.message });
}
