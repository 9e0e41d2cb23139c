import { headOf, inventory } from './baseline.ts';
import { branchPushed, reviewedChange, type Workflow, wholeRun } from './github-acts.ts';
import { createStage } from './github-bodies.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

const repository = 'db-services';
const developer = 'roya-developer';
const reviewer = 'paul-reviewer';
const file = '.github/workflows/release.yml';
const release: Workflow = { repository, name: 'Release', path: file, trigger: 'push', job: 'publish-npm' };

function attack(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const evil = stage.sha('release of any branch');
  const pushed = { repository, branch: 'update-dependencies', by: developer, after: evil };
  return [
    ...branchPushed(
      stage,
      {
        name: 'push',
        says: `a branch was pushed from the account of ${developer}, and no pull request opened`,
        atMs: 400,
      },
      { ...pushed, message: 'chore: update dependencies', files: [file, 'package.json'], added: ['setup.mjs'] },
    ),
    ...wholeRun(
      stage,
      {
        name: 'run',
        says: 'the release workflow ran, as the branch has it, with a token for npm of its own',
        atMs: 800,
      },
      { ...release, by: developer, revision: evil, branch: pushed.branch },
      900,
    ),
  ];
}

function benign(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const merge = stage.sha('merge of release');
  return [
    ...reviewedChange(
      stage,
      { name: 'change', atMs: 400 },
      {
        ...{ repository, number: 1532, title: 'chore: update dependencies', author: developer, association: 'MEMBER' },
        ...{ head: stage.sha('release'), branch: 'update-dependencies', base: headOf(stage, repository) },
        ...{ files: [file, 'package.json'], reviewer, merge },
      },
    ),
    ...wholeRun(
      stage,
      { name: 'run', says: 'the release workflow ran on main', atMs: 900 },
      { ...release, by: reviewer, revision: merge, branch: 'main' },
      900,
    ),
  ];
}

export const sapCap: Scenario = {
  id: 'sap-cap',
  title: 'SAP CAP, April 2026',
  breach: { number: 24, name: 'SAP CAP, Mini Shai-Hulud', date: '2026-04-29' },
  narrative:
    'From a developer’s account a commit was pushed that no pull request had brought, with a changed release workflow. npm trusted whatever run of that repository asked for a token, and four packages of SAP’s Cloud Application Programming Model were published with a worm in them, which made 1,100 public repositories “A Mini Shai-Hulud has Appeared” within hours. ' +
    'The publications npm alone could have told, and they are left out.',
  provenance: 'reconstructed',
  sources: [
    {
      title: 'SecurityBridge: a Mini Shai-Hulud has appeared',
      url: 'https://securitybridge.com/blog/a-mini-shai-hulud-has-appeared-when-the-npm-supply-chain-reaches-into-sap/',
    },
    { title: 'SAP note 3747787, retold', url: 'https://sap.wtf/patches/sap-note-3747787' },
  ],
  baseline: (cast) =>
    inventory(createStage(cast), {
      repositories: [repository],
      members: [
        { login: developer, role: 'member' },
        { login: reviewer, role: 'admin' },
      ],
      withSecrets: { [repository]: file },
    }),
  attack,
  benign,
  expects: [{ rule: 'build-from-unreviewed-commit', decidingStep: 'run', responses: ['stop-run'] }],
};
