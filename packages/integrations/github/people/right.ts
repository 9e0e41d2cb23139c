import type { RightKind } from '@tripline/access/people-rights';
import type { Outcome } from '../../outcome.ts';
import { outcomeOf } from '../classify.ts';
import { type GitHubAnswer, type GitHubClient, GitHubRefusedError, type GitHubRequest } from '../client.ts';

/** What somebody holds by themselves, without what teams, roles or the organisation give them. */
export type HeldRight = {
  /** In the words of requests, or a role of the organisation's own; `none`. */
  right: string;
  /** A word of requests that is no more than `right`: of a role of one's own, what it is made from. */
  base: string;
  /** What they hold by another way, the most of it, and by which. */
  elsewhere?: { right: string; by: string };
  /** Why nothing is to be given to them. */
  barred?: string;
};

/** Which right: of what kind, in whose organisation (of a right that a former version gave its id is not known: empty), on or of what, and whose. */
export type RightOf = {
  kind: RightKind;
  organization: { login: string; id: string };
  targetId: string;
  accountId: string;
};

/** One kind of right of one account on one thing, both by id: names change hands. Each throws {@link RightError}. */
export type RightAccess = {
  /** As they are called now. */
  target: string;
  login: string;
  held: () => Promise<HeldRight>;
  /** `invited`: GitHub would only have asked them, which was undone. */
  set: (right: string) => Promise<'set' | 'invited'>;
  remove: () => Promise<void>;
};

/** What is asked with: REST and GraphQL, on behalf of one organisation. */
export type RightParts = {
  client: GitHubClient;
  graphql: GitHubClient;
  nowMs: () => number;
  organization: { login: string; id: string };
  targetId: string;
  account: { id: string; login: string };
};

/** GitHub was not asked, or did not do it. `outcome` says whether it may later. */
export class RightError extends Error {
  readonly code = 'RIGHT_OF_PERSON';
  readonly outcome: Exclude<Outcome, { kind: 'done' }>;
  constructor(outcome: RightError['outcome']) {
    super(outcome.message ?? outcome.reason);
    this.outcome = outcome;
  }
}
export const giveUp = (reason: string, message: string) => new RightError({ kind: 'give-up', reason, message });

/** Sends what is to change something. */
export async function change(client: GitHubClient, request: GitHubRequest): Promise<GitHubAnswer> {
  const answer = await client.send(request);
  if (answer.status >= 200 && answer.status < 300) return answer;
  throw new GitHubRefusedError(request, answer);
}

/** Sends what takes something away; what is not there is taken away. */
export async function takeAway({ client, nowMs }: RightParts, request: GitHubRequest): Promise<void> {
  const answer = await client.send(request);
  if (outcomeOf(answer, nowMs()).kind !== 'done') throw new GitHubRefusedError(request, answer);
}

/** What somebody is in the organisation; `invited`: they have not accepted yet. */
export async function memberOf({
  client,
  organization,
  account,
}: RightParts): Promise<'none' | 'invited' | 'member' | 'owner'> {
  const request = {
    route: 'GET /orgs/{org}/memberships/{username}',
    parameters: { org: organization.login, username: account.login },
  };
  const answer = await client.send(request);
  if (answer.status === 404) return 'none';
  const { state, role } = (answer.data ?? {}) as { state?: unknown; role?: unknown };
  if (answer.status !== 200 || (state !== 'active' && state !== 'pending'))
    throw new GitHubRefusedError(request, answer);
  if (state === 'pending') return 'invited';
  return role === 'admin' ? 'owner' : 'member';
}

/** Why nobody who is no member is put into a team or given a role. */
export function barOutsiders(
  is: Awaited<ReturnType<typeof memberOf>>,
  { account, organization }: RightParts,
): string | undefined {
  if (is === 'invited') return `${account.login} has not accepted an invitation to ${organization.login} yet`;
  return is === 'none' ? `${account.login} is no member of ${organization.login}` : undefined;
}
