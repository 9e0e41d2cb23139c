import { headOf, inventory } from './baseline.ts';
import { forked, runOf, wholeRun } from './github-acts.ts';
import { approval, type ChangeOf, createStage, pullRequest } from './github-bodies.ts';
import type { Scenario } from './scenario.ts';

const repository = 'sdk';
const scanner = 'ezmtebo';
const contributor = 'ola-contributor';
const maintainer = 'joan-maintainer';
const reviewer = 'ravi-reviewer';
const preview = {
  ...{ repository, name: 'Build preview', path: '.github/workflows/preview.yml', trigger: 'pull_request_target' },
  job: 'preview',
};

export const prtScan: Scenario = {
  id: 'prt-scan',
  title: 'prt-scan, March and April 2026',
  breach: { number: 23, name: 'prt-scan', date: '2026-03' },
  narrative:
    'Six accounts of one hand forked some five hundred repositories that run workflows by pull_request_target, pushed a branch called prt-scan and a few hex digits to the fork, and opened a pull request “ci: update build configuration”. ' +
    'What the base’s workflow then built from the fork looked for credentials in its surroundings, and wrote them into the run’s log and the pull request’s comments. ' +
    'The pull request was closed minutes later.',
  provenance: 'reconstructed',
  sources: [
    {
      title: 'SecurityV0: the prt-scan campaign',
      url: 'https://securityv0.pages.dev/intelligence/2026-04-26-prt-scan-pull-request-target-campaign/',
    },
    {
      title: 'GitHub Security Lab: preventing pwn requests',
      url: 'https://securitylab.github.com/resources/github-actions-preventing-pwn-requests/',
    },
  ],
  baseline: (cast) =>
    inventory(createStage(cast), {
      repositories: [repository],
      members: [
        { login: maintainer, role: 'admin' },
        { login: reviewer, role: 'member' },
      ],
      withSecrets: { [repository]: preview.path },
    }),
  attack: (cast) => {
    const stage = createStage(cast);
    const bait: ChangeOf = {
      ...{ repository, number: 214, title: 'ci: update build configuration', author: scanner, association: 'NONE' },
      ...{ head: stage.sha('bait'), branch: 'prt-scan-ba1f3c09d2e4', base: headOf(stage, repository), fork: true },
      openedAtMs: 600,
    };
    return [
      forked(stage, { name: 'fork', says: `${scanner} forked the repository`, atMs: 200 }, { repository, by: scanner }),
      pullRequest(
        stage,
        { name: 'bait', says: 'a pull request came that says to be about the build', atMs: 600 },
        'opened',
        bait,
      ),
      ...wholeRun(
        stage,
        {
          name: 'run',
          says: 'the preview was built from the fork, with the rights and secrets of the base',
          atMs: 700,
        },
        { ...preview, by: scanner, revision: bait.head, branch: bait.branch, fork: scanner, base: bait.base },
        900,
      ),
      pullRequest(stage, { name: 'bait-gone', says: 'the pull request was closed', atMs: 2000 }, 'closed', bait),
    ];
  },
  benign: (cast) => {
    const stage = createStage(cast);
    const change: ChangeOf = {
      ...{ repository, number: 214, title: 'ci: update build configuration', author: contributor },
      ...{ association: 'CONTRIBUTOR', head: stage.sha('build'), branch: 'update-build' },
      ...{ base: headOf(stage, repository), fork: true, openedAtMs: 600 },
    };
    return [
      forked(
        stage,
        { name: 'fork', says: `${contributor} forked the repository`, atMs: 200 },
        { repository, by: contributor },
      ),
      pullRequest(stage, { name: 'change', says: 'they opened a pull request', atMs: 600 }, 'opened', change),
      approval(stage, { name: 'approval', says: `${reviewer} read it, and approved it`, atMs: 1200 }, reviewer, change),
      pullRequest(stage, { name: 'label', says: `${maintainer} put a label on it`, atMs: 1500 }, 'labeled', {
        ...change,
        ...{ by: maintainer, label: 'preview' },
      }),
      ...runOf(stage, { name: 'run', says: 'so its preview was built', atMs: 1560 }, change, preview, maintainer),
    ];
  },
  expects: [{ rule: 'privileged-fork-trigger', decidingStep: 'run', responses: ['stop-run'] }],
};
