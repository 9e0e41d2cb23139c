import { headOf, inventory } from './baseline.ts';
import { forked, type Workflow, wholeRun } from './github-acts.ts';
import { approval, type ChangeOf, createStage, pullRequest, push, type Stage } from './github-bodies.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

const repository = 'cask';
const machine = 'TestBot-of-the-house';
const stranger = 'researcher-k';
const maintainer = 'mina-maintainer';
const file = 'Casks/iterm2.rb';
const review: Workflow = {
  ...{ repository, name: 'Review', path: '.github/workflows/review.yml', trigger: 'schedule', job: 'review' },
};
const tests: Workflow = {
  ...{ repository, name: 'CI', path: '.github/workflows/ci.yml', trigger: 'push', job: 'test-casks' },
};

/** A new version of a cask comes from a fork, is approved and merged by `by`, and main is tested with it. */
function bumped(stage: Stage, author: string, by: string, approvedAtMs: number): ScenarioStep[] {
  const base = headOf(stage, repository);
  const change: ChangeOf = {
    ...{ repository, number: 104_191, title: 'Update iterm2 from 3.4.4 to 3.4.5', author, fork: true, base },
    ...{ association: 'FIRST_TIME_CONTRIBUTOR', head: stage.sha('bump'), branch: 'bump-iterm2', openedAtMs: 500 },
  };
  const merge = stage.sha('merge of bump');
  return [
    forked(stage, { name: 'fork', says: `${author} forked the repository`, atMs: 200 }, { repository, by: author }),
    pullRequest(
      stage,
      { name: 'change', says: `${author} opened a pull request that says to change a version`, atMs: 500 },
      'opened',
      change,
    ),
    approval(stage, { name: 'approval', says: `${by} approved it`, atMs: approvedAtMs }, by, change),
    pullRequest(stage, { name: 'merge', says: `${by} merged it`, atMs: approvedAtMs + 200 }, 'closed', {
      ...change,
      merged: { by, revision: merge },
    }),
    push(
      stage,
      { name: 'landed', says: 'the merge came to main', atMs: approvedAtMs + 210 },
      {
        ...{ repository, ref: 'refs/heads/main', by, before: base, after: merge, committer: 'web-flow' },
        ...{ message: `Merge pull request #${change.number}`, files: [file] },
      },
    ),
    ...wholeRun(
      stage,
      { name: 'run', says: 'main was built with it, for everybody who updates', atMs: approvedAtMs + 300 },
      { ...tests, by, revision: merge, branch: 'main' },
    ),
  ];
}

function attack(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  return [
    ...bumped(stage, stranger, machine, 1300),
    ...wholeRun(
      stage,
      {
        name: 'review',
        says: 'the reviewing action read the diff, and did not see a line that looks like none',
        atMs: 800,
      },
      { ...review, by: machine, revision: headOf(stage, repository), branch: 'main' },
    ),
  ];
}

export const homebrewReview: Scenario = {
  id: 'homebrew-review',
  title: 'Homebrew’s review action, April 2021',
  breach: { number: 4, name: 'Homebrew review action', date: '2021-04-18' },
  narrative:
    'An action approved and merged pull requests that only change the version of a cask, by an account of a machine that looks like a person’s. A researcher wrote a change whose diff the action’s parser read as nothing: added lines that begin with “++ ” passed for the diff’s own headers. ' +
    'The machine approved it and merged it within seconds, and nobody had read it. ' +
    'GitHub does not tell such accounts from people; the house names it (`machineUsers`).',
  provenance: 'reconstructed',
  sources: [
    {
      title: 'Homebrew: security incident disclosure',
      url: 'https://brew.sh/2021/04/21/security-incident-disclosure/',
    },
    {
      title: 'RyotaK: remote code execution in Homebrew by compromising the official Cask repository',
      url: 'https://blog.ryotak.net/post/homebrew-security-incident-en/',
    },
  ],
  baseline: (cast) => {
    const stage = createStage(cast);
    const house = { machineUsers: [`${machine}:${stage.user(machine).id}`], holdMs: 500 };
    return inventory(stage, {
      repositories: [repository],
      members: [
        { login: machine, role: 'member' },
        { login: maintainer, role: 'admin' },
      ],
      settings: { 'build-from-unreviewed-commit': house, 'protected-branch-unreviewed': house },
    });
  },
  attack,
  benign: (cast) => bumped(createStage(cast), 'lou-contributor', maintainer, 2500),
  expects: [
    { rule: 'protected-branch-unreviewed', decidingStep: 'merge', afterMs: 510, responses: ['restore-ref'] },
    { rule: 'build-from-unreviewed-commit', decidingStep: 'run', afterMs: 500, responses: ['stop-run'] },
  ],
};
