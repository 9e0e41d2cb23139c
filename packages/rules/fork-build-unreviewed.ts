import { defineRule } from '@tripline/contracts/rule';
import { placeOf, reviewReader } from '@tripline/facts/review-reader';
import { type Attempt, buildOf, type Run, runs } from '@tripline/facts/runs';
import { rule as builds, type Context, judge, type Settings } from './build-from-unreviewed-commit.ts';
import { isPrivileged } from './privileged-fork-trigger.ts';

/** A fork's head whose run has the rights of a fork; with those of the base it is `privileged-fork-trigger`'s. */
const isOfFork = (attempt: Attempt): boolean => attempt.fork === true && !isPrivileged(attempt);

/**
 * The part of `build-from-unreviewed-commit` that people without write access can set off: a change of a fork names in its own workflow
 * whatever environments it likes. A rule of its own, since at the access broker it counts for its run alone.
 */
export const rule = defineRule<unknown, Settings>({
  ...builds,
  id: 'fork-build-unreviewed',
  title: 'A fork’s pull request ran with an environment or secrets, unreviewed',
  description:
    'What `build-from-unreviewed-commit` says of a pull request’s run, where its head lies in a fork and whoever set it off might not write to the repository: it deployed, or was given secrets, and nobody of the house approved its head. ' +
    'The workflow of such a run is the fork’s own, which names the environments that it likes. At the access broker it counts for its own run alone, as what anybody may set off does. Settings are those of `build-from-unreviewed-commit`.',
  falseAlarms: [
    'Preview environments that every change deploys to, forks’ too: `exemptEnvironments` of `build-from-unreviewed-commit`, or `environment` in its `pullRequestsMay`.',
  ],
  limits: [
    'Runs with the rights of the base, as of `pull_request_target`: `privileged-fork-trigger` finds them.',
    'Who may write, where neither an inventory nor the API told of it: somebody of whom nobody knows is taken for an outsider.',
  ],
  supersedes: [builds.id],
  concludes: {
    ...builds.concludes!,
    about: [runs],
    subjects({ fact, key, value, before }) {
      if (fact !== runs.id) return [];
      return [value, before].some((run) => (run as Run | undefined)?.attempts.some(isOfFork)) ? [key] : [];
    },
    conclude(key, context) {
      const run = context.read(runs, key);
      if (run === undefined) return [];
      const place = placeOf(
        key.slice(0, key.lastIndexOf('#')),
        run.repository.name,
        run.repository.defaultBranch,
        context,
      );
      return run.attempts.flatMap((attempt) => {
        if (!isOfFork(attempt)) return [];
        const build = buildOf(key, run, attempt);
        return mayWrite(build, place, context) ? [] : judge(build, place, context);
      });
    },
  },
});

function mayWrite(
  { by, timeMs }: ReturnType<typeof buildOf>,
  place: ReturnType<typeof placeOf>,
  context: Context,
): boolean {
  return by !== undefined && reviewReader(place, undefined, context, context.settings, timeMs).couldWrite(by, timeMs);
}
