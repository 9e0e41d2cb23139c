import { headOf, inventory } from './baseline.ts';
import { reviewedChange, type Workflow, wholeRun } from './github-acts.ts';
import { createStage, push } from './github-bodies.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

const repositories = ['desk-server', 'chat-widget', 'docs'];
const owner = 'gil-owner';
const reviewer = 'noa-reviewer';
const path = '.github/workflows/ci.yml';
/** Names that render as those of automations, and belong to nobody. */
const forged = ['build-bot', 'auto-ci', 'pipeline-bot'];
const workflow = (repository: string): Workflow => ({
  ...{ repository, name: 'SysDiag', path, trigger: 'push', job: 'diag' },
});

function attack(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  return repositories.flatMap((repository, nth) => {
    const evil = stage.sha(`diagnosis of ${repository}`);
    const atMs = 300 + nth * 1200;
    return [
      push(
        stage,
        {
          name: `push-${nth + 1}`,
          says: `a token of ${owner} pushed a workflow to ${repository}, as ${forged[nth]}`,
          atMs,
        },
        {
          ...{ repository, ref: 'refs/heads/main', by: owner, before: headOf(stage, repository), after: evil },
          ...{ as: { name: forged[nth]!, email: `${forged[nth]}@build.example` }, message: 'ci: optimize pipeline' },
          ...{ files: [], added: [path] },
        },
      ),
      ...wholeRun(
        stage,
        { name: `run-${nth + 1}`, says: 'it ran, and sent what the machine held to a stranger', atMs: atMs + 200 },
        { ...workflow(repository), by: owner, revision: evil, branch: 'main' },
      ),
    ];
  });
}

function benign(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  // In three within minutes it would be what mass-workflow-push counts, reviewed or not.
  return repositories.slice(0, 2).flatMap((repository, nth) => {
    const merge = stage.sha(`merge of pipeline in ${repository}`);
    const atMs = 300 + nth * 1200;
    return [
      ...reviewedChange(
        stage,
        { name: `change-${nth + 1}`, says: `${owner} proposed a faster pipeline`, atMs },
        {
          ...{ repository, number: 70 + nth, title: 'ci: optimize pipeline', author: owner, association: 'OWNER' },
          ...{ head: stage.sha(`pipeline of ${repository}`), branch: 'pipeline', base: headOf(stage, repository) },
          ...{ files: [path], reviewer, merge },
        },
      ),
      ...wholeRun(
        stage,
        { name: `run-${nth + 1}`, says: 'it ran on main', atMs: atMs + 400 },
        { ...workflow(repository), by: reviewer, revision: merge, branch: 'main' },
      ),
    ];
  });
}

export const megalodon: Scenario = {
  id: 'megalodon',
  title: 'Megalodon, May 2026',
  breach: { number: 26, name: 'Megalodon', date: '2026-05-18' },
  narrative:
    'Within six hours 5,718 commits came to 5,561 repositories by stolen tokens and deploy keys, each with a workflow whose one step decodes a script that sends away what the machine holds: environment, keys, cloud credentials. ' +
    'Their authors were called build-bot, auto-ci, ci-bot or pipeline-bot, and belonged to nobody, so that they rendered as automations; such names prove nothing and are found by what they change. ' +
    'Played in one organisation, with the repositories of one account.',
  provenance: 'reconstructed',
  sources: [
    {
      title: 'Nomad Security: Megalodon and the CI/CD trust problem',
      url: 'https://nomadsec.io/blog/2026/05/26/megalodon-github-actions-supply-chain/',
    },
    {
      title: 'Megalodon: mass GitHub repo backdooring via CI workflows',
      url: 'https://mech.app/articles/megalodon-mass-github-repo-backdooring-via-ci-workflows/',
    },
  ],
  baseline: (cast) =>
    inventory(createStage(cast), {
      repositories,
      members: [
        { login: owner, role: 'admin' },
        { login: reviewer, role: 'member' },
      ],
    }),
  attack,
  benign,
  expects: repositories.flatMap((_, nth) => [
    ...(nth === 2
      ? [{ rule: 'mass-workflow-push', decidingStep: 'push-3', responses: ['revoke-credential' as const] }]
      : []),
    { rule: 'workflow-changed-unreviewed', decidingStep: `push-${nth + 1}`, responses: ['stop-workflow' as const] },
    { rule: 'build-from-unreviewed-commit', decidingStep: `run-${nth + 1}`, responses: ['stop-run' as const] },
  ]),
};
