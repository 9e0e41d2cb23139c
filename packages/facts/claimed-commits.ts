import type { ConcludeContext } from '@tripline/contracts/rule';
import { type Change, changes } from './changes.ts';
import { type Commit, commits, isByPages, type Push } from './commits.ts';
import { changeKeyIn, commitKeyIn } from './things.ts';
import { memberKeysOf, writerKeyIn, writers } from './writers.ts';

/** Commits that say to be another's than whoever pushed them, and what speaks for that. */
type Pushed = NonNullable<Push['commits']>[number];
type Reads = Pick<ConcludeContext<unknown>, 'read' | 'watch'>;
const mostClaimed = 20;

/**
 * A commit that says to be made, whole, by another account than the one that pushes it: whoever rebases, picks or amends
 * another's commit is its committer, and who merges by the provider's pages leaves that to the provider.
 */
export const claims =
  (push: Push) =>
  (one: Pushed): boolean =>
    one.authorId !== undefined &&
    one.authorId !== push.by?.id &&
    one.committer.toLowerCase() === one.author.toLowerCase();

/** A push by a person, of the tip that is asked about, which changes files that configure CI. */
export const isByPerson = ({ by, commits, ciPaths }: Push): boolean =>
  by?.id !== undefined && by.type === 'User' && ciPaths.length > 0 && commits !== undefined;

export const isMergeByPages = (push: Push): boolean =>
  push.commits !== undefined && push.commits.length > 1 && isByPages(push);

/** The first commits of a push by a person in the name of a bot, or of somebody who may write there, who neither pushed them nor opened a change of them. */
export function claimedIn(push: Push, commit: Commit, repositoryKey: string, reads: Reads): Pushed[] {
  const merged = changeMergedBy(commit, push, repositoryKey, reads);
  return push
    .commits!.filter(claims(push))
    .slice(0, mostClaimed)
    .filter((one) => !isTheirs(one, repositoryKey, reads))
    .filter(
      (one) =>
        merged === undefined || one.revision === push.tip || !isJudgedBefore(merged, one, push, repositoryKey, reads),
    )
    .filter((one) => one.author.endsWith('[bot]') || mayWrite(one, repositoryKey, reads));
}

function isTheirs({ revision, authorId }: Pushed, repositoryKey: string, { watch }: Reads): boolean {
  const known = watch(commits, commitKeyIn(repositoryKey, revision));
  return (
    known?.pushes.some(({ by }) => by?.id === authorId) === true ||
    known?.changes.some(({ author }) => author === authorId) === true
  );
}

function mayWrite({ author: login, authorId }: Pushed, repositoryKey: string, { read, watch }: Reads): boolean {
  const account = { login, id: authorId! };
  const known = watch(writers, writerKeyIn(repositoryKey, account));
  const isMember = memberKeysOf(repositoryKey, account).some((one) => read(writers, one)?.member !== undefined);
  return isMember || (known?.push ?? known?.merge ?? known?.permission) !== undefined;
}

/**
 * The change that the provider merged by this push, and of which all is that came in beneath the merge: as many commits as it
 * consists of, its head among them. Whoever merges by hand can put nothing of another origin among these.
 */
function changeMergedBy(
  { changes: those }: Commit,
  { commits: came = [], whole, ref, tip }: Push,
  repositoryKey: string,
  { watch }: Reads,
): Change | undefined {
  if (!whole) return undefined;
  const merges = those.filter(({ as }) => as === 'merge');
  return merges
    .map(({ change }) => watch(changes, changeKeyIn(repositoryKey, change)))
    .find((change) =>
      change?.merged.some(
        ({ revision, base, head, commitCount }) =>
          revision === tip &&
          base === ref &&
          commitCount === came.length - 1 &&
          head !== tip &&
          came.some((one) => one.revision === head),
      ),
    );
}

/** Judged by who opened the change, or where it was pushed to its branch; of before anybody listened nobody was told that. */
function isJudgedBefore(
  { fork, author, opened }: Change,
  { revision, authorId }: Pushed,
  { ref }: Push,
  repositoryKey: string,
  { watch }: Reads,
): boolean {
  if (author?.id === authorId) return true;
  if (fork) return false;
  const known = watch(commits, commitKeyIn(repositoryKey, revision));
  return (
    opened === undefined ||
    known?.pushes.some(({ by, type, ref: on }) => type === 'branch' && on !== ref && by?.type === 'User') === true
  );
}
