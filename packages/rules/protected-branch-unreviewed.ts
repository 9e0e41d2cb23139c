import { parseTime } from '@tripline/contracts/time';
import { type Commit, commits, isByPages, type Push } from '@tripline/facts/commits';
import { mattersToReviews, type Place, reviewFacts, reviewHouse } from '@tripline/facts/review-reader';
import { conclusion } from './builders/conclusion.ts';
import { targetOf } from './builders/seen.ts';
import { shortSha } from './evidence.ts';
import { landingsOf } from './landed.ts';

const isOfBranch = ({ type, commits: listed }: Push): boolean => type === 'branch' && listed !== undefined;

export const rule = conclusion({
  id: 'protected-branch-unreviewed',
  title: 'Commit that nobody else reviewed came to a protected branch',
  description:
    'What was pushed or merged to a branch that is known to be protected is not reviewed by anybody but its author: somebody went round the protection, or only a machine approved the change. ' +
    'Reviewed is what `build-from-unreviewed-commit` takes for it, by the same facts and exceptions; here it is said where it lands, before anything is built of it. A review that is received late takes the finding back. ' +
    'What changes CI files is found by `workflow-changed-unreviewed` alone.',
  severity: 'medium',
  principles: [2],
  attack: ['T1195.002'],
  owasp: ['CICD-SEC-1'],
  feeds: {
    needs: ['github'],
    better: { 'github-api': 'proves who made a merge, who may write, and what was approved before the first delivery' },
  },
  falseAlarms: [
    'Hotfixes pushed straight to a protected branch, by whoever may go round the protection: let somebody review afterwards, and resolve it as accepted.',
    'A machine that approves and merges by decision of the house: `mergeBots` with `approves`, here and for `build-from-unreviewed-commit`.',
    'A branch that is protected against being deleted or forced alone: an exception for the ref.',
  ],
  limits: [
    'Branches of which no protection is known, by an inventory or an event of it: what is built of them is found by `build-from-unreviewed-commit`.',
    'A machine’s account that looks like a person’s: GitHub does not tell it apart, and its approvals count until `machineUsers` names it.',
    'GitHub sends no push event whose body would be too large.',
  ],
  settings: reviewHouse,
  about: commits,
  uses: reviewFacts,
  matters: mattersToReviews,
  where: ({ pushes }: Commit) => pushes.some(isOfBranch),
  conclude({ pushes }, { key, ...context }) {
    const counts = (push: Push, place: Place) => place.isKnownProtected(push.ref, parseTime(push.time));
    // What cannot be told is asked about where it is built, as most of what lands is.
    const landings = landingsOf(pushes, key, context, counts, ({ is }) => is === 'unreviewed');
    return landings.flatMap(
      ({ push, place, verdict, who, subject, repository, repositoryKey, because, ...landing }) => {
        if (verdict.needsNone) return [];
        const { ref, before, tip } = push;
        const did = `${who} ${isByPages(push) ? 'merged' : 'pushed'} ${shortSha(tip)} to ${ref}`;
        const former = before === undefined || push.created ? [] : [{ ref, revision: tip, formerRevision: before }];
        return {
          ...{ ...landing, subject, occasion: ref, because: because(did) },
          title: `${did} of ${repository}, and nobody else reviewed it`,
          summary: `${shortSha(verdict.revision)} is not reviewed: ${verdict.why}. ${ref} is protected, and whatever is built of it from now on has it in it.`,
          response: former.map((stood) => {
            const restored = { action: 'restore-ref' as const, refType: 'branch' as const };
            return { ...restored, ...targetOf(place, repositoryKey), ...stood };
          }),
          remedy: [
            `Ask ${who} what ${shortSha(tip)} is, and read the diff since ${shortSha(before ?? '')}.`,
            `If nobody answers for it: revert it on ${ref}, and hold back what was built of it.`,
          ],
        };
      },
    );
  },
});
