import { headOf, inventory } from './baseline.ts';
import { reviewedChange, wholeRun } from './github-acts.ts';
import { createStage, push } from './github-bodies.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

const repository = 'language';
const intruder = 'nick-maintainer';
/** In whose name the first of the two commits said to be made. */
const founder = 'rae-founder';
const reviewer = 'lee-maintainer';
const files = ['ext/zlib/zlib.c'];
const workflow = { repository, name: 'Nightly', path: '.github/workflows/nightly.yml', trigger: 'push', job: 'build' };

function attack(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const [first, second] = [stage.sha('fix typo'), stage.sha('fix typo again')];
  const pushed = { repository, ref: 'refs/heads/main', by: intruder, files };
  return [
    push(
      stage,
      { name: 'push', says: `a commit in the name of ${founder}, “Fix typo”, was pushed straight to main`, atMs: 300 },
      { ...pushed, as: founder, before: headOf(stage, repository), after: first, message: 'Fix typo' },
    ),
    push(
      stage,
      { name: 'push-again', says: 'another followed, in the name of another maintainer', atMs: 800 },
      { ...pushed, as: reviewer, before: first, after: second, message: 'Fix typo' },
    ),
    ...wholeRun(
      stage,
      { name: 'run', says: 'main was built with both', atMs: 1000 },
      { ...workflow, by: intruder, revision: second, branch: 'main' },
    ),
  ];
}

function benign(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const merge = stage.sha('merge of a real typo');
  return [
    ...reviewedChange(
      stage,
      { name: 'change', says: `${intruder} proposed to mend a typo`, atMs: 300 },
      {
        ...{ repository, number: 6800, title: 'Fix typo', author: intruder, association: 'MEMBER' },
        ...{ head: stage.sha('a real typo'), branch: 'fix-typo', base: headOf(stage, repository), merge },
        ...{ files, reviewer },
      },
    ),
    ...wholeRun(
      stage,
      { name: 'run', says: 'it was built', atMs: 800 },
      { ...workflow, by: reviewer, revision: merge, branch: 'main' },
    ),
  ];
}

export const phpGit: Scenario = {
  id: 'php-git',
  title: 'PHP’s git server, March 2021',
  breach: { number: 3, name: 'PHP’s git server', date: '2021-03-28' },
  narrative:
    'Two commits came straight to the main branch of PHP, as corrections of a typo, in the names of its founder and of a maintainer who had made neither. They ran whatever code a request’s header held. The first was taken back within hours, the second put it in again. ' +
    'Who pushed could write to the project’s own git server, and nothing asked for a review. Played as a code host would have told of it, without the revert: a name in a commit is anybody’s, so what counts is that nobody else reviewed it.',
  provenance: 'reconstructed',
  sources: [
    { title: 'PHP internals: Changes to Git commit workflow', url: 'https://externals.io/message/113838' },
    {
      title: 'PHP.Watch: Update to recent git.php.net incident',
      url: 'https://php.watch/news/news/2021/04/php-src-attack',
    },
  ],
  baseline: (cast) =>
    inventory(createStage(cast), {
      repositories: [repository],
      members: [
        { login: founder, role: 'admin' },
        { login: intruder, role: 'member' },
        { login: reviewer, role: 'member' },
      ],
    }),
  attack,
  benign,
  expects: [
    { rule: 'protected-branch-unreviewed', decidingStep: 'push', responses: ['restore-ref'] },
    { rule: 'protected-branch-unreviewed', decidingStep: 'push-again', responses: ['restore-ref'] },
    { rule: 'build-from-unreviewed-commit', decidingStep: 'run', responses: ['stop-run'] },
  ],
};
