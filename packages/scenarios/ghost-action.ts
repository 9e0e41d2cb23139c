import { headOf, inventory } from './baseline.ts';
import { reviewedChange, wholeRun } from './github-acts.ts';
import { createStage, push } from './github-bodies.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

const repositories = ['fast-ids', 'parser', 'website', 'toolbox'];
const owner = 'gary-owner';
const reviewer = 'rika-reviewer';
const path = '.github/workflows/github_actions_security.yml';
const workflow = { name: 'Github Actions Security', path, trigger: 'push', branch: 'main', job: 'send-secrets' };

function attack(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  return repositories.flatMap((repository, nth) => {
    const evil = stage.sha(`stealing workflow of ${repository}`);
    const atMs = 300 + nth * 1200;
    return [
      push(
        stage,
        { name: `push-${nth + 1}`, says: `a workflow was pushed straight to main of ${repository}`, atMs },
        {
          ...{ repository, ref: 'refs/heads/main', by: owner, before: headOf(stage, repository), after: evil },
          ...{ message: 'Add Github Actions Security workflow', files: [], added: [path] },
        },
      ),
      ...wholeRun(
        stage,
        {
          name: `run-${nth + 1}`,
          says: 'it ran, and posted the secrets that it names to a stranger',
          atMs: atMs + 200,
        },
        { ...workflow, repository, by: owner, revision: evil },
      ),
    ];
  });
}

function benign(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  // In three within minutes it would be what mass-workflow-push counts, reviewed or not.
  return repositories.slice(0, 2).flatMap((repository, nth) => {
    const merge = stage.sha(`merge of scan in ${repository}`);
    const atMs = 300 + nth * 1500;
    return [
      ...reviewedChange(
        stage,
        { name: `change-${nth + 1}`, says: `${owner} proposed a workflow that scans for secrets`, atMs },
        {
          ...{ repository, number: 40 + nth, title: 'Scan for secrets', author: owner, association: 'OWNER' },
          ...{ head: stage.sha(`scan in ${repository}`), branch: 'scan-for-secrets', base: headOf(stage, repository) },
          ...{ files: [path], reviewer, merge },
        },
      ),
      ...wholeRun(
        stage,
        { name: `run-${nth + 1}`, says: 'it ran on main', atMs: atMs + 400 },
        { ...workflow, repository, by: reviewer, revision: merge },
      ),
    ];
  });
}

export const ghostAction: Scenario = {
  id: 'ghost-action',
  title: 'GhostAction, September 2025',
  breach: { number: 17, name: 'GhostAction', date: '2025-09' },
  narrative:
    'From taken-over accounts somebody pushed one and the same workflow, called “Github Actions Security”, straight to the default branch of whatever the account could write to: 817 repositories of 327 people. ' +
    'The push set it off, and it posted the secrets that earlier workflows of the repository name to a server of the thief’s, 3,325 in all. ' +
    'Played in one organisation, with the repositories of one of these accounts.',
  provenance: 'reconstructed',
  sources: [
    {
      title: 'GitGuardian: the GhostAction campaign',
      url: 'https://blog.gitguardian.com/ghostaction-campaign-3-325-secrets-stolen/',
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
