import { parseTime } from '@tripline/contracts/time';
import { type Commit, commits, type Push } from '@tripline/facts/commits';
import { nameAt, repositories } from '@tripline/facts/repositories';
import { commitKeyIn, entityOf, personOf } from '@tripline/facts/things';
import { memberKeysOf, writerKeyIn, writers } from '@tripline/facts/writers';
import { conclusion } from './builders/conclusion.ts';
import { shortSha } from './evidence.ts';

type Pushed = NonNullable<Push['commits']>[number];

/** Bots of providers themselves, which nobody runs under an account of their own. */
const ofProviders = new Set(['dependabot[bot]', 'github-advanced-security[bot]', 'github-merge-queue[bot]']);
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

export const rule = conclusion({
  id: 'commit-identity-mismatch',
  title: 'CI files changed by commits in another’s name',
  description:
    'A person pushed changes of files that configure CI in commits whose author and committer both are, by the account’s number in the provider’s no-reply address, a bot or somebody else who may write there; and neither pushed these commits, nor opened a change of them. ' +
    'So does whoever holds a stolen token and hides a workflow among what a bot does every day. ' +
    'High in the name of a bot of the provider’s own, such as Dependabot, which runs under no other account; else medium. ' +
    'Whoever rebases, picks or merges others’ commits is their committer, or the provider is: that is ordinary, and not found.',
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
  ],
  about: commits,
  uses: [repositories, writers],
  where: ({ pushes }: Commit) => pushes.some((push) => isByPerson(push) && push.commits!.some(claims(push))),
  conclude({ pushes }, { key, read, watch }) {
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
    return pushes.filter(isByPerson).flatMap((push) => {
      const claimed = push
        .commits!.filter(claims(push))
        .slice(0, 20)
        .filter((one) => !isTheirs(one));
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
            severity: ofProviders.has(as) ? ('high' as const) : ('medium' as const),
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
