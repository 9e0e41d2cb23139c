import { parseTime } from '@tripline/contracts/time';
import { changes } from '@tripline/facts/changes';
import { claimedIn, claims, isByPerson, isMergeByPages } from '@tripline/facts/claimed-commits';
import { type Commit, commits } from '@tripline/facts/commits';
import { nameAt, repositories } from '@tripline/facts/repositories';
import { entityOf, personOf } from '@tripline/facts/things';
import { writers } from '@tripline/facts/writers';
import { conclusion } from './builders/conclusion.ts';
import { shortSha } from './evidence.ts';
import { botsOfProviders } from './provider-bots.ts';

/** How long the event of a merge may be on its way that would tell by which change a push came, ms. */
const holdMs = 2 * 60_000;

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
    return commit.pushes.filter(isByPerson).flatMap((push) => {
      const those = claimedIn(push, commit, repositoryKey, { read, watch });
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
