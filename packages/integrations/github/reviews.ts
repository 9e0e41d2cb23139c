import type { Attributes } from '@tripline/contracts/attributes';
import { type GitHubClient, GitHubRefusedError, ownerAndRepo } from './client.ts';

type Changes = NonNullable<Attributes['tripline.lookup.changes']>;
type Change = Changes[number];
type Commit = NonNullable<Attributes['tripline.lookup.commit']>;

/** Enough for any honest commit, and a bound on the size of the answer in the log. */
const mostChanges = 30;
const mostReviews = 300;
/** GitHub lists at most so many commits of a change: one with as many is not read whole. */
const mostCommits = 250;
/**
 * Reviewers per change whose rights are looked up; those associated with the repository first, so that outsiders cannot
 * crowd them out.
 */
const mostReviewers = 30;

type Account = { login: string; id?: number | bigint; type?: string } | null;
type Pull = {
  number: number;
  state: string;
  merged_at?: string | null;
  merged_by?: Account;
  merge_commit_sha?: string | null;
  user: Account;
  head: { sha: string; ref?: string; repo?: { id?: number | bigint } | null };
  base: { ref: string; repo?: { id?: number | bigint } | null };
};
type PullReview = {
  id: number | bigint;
  user: Account;
  state: string;
  commit_id: string | null;
  author_association: string;
  submitted_at?: string;
};
type ListedCommit = {
  sha: string;
  parents?: { sha: string }[];
  author?: Account;
  committer?: Account;
  commit?: { verification?: { verified?: boolean } };
};

/**
 * The commit and the pull requests that hold it, each with its commits and its reviews in the order in which they were given.
 * @throws {GitHubRefusedError} {@link NoAnswerError}
 */
export async function lookUpReviews(
  client: GitHubClient,
  question: { repository: string; revision: string },
): Promise<{ commit: Commit; changes: Changes }> {
  const where = ownerAndRepo(question.repository);
  const asked = { route: 'GET /repos/{owner}/{repo}/commits/{ref}', parameters: { ...where, ref: question.revision } };
  const answer = await client.send(asked);
  if (answer.status >= 300) throw new GitHubRefusedError(asked, answer);
  const pulls = client.list<Pull>(
    {
      route: 'GET /repos/{owner}/{repo}/commits/{commit_sha}/pulls',
      parameters: { ...where, commit_sha: question.revision },
    },
    { maxItems: mostChanges },
  );
  const changes: Changes = [];
  for await (const pull of pulls) changes.push(await readChange(client, where, pull));
  return { commit: toCommit(answer.data as ListedCommit), changes };
}

type Where = ReturnType<typeof ownerAndRepo>;

async function readChange(client: GitHubClient, where: Where, pull: Pull): Promise<Change> {
  const of = { ...where, pull_number: pull.number };
  const merged = typeof pull.merged_at === 'string';
  // Only the pull request itself says who merged it.
  const whole = merged ? await readOne<Pull>(client, 'GET /repos/{owner}/{repo}/pulls/{pull_number}', of) : undefined;
  const mergedBy = whole?.merged_by ?? pull.merged_by;
  const commits: Commit[] = [];
  const listed = client.list<ListedCommit>(
    { route: 'GET /repos/{owner}/{repo}/pulls/{pull_number}/commits', parameters: of },
    { maxItems: mostCommits },
  );
  for await (const commit of listed) commits.push(toCommit(commit));
  const isFork = pull.head.repo === null || (pull.head.repo?.id ?? 0) !== (pull.base.repo?.id ?? 0);
  return {
    id: String(pull.number),
    state: merged ? 'merged' : pull.state === 'open' ? 'open' : 'closed',
    author: loginOf(pull.user),
    ...idOf('authorId', pull.user),
    headRevision: pull.head.sha,
    ...(pull.head.ref === undefined ? {} : { headName: pull.head.ref }),
    fork: isFork,
    // On an open one this is a trial merge that never reaches a branch.
    ...(merged && pull.merge_commit_sha ? { mergeRevision: pull.merge_commit_sha } : {}),
    ...(merged ? { mergedAt: pull.merged_at! } : {}),
    ...(mergedBy ? { mergedBy: loginOf(mergedBy), ...idOf('mergedById', mergedBy) } : {}),
    baseName: pull.base.ref,
    ...(commits.length < mostCommits ? { commits } : {}),
    reviews: await readReviews(client, where, pull.number),
  };
}

async function readReviews(client: GitHubClient, where: Where, number: number): Promise<Change['reviews']> {
  const reviews: Change['reviews'] = [];
  const listed = client.list<PullReview>(
    { route: 'GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews', parameters: { ...where, pull_number: number } },
    { maxItems: mostReviews },
  );
  for await (const review of listed) {
    // Skips reviews that are not submitted yet, or that name no commit.
    if (review.submitted_at === undefined || review.commit_id === null) continue;
    reviews.push({
      id: String(review.id),
      author: loginOf(review.user),
      ...idOf('authorId', review.user),
      authorType: review.user?.type ?? 'User',
      state: review.state.toLowerCase(),
      revision: review.commit_id,
      association: review.author_association,
      submittedAt: review.submitted_at,
    });
  }
  // A private membership looks like none: the rights of reviewers whose approval depends on it are looked up.
  const doubted = reviews
    .filter(({ state, association }) => state === 'approved' && !proving.has(association))
    .sort((a, b) => Number(known.has(b.association)) - Number(known.has(a.association)));
  const permissions = new Map<string, string>();
  for (const { author } of doubted) {
    if (permissions.has(author) || permissions.size >= mostReviewers) continue;
    const route = 'GET /repos/{owner}/{repo}/collaborators/{username}/permission';
    const answer = await readOne<{ permission?: string }>(client, route, { ...where, username: author });
    permissions.set(author, answer?.permission ?? '');
  }
  return reviews.map((review) => {
    const permission = permissions.get(review.author);
    return permission ? { ...review, permission } : review;
  });
}
const proving = new Set(['OWNER', 'MEMBER']);
const known = new Set(['COLLABORATOR', 'CONTRIBUTOR']);

/** Undefined where it does not exist or is not visible. */
async function readOne<T>(client: GitHubClient, route: string, parameters: Record<string, string | number>) {
  const request = { route, parameters };
  const answer = await client.send(request);
  if (answer.status === 403 || answer.status === 404) return undefined;
  if (answer.status >= 300) throw new GitHubRefusedError(request, answer);
  return answer.data as T;
}

function toCommit(commit: ListedCommit): Commit {
  return {
    revision: commit.sha,
    parents: (commit.parents ?? []).map(({ sha }) => sha),
    author: commit.author?.login ?? '',
    ...idOf('authorId', commit.author ?? null),
    ...(commit.author?.type === undefined ? {} : { authorType: commit.author.type }),
    committer: commit.committer?.login ?? '',
    verified: commit.commit?.verification?.verified === true,
  };
}

/** GitHub reports a deleted account as null, and shows it as `ghost`. */
function loginOf(account: Account): string {
  return account?.login ?? 'ghost';
}
function idOf<Name extends string>(name: Name, account: Account): { [K in Name]?: string } {
  return account?.id === undefined ? {} : ({ [name]: String(account.id) } as { [K in Name]?: string });
}
