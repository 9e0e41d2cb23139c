import type { Attributes } from '@tripline/contracts/attributes';
import type { GitHubClient } from './client.ts';
import { ownerAndRepo } from './client.ts';

type Changes = NonNullable<Attributes['tripline.lookup.changes']>;
type Review = Changes[number]['reviews'][number];

/** Enough for any commit; more would be somebody's attempt to make the answer too large for the log. */
const mostChanges = 30;
const mostReviews = 300;

type Account = { login: string; type?: string } | null;
type Pull = {
  number: number;
  state: string;
  merged_at?: string | null;
  merge_commit_sha?: string | null;
  user: Account;
  head: { sha: string };
  base: { ref: string };
};
type PullReview = {
  id: number | bigint;
  user: Account;
  state: string;
  commit_id: string | null;
  author_association: string;
  submitted_at?: string;
};

/**
 * The pull requests that hold a commit, each with its reviews in the order in which they were given.
 * @throws {GitHubRefused} {@link NoAnswer}
 */
export async function lookUpReviews(
  client: GitHubClient,
  question: { repository: string; revision: string },
): Promise<Changes> {
  const where = ownerAndRepo(question.repository);
  const pulls = client.list<Pull>(
    {
      route: 'GET /repos/{owner}/{repo}/commits/{commit_sha}/pulls',
      parameters: { ...where, commit_sha: question.revision },
    },
    { maxItems: mostChanges },
  );
  const changes: Changes = [];
  for await (const pull of pulls) {
    const reviews: Review[] = [];
    const listed = client.list<PullReview>(
      {
        route: 'GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews',
        parameters: { ...where, pull_number: pull.number },
      },
      { maxItems: mostReviews },
    );
    for await (const review of listed) {
      // One that is not submitted yet says nothing; one that is bound to no commit cannot vouch for one.
      if (review.submitted_at === undefined || review.commit_id === null) continue;
      reviews.push({
        id: String(review.id),
        author: loginOf(review.user),
        authorType: review.user?.type ?? 'User',
        state: review.state.toLowerCase(),
        revision: review.commit_id,
        association: review.author_association,
        submittedAt: review.submitted_at,
      });
    }
    const merged = typeof pull.merged_at === 'string';
    changes.push({
      id: String(pull.number),
      state: merged ? 'merged' : pull.state === 'open' ? 'open' : 'closed',
      author: loginOf(pull.user),
      headRevision: pull.head.sha,
      // On an open one this is a trial merge that never reaches a branch.
      ...(merged && pull.merge_commit_sha ? { mergeRevision: pull.merge_commit_sha } : {}),
      baseName: pull.base.ref,
      reviews,
    });
  }
  return changes;
}

/** GitHub shows the account of who left as nobody, and calls it `ghost` itself. */
function loginOf(account: Account): string {
  return account?.login ?? 'ghost';
}
