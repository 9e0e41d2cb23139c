import type { ConcludeContext } from '@tripline/contracts/rule';
import { parseTime } from '@tripline/contracts/time';
import { type Change, changes } from '@tripline/facts/changes';
import { type Commit, commits, type Push } from '@tripline/facts/commits';
import { nameAt, repositories } from '@tripline/facts/repositories';
import { changeKeyIn, commitKeyIn, entityOf, personOf } from '@tripline/facts/things';
import { memberKeysOf, writerKeyIn, writers } from '@tripline/facts/writers';
import { conclusion } from './builders/conclusion.ts';
import { shortSha } from './evidence.ts';
import { botsOfProviders } from './provider-bots.ts';

type Pushed = NonNullable<Push['commits']>[number];

const isBot = (login: string): boolean => login.endsWith('[bot]');

/**
 * A commit that says to be made, whole, by another account than the one that pushes it: whoever rebases, picks or amends
 * another's commit is its committer, and who merges by the provider's pages leaves that to the provider.
 */
const claims =
  (push: Push) =>
  (one: Pushed): boolean =>
    one.authorId !== undefined &&
    one.authorId !== push.by?.id &&
    one.committer.toLowerCase() === one.author.toLowerCase();
const isByPerson = ({ by, commits, ciPaths }: Push): boolean =>
  by?.id !== undefined && by.type === 'User' && ciPaths.length > 0 && commits !== undefined;

/** How long the event of a merge may be on its way that would tell by which change a push came, ms. */
const holdMs = 2 * 60_000;
const isMergeByPages = ({ commits = [] }: Push): boolean =>
  commits.length > 1 && commits.at(-1)!.committer === 'web-flow';

/**
 * The change that the provider merged by this push, and of which all is that came in beneath the merge: as many commits as it
 * consists of, its head among them. Whoever merges by hand can put nothing of another origin among these.
 */
function changeMergedBy(
  { changes: those }: Commit,
  push: Push,
  repositoryKey: string,
  { watch }: Pick<ConcludeContext<unknown>, 'watch'>,
): Change | undefined {
  const { commits: came = [], whole, ref, tip } = push;
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

export const rule = conclusion({
  id: 'commit-identity-mismatch',
  title: 'CI files changed by commits in another’s name',
  description:
    'A person pushed changes of files that configure CI in commits whose author and committer both are, by the account’s number in the provider’s no-reply address, a bot or somebody else who may write there; and neither pushed these commits, nor opened a change of them. ' +
    'So does whoever holds a stolen token and hides a workflow among what a bot does every day. ' +
    'High in the name of a bot of the provider’s own, such as Dependabot, which runs under no other account; else medium. ' +
    'Whoever rebases, picks or merges others’ commits is their committer, or the provider is: that is ordinary, and not found. ' +
    'What a merge of the provider’s brings along is judged where it was pushed, to the change’s branch; of a fork, by who opened the change.',
  severity: 'high',
  principles: [2],
  attack: ['T1036'],
  owasp: ['CICD-SEC-4'],
  falseAlarms: [
    'Workflows that commit as a bot and push by a person’s token: an exception for that account, better an account of the workflow’s own.',
    'Mirrors and imports that push what others made elsewhere: an exception for the account that mirrors.',
  ],
  limits: [
    'A claim by name alone, or by another address: only the no-reply address holds the account’s number, and names are anybody’s.',
    'A committer who says to be the provider’s pages: whether the provider signed it is known by the API alone; on protected branches `workflow-changed-unreviewed` asks it.',
    'Commits that touch no file that configures CI.',
    'Changes from before the first delivery: who pushed their commits was not told.',
  ],
  about: commits,
  uses: [repositories, writers, changes],
  where: ({ pushes }: Commit) => pushes.some((push) => isByPerson(push) && push.commits!.some(claims(push))),
  conclude(commit, { key, read, watch }) {
    const at = key.lastIndexOf('@');
    const [repositoryKey, revision] = [key.slice(0, at), key.slice(at + 1)];
    const isTheirs = ({ revision: of, authorId }: Pushed) => {
      const known = watch(commits, commitKeyIn(repositoryKey, of));
      return (
        known?.pushes.some(({ by }) => by?.id === authorId) === true ||
        known?.changes.some(({ author }) => author === authorId) === true
      );
    };
    const mayWrite = ({ author: login, authorId }: Pushed): boolean => {
      const account = { login, id: authorId! };
      const known = watch(writers, writerKeyIn(repositoryKey, account));
      const isMember = memberKeysOf(repositoryKey, account).some((one) => read(writers, one)?.member !== undefined);
      return isMember || (known?.push ?? known?.merge ?? known?.permission) !== undefined;
    };
    /** Judged by who opened the change, or where it was pushed to its branch; of an earlier time nobody heard that. */
    const isJudgedBefore = (
      { fork, author, opened }: Change,
      { revision: of, authorId }: Pushed,
      { ref }: Push,
    ): boolean => {
      if (author?.id === authorId) return true;
      if (fork) return false;
      const known = watch(commits, commitKeyIn(repositoryKey, of));
      return (
        opened === undefined ||
        known?.pushes.some(({ by, type, ref: on }) => type === 'branch' && on !== ref && by?.type === 'User') === true
      );
    };
    return commit.pushes.filter(isByPerson).flatMap((push) => {
      const merged = changeMergedBy(commit, push, repositoryKey, { watch });
      const claimed = push
        .commits!.filter(claims(push))
        .slice(0, 20)
        .filter((one) => !isTheirs(one))
        .filter((one) => merged === undefined || one.revision === push.tip || !isJudgedBefore(merged, one, push));
      const those = claimed.filter((one) => isBot(one.author) || mayWrite(one));
      return [...Map.groupBy(those, ({ authorId }) => authorId)].map(([authorId, [one]]) => {
        const { by, ref, type, ciPaths } = push;
        const repository = nameAt(read(repositories, repositoryKey), parseTime(push.time)) ?? repositoryKey;
        const [subject, as] = [`${repository}@${revision}`, one!.author];
        const paths = ciPaths.slice(0, 5).join(', ');
        const what = `${by!.login} pushed ${shortSha(one!.revision)} to ${type} ${ref}, by author and committer ${as}`;
        return {
          ...{
            subject,
            occasion: `as ${authorId}`,
            ...(isMergeByPages(push) ? { heldUntilMs: (push.heardMs ?? 0) + holdMs } : {}),
            severity: botsOfProviders.has(as) ? ('high' as const) : ('medium' as const),
          },
          because: [{ fact: commits, key, seen: push, what, entities: [personOf(by!, key)] }],
          title: `${by!.login} changed ${paths} of ${repository} in the name of ${as}`,
          summary: `${what}. ${as} neither pushed it nor opened a change of it, and it changes ${paths}.`,
          entities: [entityOf('commit', subject, key), entityOf('repository', repository, repositoryKey)],
          remedy: [
            `Ask ${by!.login} on another channel whether they pushed this, and read the diff.`,
            'If not: end their sessions, delete their tokens, and revert it before its workflows run again.',
          ],
        };
      });
    });
  },
});
