import { type Client, clone, type Token } from './audit-records.ts';
import { headOf, inventory } from './baseline.ts';
import { branchPushed, reviewedChange, type Workflow, wholeRun } from './github-acts.ts';
import { collaborator, createStage } from './github-bodies.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

const [application, access] = ['conversations', 'access'] as const;
const engineer = 'sven-engineer';
const reviewer = 'yuki-reviewer';
const guest = 'guest-98-qa';
const broker = 'access-broker[bot]';
const file = '.github/workflows/integration-checks.yml';
const planted: Workflow = {
  ...{ repository: application, name: 'Integration checks', path: file, trigger: 'push', job: 'collect' },
};
const grant: Workflow = {
  ...{ repository: access, name: 'Grant access', path: '.github/workflows/grant.yml' },
  ...{ trigger: 'workflow_dispatch', job: 'grant' },
};
const token: Token = { name: 'of the engineer', type: 'Personal access token (classic)' };
const elsewhere: Client = { address: '203.0.113.51', country: 'RO', agent: 'git/2.39.5' };

function attack(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const evil = stage.sha('planted workflow');
  const push = { repository: application, branch: 'integration-checks', by: guest, after: evil };
  return [
    clone(
      stage,
      { name: 'clone', says: `the account of ${engineer} cloned the application`, atMs: 200 },
      {
        ...{ by: engineer, token, from: elsewhere, repository: application },
      },
    ),
    collaborator(
      stage,
      { name: 'guest', says: `the account of ${engineer} gave a guest the right to write`, atMs: 700 },
      'added',
      { repository: application, by: engineer, member: guest, permission: 'write' },
    ),
    ...branchPushed(
      stage,
      { name: 'workflow', says: 'the guest pushed a workflow on a branch', atMs: 1500 },
      { ...push, message: 'Add integration checks', files: [], added: [file] },
    ),
    ...wholeRun(
      stage,
      { name: 'run', says: 'it ran, with the secrets that it names', atMs: 1700 },
      { ...planted, by: guest, revision: evil, branch: push.branch },
    ),
  ];
}

function benign(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const merge = stage.sha('merge of checks');
  return [
    ...wholeRun(
      stage,
      { name: 'grant', says: `${engineer} asked the granting workflow for a guest’s right`, atMs: 500 },
      { ...grant, by: engineer, revision: headOf(stage, access), branch: 'main' },
      2500,
    ),
    collaborator(stage, { name: 'guest', says: 'its job gave the guest the right to write', atMs: 700 }, 'added', {
      ...{ repository: application, by: broker, member: guest, permission: 'write' },
    }),
    ...reviewedChange(
      stage,
      { name: 'change', says: 'the guest proposed a workflow', atMs: 1500 },
      {
        ...{ repository: application, number: 511, title: 'Add integration checks', author: guest },
        ...{ association: 'COLLABORATOR', head: stage.sha('checks'), branch: 'integration-checks' },
        ...{ base: headOf(stage, application), files: [file], reviewer, merge },
      },
    ),
    ...wholeRun(
      stage,
      { name: 'run', says: 'it ran on main', atMs: 1900 },
      { ...planted, by: reviewer, revision: merge, branch: 'main' },
    ),
    collaborator(stage, { name: 'guest-gone', says: 'the job took the right back at its end', atMs: 2600 }, 'removed', {
      ...{ repository: application, by: broker, member: guest, permission: 'write' },
    }),
  ];
}

export const salesloftGuest: Scenario = {
  id: 'salesloft-guest',
  title: 'Salesloft and Drift, March to August 2025',
  breach: { number: 14, name: 'Salesloft and Drift', date: '2025-03' },
  narrative:
    'Somebody had the account of an engineer of Salesloft’s at GitHub for months. They downloaded repositories, added a guest, and set workflows up, from where they came to Drift’s cloud and the OAuth tokens of its customers. ' +
    'With these they took data out of the Salesforce instances of some 700 companies. ' +
    'What they did at the cloud and at Salesforce no feed of the code host tells, and it is left out.',
  provenance: 'reconstructed',
  sources: [
    {
      title: 'Google: data theft from Salesforce instances via Salesloft Drift',
      url: 'https://cloud.google.com/blog/topics/threat-intelligence/data-theft-salesforce-instances-via-salesloft-drift',
    },
    { title: 'Salesloft’s trust portal: updates on the investigation', url: 'https://trust.salesloft.com/' },
  ],
  baseline: (cast) => {
    const stage = createStage(cast);
    const granting = {
      grantingWorkflows: [`${stage.fullName(access)}/${grant.path}`],
      grantingActors: [broker],
      ...{ skewMs: 100, graceMs: 1000, latenessMs: 1000 },
    };
    return inventory(stage, {
      repositories: [application, access],
      members: [
        { login: engineer, role: 'admin' },
        { login: reviewer, role: 'member' },
      ],
      settings: { 'privilege-grant-outside-job': granting, 'grant-outlived-job': granting },
    });
  },
  attack,
  benign,
  expects: [{ rule: 'privilege-grant-outside-job', decidingStep: 'guest', responses: ['revoke-grant'] }],
};
