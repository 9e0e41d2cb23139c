import { headOf, inventory } from './baseline.ts';
import { reviewedChange, wholeRun } from './github-acts.ts';
import { createStage, push } from './github-bodies.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

const repository = 'shop';
const victim = 'ina-developer';
const reviewer = 'jon-reviewer';
const dependabot = 'dependabot[bot]';
const path = '.github/workflows/hook.yml';
const workflow = { repository, trigger: 'push', branch: 'main' };

function attack(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const fake = stage.sha('fix');
  return [
    push(
      stage,
      {
        name: 'push',
        says: `with a stolen token of ${victim}, a commit of “Dependabot” that adds a workflow was pushed`,
        atMs: 400,
      },
      {
        ...{ repository, ref: 'refs/heads/main', by: victim, as: dependabot, before: headOf(stage, repository) },
        ...{ after: fake, message: 'fix', files: ['src/main.js'], added: [path] },
      },
    ),
    ...wholeRun(
      stage,
      { name: 'run', says: 'the workflow ran, and sent the repository’s secrets to a stranger', atMs: 700 },
      { ...workflow, name: 'hook', path, by: victim, revision: fake, job: 'hook' },
    ),
  ];
}

function benign(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const merge = stage.sha('merge of a new version');
  const ci = '.github/workflows/ci.yml';
  return [
    ...reviewedChange(
      stage,
      { name: 'change', says: 'Dependabot itself proposed a newer version of an action', atMs: 300 },
      {
        ...{ repository, number: 512, title: 'Bump actions/checkout from 3 to 4', author: dependabot },
        ...{ association: 'NONE', head: stage.sha('a new version'), branch: 'dependabot/github_actions/checkout-4' },
        ...{ base: headOf(stage, repository), files: [ci], reviewer, mergedBy: victim, merge },
      },
    ),
    ...wholeRun(
      stage,
      { name: 'run', says: 'it ran on main', atMs: 900 },
      { ...workflow, name: 'CI', path: ci, by: victim, revision: merge, job: 'test' },
    ),
  ];
}

export const fakeDependabot: Scenario = {
  id: 'fake-dependabot',
  title: 'Fake Dependabot commits, July 2023',
  breach: { number: 10, name: 'Fake Dependabot', date: '2023-07' },
  narrative:
    'With stolen personal access tokens somebody pushed to hundreds of repositories, in commits that said to be Dependabot’s. They added a workflow, hook.yml, that sends the repository’s secrets to a server of theirs at each push, and code to scripts that steals what visitors type. ' +
    'The name in a commit is anybody’s; who pushed it is not.',
  provenance: 'reconstructed',
  sources: [
    {
      title: 'Checkmarx: Surprise: When Dependabot Contributes Malicious Code',
      url: 'https://checkmarx.com/blog/surprise-when-dependabot-contributes-malicious-code/',
    },
    {
      title: 'BleepingComputer: GitHub repos bombarded by info-stealing commits masked as Dependabot',
      url: 'https://www.bleepingcomputer.com/news/security/github-repos-bombarded-by-info-stealing-commits-masked-as-dependabot/',
    },
  ],
  baseline: (cast) =>
    inventory(createStage(cast), {
      repositories: [repository],
      members: [
        { login: victim, role: 'member' },
        { login: reviewer, role: 'member' },
      ],
    }),
  attack,
  benign,
  expects: [
    { rule: 'workflow-changed-unreviewed', decidingStep: 'push', responses: ['stop-workflow'] },
    { rule: 'commit-identity-mismatch', decidingStep: 'push', responses: [] },
    { rule: 'build-from-unreviewed-commit', decidingStep: 'run', responses: ['stop-run'] },
  ],
};
