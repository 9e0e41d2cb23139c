import { auditRecord } from './audit-records.ts';
import { headOf, inventory } from './baseline.ts';
import { forked, reviewedChange, type Workflow, wholeRun } from './github-acts.ts';
import { type ChangeOf, createStage, pullRequest, type Stage } from './github-bodies.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

const repository = 'torch';
const researcher = 'typo-fixer-2';
const maintainer = 'uma-maintainer';
const machine = { id: 7301, name: 'worker-rocm-amd-30' };
const checks: Workflow = {
  ...{ repository, name: 'trunk', path: '.github/workflows/trunk.yml', trigger: 'pull_request', job: 'build' },
};
const trusted: Workflow = {
  ...{ repository, name: 'periodic', path: '.github/workflows/periodic.yml', trigger: 'push', job: 'test-rocm' },
};

/** A typo is mended, which makes its author a contributor, whose workflows run without anybody's word. */
function typo(stage: Stage, author: string, atMs: number): ScenarioStep[] {
  return [
    forked(
      stage,
      { name: 'fork', says: `${author} forked the repository`, atMs: atMs - 100 },
      { repository, by: author },
    ),
    ...reviewedChange(
      stage,
      { name: 'typo', says: `${author} mended a typo`, atMs },
      {
        ...{ repository, number: 106_001, title: 'Fix a typo', author, association: 'FIRST_TIME_CONTRIBUTOR' },
        ...{ head: stage.sha('typo'), branch: 'typo', base: headOf(stage, repository), fork: true },
        ...{ files: ['docs/source/notes.rst'], reviewer: maintainer, merge: stage.sha('merge of typo') },
      },
    ),
  ];
}

/** The machine takes a job of the default branch, with what that is given. */
const trustedRun = (stage: Stage, says: string, atMs: number): ScenarioStep[] =>
  wholeRun(
    stage,
    { name: 'trusted', says, atMs },
    { ...trusted, by: maintainer, revision: stage.sha('merge of typo'), branch: 'main', runner: machine },
  );

function second(stage: Stage, title: string): ChangeOf {
  return {
    ...{ repository, number: 106_013, title, author: researcher, association: 'CONTRIBUTOR', fork: true },
    ...{ head: stage.sha('second'), branch: 'second', base: stage.sha('merge of typo'), openedAtMs: 1200 },
  };
}

function attack(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const bait = second(stage, 'Draft: test a workflow');
  const forkRun = { ...checks, by: researcher, revision: bait.head, branch: bait.branch, fork: researcher };
  return [
    ...typo(stage, researcher, 300),
    pullRequest(stage, { name: 'bait', says: 'the new contributor opened another', atMs: 1200 }, 'opened', bait),
    ...wholeRun(
      stage,
      {
        name: 'fork-run',
        says: 'its workflow ran at once, on a machine of the house, and left an agent there',
        atMs: 1260,
      },
      { ...forkRun, runner: machine },
      600,
    ),
    pullRequest(stage, { name: 'bait-gone', says: 'the pull request was closed', atMs: 2000 }, 'closed', bait),
    auditRecord(
      stage,
      { name: 'log-gone', says: 'the run and its log were deleted, with a token of a later job', atMs: 3000 },
      {
        ...{ action: 'workflows.delete_workflow_run', by: 'github-actions[bot]', repository },
        more: { name: checks.name, head_branch: bait.branch, head_sha: bait.head, event: 'pull_request' },
      },
    ),
    ...trustedRun(stage, 'a job of the default branch ran on the same machine', 2300),
  ];
}

function benign(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const change = second(stage, 'Mend another typo');
  const forkRun = { ...checks, by: researcher, revision: change.head, branch: change.branch, fork: researcher };
  return [
    ...typo(stage, researcher, 300),
    pullRequest(stage, { name: 'change', says: 'the new contributor opened another', atMs: 1200 }, 'opened', change),
    ...wholeRun(stage, { name: 'fork-run', says: 'it was checked on a machine of GitHub’s', atMs: 1260 }, forkRun, 600),
    ...trustedRun(stage, 'a job of the default branch ran on a machine of the house', 2300),
  ];
}

export const pytorchRunner: Scenario = {
  id: 'pytorch-runner',
  title: 'PyTorch’s runners, August 2023',
  breach: { number: 11, name: 'PyTorch runners (by researchers)', date: '2023-08' },
  narrative:
    'Two researchers mended a typo, so that their next workflows needed nobody’s approval. Their second pull request had a job run on one of PyTorch’s own machines, which outlive their jobs, and left an agent of their own there. ' +
    'From it they read the tokens of later jobs on that machine, with which they could have published releases; with one they deleted the log of their own run. ' +
    'What they did on the machine itself no feed tells.',
  provenance: 'reconstructed',
  sources: [
    {
      title: 'John Stawinski: playing with fire, a critical supply chain attack on PyTorch',
      url: 'https://johnstawinski.com/2024/01/11/playing-with-fire-how-we-executed-a-critical-supply-chain-attack-on-pytorch/',
    },
    {
      title: 'Seth Larson: defending against the PyTorch supply chain attack',
      url: 'https://sethmlarson.dev/security-developer-in-residence-weekly-report-25',
    },
  ],
  baseline: (cast) =>
    inventory(createStage(cast), {
      repositories: [repository],
      members: [{ login: maintainer, role: 'admin' }],
    }),
  attack,
  benign,
  expects: [
    { rule: 'self-hosted-runner-fork', decidingStep: 'fork-run-job', responses: ['stop-run', 'isolate-runner'] },
    { rule: 'audit-workflows-delete-workflow-run', decidingStep: 'log-gone', responses: [] },
  ],
};
