import { headOf, inventory } from './baseline.ts';
import { branchPushed, reviewedChange, type Workflow, wholeRun } from './github-acts.ts';
import { createStage } from './github-bodies.ts';
import { repositoryEvent } from './github-repositories.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

const repositories = ['color-kit', 'forms', 'telemetry'];
const developer = 'cora-developer';
const reviewer = 'ben-reviewer';
const path = '.github/workflows/shai-hulud-workflow.yml';
const workflow = (repository: string): Workflow => ({
  ...{ repository, name: 'Code Quality', path, trigger: 'push', job: 'process' },
});

function attack(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const leak = { repository: 'telemetry-migration', by: developer, description: 'Shai-Hulud Migration' };
  return [
    ...repositories.flatMap((repository, nth) => {
      const evil = stage.sha(`worm in ${repository}`);
      const pushed = { repository, branch: 'shai-hulud', by: developer, after: evil };
      return [
        ...branchPushed(
          stage,
          { name: `push-${nth + 1}`, says: `the worm pushed a workflow to ${repository}`, atMs: 300 + 1100 * nth },
          { ...pushed, message: 'Add new workflow', files: [], added: [path] },
        ),
        ...wholeRun(
          stage,
          {
            ...{ name: `run-${nth + 1}`, says: 'it ran at once, and posted all secrets to a stranger’s address' },
            atMs: 450 + 1100 * nth,
          },
          { ...workflow(repository), by: developer, revision: evil, branch: pushed.branch },
        ),
      ];
    }),
    repositoryEvent(
      stage,
      { name: 'shown', says: 'a private repository was copied into a public one', atMs: 3900 },
      'created',
      leak,
    ),
  ];
}

function benign(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  return [
    // In three within minutes it would be what mass-workflow-push counts, reviewed or not.
    ...repositories.slice(0, 2).flatMap((repository, nth) => {
      const merge = stage.sha(`merge of quality in ${repository}`);
      const atMs = 300 + 1200 * nth;
      return [
        ...reviewedChange(
          stage,
          { name: `change-${nth + 1}`, says: `${developer} proposed a workflow that checks quality`, atMs },
          {
            ...{ repository, number: 20 + nth, title: 'Check quality', author: developer, association: 'MEMBER' },
            ...{ head: stage.sha(`quality in ${repository}`), branch: 'quality', base: headOf(stage, repository) },
            ...{ files: [path], reviewer, merge },
          },
        ),
        ...wholeRun(
          stage,
          { name: `run-${nth + 1}`, says: 'it ran on main', atMs: atMs + 400 },
          { ...workflow(repository), by: reviewer, revision: merge, branch: 'main' },
        ),
      ];
    }),
    repositoryEvent(
      stage,
      { name: 'created', says: `${developer} made a private repository for a migration`, atMs: 3900 },
      'created',
      { repository: 'telemetry-migration', by: developer, isPrivate: true, description: 'Moves the old data' },
    ),
  ];
}

export const shaiHulud1: Scenario = {
  id: 'shai-hulud-1',
  title: 'Shai-Hulud, September 2025',
  breach: { number: 18, name: 'Shai-Hulud 1', date: '2025-09-14' },
  narrative:
    'A worm in npm packages looked for tokens on the machines that installed them, and published itself with those of npm. With those of GitHub it pushed a branch called shai-hulud to every repository that they could write to, with a workflow that posts all secrets to a stranger’s address, and copied private repositories into public ones. ' +
    'More than 500 packages carried it. Their publication npm alone could have told; and the public copies were made under people’s own accounts, of which no feed of an organisation tells: one is played as if it had been made in the organisation.',
  provenance: 'reconstructed',
  sources: [
    {
      title: 'CISA: widespread supply chain compromise impacting the npm ecosystem',
      url: 'https://www.cisa.gov/news-events/alerts/2025/09/23/widespread-supply-chain-compromise-impacting-npm-ecosystem',
    },
    {
      title: 'StepSecurity: ctrl/tinycolor and 40+ npm packages compromised',
      url: 'https://www.stepsecurity.io/blog/ctrl-tinycolor-and-40-npm-packages-compromised',
    },
  ],
  baseline: (cast) =>
    inventory(createStage(cast), {
      repositories,
      members: [
        { login: developer, role: 'member' },
        { login: reviewer, role: 'admin' },
      ],
    }),
  attack,
  benign,
  expects: [
    { rule: 'mass-workflow-push', decidingStep: 'push-3', responses: ['revoke-credential'] },
    { rule: 'repository-exposed', decidingStep: 'shown', responses: ['close-exposure'] },
  ],
};
