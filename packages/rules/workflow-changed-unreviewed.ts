import type { Intent } from '@tripline/contracts/response';
import { parseTime } from '@tripline/contracts/time';
import { type Commit, commits, type Push } from '@tripline/facts/commits';
import { nameAt, repositories } from '@tripline/facts/repositories';
import {
  acceptanceOf,
  mattersToReviews,
  placeOf,
  reviewFacts,
  reviewHouse,
  reviewReader,
} from '@tripline/facts/review-reader';
import { commitKeyIn, entityOf, personOf, refKeyIn } from '@tripline/facts/things';
import { conclusion } from './builders/conclusion.ts';
import { targetOf } from './builders/seen.ts';
import { shortSha } from './evidence.ts';
import { overridesOf } from './overrides.ts';

const changesCi = ({ type, ciPaths }: Push): boolean => type === 'branch' && ciPaths.length > 0;

export const rule = conclusion({
  id: 'workflow-changed-unreviewed',
  title: 'CI files changed on a protected branch, and nobody else reviewed it',
  description:
    'A push to the default branch or a protected one changed files that configure CI, and no merged and approved change brought that in: from then on every run does what the pusher wrote, with the repository’s secrets. ' +
    'Reviewed is what `build-from-unreviewed-commit` takes for it, by the same facts and the same exceptions; here it is said at the push, before anything runs. Where it is known that nobody requires a review it only informs. ' +
    'What webhooks cannot tell is asked of the API, and what nobody can tell is not found. A review that is received late takes the finding back.',
  severity: 'high',
  principles: [2],
  attack: ['T1677'],
  owasp: ['CICD-SEC-4', 'CICD-SEC-1'],
  feeds: {
    needs: ['github'],
    better: { 'github-api': 'proves who made a merge, who may write, and what was approved before the first delivery' },
  },
  falseAlarms: [
    'Bots that roll templates out by pushing: name them in `exemptActors`, here and for `build-from-unreviewed-commit`.',
    'Repositories in which one person works alone: an exception for the repository.',
    'Merges by a bot of the house, such as bors: `mergeBots`.',
  ],
  limits: [
    'CI files that are changed on other branches: most changes of them begin so. What such a run holds is found by `ephemeral-branch-secret-run`, `secret-new-consumer` and `build-from-unreviewed-commit`.',
    'Scripts that an unchanged workflow calls: only files that configure CI are told from others.',
    'GitHub sends no push event whose body would be too large.',
  ],
  settings: reviewHouse,
  about: commits,
  uses: reviewFacts,
  matters: mattersToReviews,
  where: ({ pushes }: Commit) => pushes.some(changesCi),
  conclude({ pushes }, { key, ...context }) {
    const at = key.lastIndexOf('@');
    const [repositoryKey, revision] = [key.slice(0, at), key.slice(at + 1)];
    return pushes.flatMap((push) => {
      if (!changesCi(push) || push.tip !== revision) return [];
      const { ref, by, time, before, ciPaths, heardMs = 0 } = push;
      const repository = nameAt(context.read(repositories, repositoryKey), parseTime(time)) ?? repositoryKey;
      const place = placeOf(repositoryKey, repository, undefined, context);
      if (!place.isProtected(ref, parseTime(time))) return [];
      const reader = reviewReader(place, ref, context, context.settings, parseTime(time));
      const verdict = acceptanceOf(revision, 'landed', place, reader, context, heardMs);
      if (verdict.is === 'reviewed') context.explain(verdict.why);
      // What strangers do has nothing found, and takes nothing back.
      if (verdict.is === 'reviewed' || (verdict.is === 'unknown' && !verdict.isCrowded)) return [];
      const who = by?.login ?? 'somebody unnamed';
      const [paths, subject] = [ciPaths.slice(0, 5).join(', '), `${repository}@${revision}`];
      const people = by === undefined ? [] : [personOf(by, key)];
      const workflows = ciPaths.filter((path) => /\.ya?ml$/.test(path)).slice(0, 3);
      const heldMs = verdict.mayBeExplained ? heardMs + context.settings.holdMs + verdict.moreMs : 0;
      return {
        ...{ subject, occasion: ref, heldUntilMs: verdict.is === 'unknown' ? Number.POSITIVE_INFINITY : heldMs },
        acts: overridesOf(repositoryKey, [revision, verdict.revision], context),
        because: [
          { fact: commits, key, seen: push, what: `${who} pushed ${paths} to ${ref}`, entities: people },
          ...verdict.seen.map(({ observed, ...seen }) => ({ ...seen, seen: observed })),
        ],
        title: `${who} changed ${paths} on ${ref} of ${repository}, and nobody else reviewed it`,
        summary: `${shortSha(verdict.revision)} is not reviewed: ${verdict.why}. Runs of ${repository} do from now on what ${paths} says.`,
        entities: [
          entityOf('commit', subject, commitKeyIn(repositoryKey, revision)),
          entityOf('repository', repository, repositoryKey),
          entityOf('ref', `${repository}@refs/heads/${ref}`, refKeyIn(repositoryKey, 'branch', ref)),
        ],
        ...(verdict.needsNone ? { severity: 'low' as const } : {}),
        response: (verdict.needsNone ? [] : workflows).map((workflow): Intent => {
          return { action: 'stop-workflow', ...targetOf(place, repositoryKey), workflow };
        }),
        remedy: [
          `Ask ${who} what ${paths} is to do, and read the diff since ${shortSha(before ?? '')}.`,
          'If nobody answers for it: revert it before its workflows run again, and rotate what they could read.',
        ],
      };
    });
  },
});
