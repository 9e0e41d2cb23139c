import type { Intent } from '@tripline/contracts/response';
import { parseTime } from '@tripline/contracts/time';
import { type Commit, commits, type Push } from '@tripline/facts/commits';
import { mattersToReviews, type Place, reviewFacts, reviewHouse } from '@tripline/facts/review-reader';
import { conclusion } from './builders/conclusion.ts';
import { targetOf } from './builders/seen.ts';
import { shortSha } from './evidence.ts';
import { landingsOf } from './landed.ts';

/** Of actions and other files that configure CI the provider would stop the workflow that is called alike. */
const workflowForm = /^\.github\/workflows\/[^/]+\.ya?ml$/;
/** More than somebody changes to hide one. */
const mostStopped = 10;

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
  supersedes: ['protected-branch-unreviewed'],
  about: commits,
  uses: reviewFacts,
  matters: mattersToReviews,
  where: ({ pushes }: Commit) => pushes.some(changesCi),
  conclude({ pushes }, { key, ...context }) {
    const counts = (push: Push, place: Place) => changesCi(push) && place.isProtected(push.ref, parseTime(push.time));
    return landingsOf(pushes, key, context, counts).map(
      ({ push, place, verdict, who, subject, repository, repositoryKey, because, ...landing }) => {
        const { ref, before, ciPaths } = push;
        const paths = ciPaths.slice(0, 5).join(', ');
        const workflows = ciPaths.filter((path) => workflowForm.test(path)).slice(0, mostStopped);
        return {
          ...{ ...landing, subject, occasion: ref, because: because(`${who} pushed ${paths} to ${ref}`) },
          title: `${who} changed ${paths} on ${ref} of ${repository}, and nobody else reviewed it`,
          summary: `${shortSha(verdict.revision)} is not reviewed: ${verdict.why}. Runs of ${repository} do from now on what ${paths} says.`,
          ...(verdict.needsNone ? { severity: 'low' as const } : {}),
          response: (verdict.needsNone ? [] : workflows).map((workflow): Intent => {
            return { action: 'stop-workflow', ...targetOf(place, repositoryKey), workflow };
          }),
          remedy: [
            `Ask ${who} what ${paths} is to do, and read the diff since ${shortSha(before ?? '')}.`,
            'If nobody answers for it: revert it before its workflows run again, and rotate what they could read.',
          ],
        };
      },
    );
  },
});
