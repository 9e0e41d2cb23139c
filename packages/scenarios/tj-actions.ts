import {
  approval,
  type ChangeOf,
  createStage,
  invitation,
  type JobOf,
  job,
  membership,
  pullRequest,
  push,
  type RunOf,
  ref,
  run,
  zeroSha,
} from './github-bodies.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

/** One organisation stands for the several that the attackers went through. */
const analyser = 'analyser';
const action = 'action-setup';
const release = '.github/workflows/release.yml';
const check = {
  ...{ repository: analyser, name: 'Check pull request', path: '.github/workflows/check-pr.yml' },
  trigger: 'pull_request_target',
};
const maintainer = 'ada-maintainer';
const reviewer = 'grace-reviewer';
const throwaway = 'jolly-otter-4711';
const newcomer = 'lin-newcomer';
/** Who invites in the honest twin: the app of an identity provider, by which people join. */
const provisioning = 'provisioning[bot]';

function attack(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const day1 = stage.sha(`head of ${analyser}`);
  const bait: ChangeOf = {
    repository: analyser,
    number: 88,
    title: 'Fix a typo in the build script',
    author: throwaway,
    association: 'NONE',
    head: stage.sha('bait'),
    branch: 'fix-typo',
    base: day1,
    fork: true,
  };
  // The base's commit is all that GitHub said of such a run for long, and no commit of the fork.
  const label: RunOf = { ...check, by: throwaway, revision: day1, branch: 'fix-typo', fork: throwaway };
  const branch = { repository: analyser, ref: 'hwqkzuxnob', type: 'branch' as const, by: throwaway };
  const evil = stage.sha('workflow that leaks');
  const leak: JobOf = {
    repository: analyser,
    name: 'Release',
    path: release,
    trigger: 'push',
    by: throwaway,
    revision: evil,
    branch: branch.ref,
    job: 'release',
    startedAtMs: 2600,
  };
  const tag = (name: string, before: string, atMs: number) =>
    push(
      stage,
      { name: `${name}-moved`, says: `tag ${name} of ${action} was moved to a commit that stands on no branch`, atMs },
      {
        repository: action,
        ref: `refs/tags/${name}`,
        by: maintainer,
        before,
        after: stage.sha('orphan that dumps memory'),
        message: 'chore(deps): lock file maintenance',
        files: ['action.yml'],
        forced: true,
      },
    );
  return [
    pullRequest(stage, { name: 'bait', says: 'a pull request came from a fork', atMs: 100 }, 'opened', bait),
    run(
      stage,
      { name: 'privileged-run', says: 'its code ran with the secrets of the repository, and took a token', atMs: 300 },
      'requested',
      label,
    ),
    pullRequest(stage, { name: 'bait-gone', says: 'the pull request was closed', atMs: 700 }, 'closed', bait),
    invitation(
      stage,
      { name: 'invite', says: `the stolen token of ${maintainer} invited a throwaway account`, atMs: 1200 },
      { by: maintainer, invitee: throwaway },
    ),
    membership(stage, { name: 'accept', says: 'the throwaway account accepted', atMs: 1700 }, { member: throwaway }),
    ref(stage, { name: 'branch', says: 'it made a branch with a random name', atMs: 2200 }, 'create', branch),
    push(
      stage,
      { name: 'workflow-push', says: 'it rewrote a workflow that uses secrets, on that branch', atMs: 2300 },
      {
        repository: analyser,
        ref: `refs/heads/${branch.ref}`,
        by: throwaway,
        before: zeroSha,
        after: evil,
        message: 'Update release.yml',
        files: [release],
      },
    ),
    run(stage, { name: 'leak-run', says: 'the rewritten workflow ran', atMs: 2500 }, 'requested', leak),
    job(stage, { name: 'leak-job', says: 'its job started', atMs: 2600 }, 'in_progress', leak),
    ref(stage, { name: 'branch-gone', says: 'the branch was deleted within a second', atMs: 2900 }, 'delete', branch),
    job(
      stage,
      { name: 'leak-job-done', says: 'the job ended, with the secrets in its log', atMs: 3300 },
      'completed',
      leak,
    ),
    run(stage, { name: 'leak-run-done', says: 'the run ended', atMs: 3400 }, 'completed', leak),
    tag('v1', stage.sha('v1 of old'), 4000),
    tag('v1.2', stage.sha('v1.2 of old'), 4300),
    tag('v1.2.3', stage.sha('v1.2.3 of old'), 4600),
  ];
}

function benign(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const day1 = stage.sha(`head of ${analyser}`);
  const work: ChangeOf = {
    repository: analyser,
    number: 88,
    title: 'Fix a typo in the build script',
    author: newcomer,
    association: 'MEMBER',
    head: stage.sha('honest work'),
    branch: 'fix-typo',
    base: day1,
  };
  const merge = stage.sha('merge of honest work');
  const merged: ChangeOf = { ...work, merged: { by: reviewer, revision: merge } };
  const build: JobOf = {
    repository: analyser,
    name: 'Release',
    path: release,
    trigger: 'push',
    by: reviewer,
    revision: merge,
    branch: 'main',
    job: 'release',
    startedAtMs: 3300,
  };
  return [
    invitation(
      stage,
      { name: 'invite', says: 'the identity provider’s app invited a new maintainer', atMs: 700 },
      { by: provisioning, invitee: newcomer },
    ),
    membership(stage, { name: 'accept', says: 'they accepted', atMs: 1100 }, { member: newcomer }),
    push(
      stage,
      { name: 'branch-push', says: 'they pushed a branch that changes the release workflow', atMs: 1500 },
      {
        repository: analyser,
        ref: 'refs/heads/fix-typo',
        by: newcomer,
        before: zeroSha,
        after: work.head,
        message: 'Fix a typo',
        files: [release],
      },
    ),
    pullRequest(stage, { name: 'change', says: 'they opened a pull request', atMs: 1800 }, 'opened', work),
    run(stage, { name: 'check', says: 'it was checked, with the rights of the base', atMs: 1850 }, 'requested', {
      ...{ ...check, by: newcomer, revision: work.head, branch: work.branch, base: day1 },
    }),
    approval(stage, { name: 'approval', says: `${reviewer} approved it`, atMs: 2300 }, reviewer, work),
    pullRequest(stage, { name: 'merge', says: `${reviewer} merged it`, atMs: 2800 }, 'closed', merged),
    push(
      stage,
      { name: 'merge-push', says: 'the merge came to main', atMs: 2900 },
      {
        repository: analyser,
        ref: 'refs/heads/main',
        by: reviewer,
        before: day1,
        after: merge,
        message: 'Fix a typo (#88)',
        files: [release],
        committer: 'web-flow',
      },
    ),
    run(stage, { name: 'release-run', says: 'the release workflow ran on it', atMs: 3100 }, 'requested', build),
    job(stage, { name: 'release-job', says: 'its job started', atMs: 3300 }, 'in_progress', build),
    job(stage, { name: 'release-job-done', says: 'its job ended', atMs: 3800 }, 'completed', build),
    run(stage, { name: 'release-run-done', says: 'the run ended', atMs: 3900 }, 'completed', build),
    push(
      stage,
      { name: 'tag', says: 'the reviewed commit was tagged', atMs: 4300 },
      {
        repository: analyser,
        ref: 'refs/tags/v4.8.1',
        by: maintainer,
        before: zeroSha,
        after: merge,
        message: 'Fix a typo (#88)',
        files: [],
        committer: 'web-flow',
      },
    ),
  ];
}

export const tjActions: Scenario = {
  id: 'tj-actions',
  title: 'SpotBugs, reviewdog and tj-actions, March 2025 (CVE-2025-30066)',
  breach: { number: 12, name: 'SpotBugs, reviewdog and tj-actions', date: '2024-11' },
  narrative:
    'A pull request from a fork made a workflow with secrets run its code, and took a maintainer’s personal access token. ' +
    'Months later that token invited a throwaway account, which pushed a rewritten workflow to a branch of random name, let it print all secrets, and deleted the branch within a second. ' +
    'One of those secrets moved the tags of an action that others use, and the secrets of 218 repositories were printed in turn. ' +
    'Played in one organisation that stands for all of them.',
  provenance: 'reconstructed',
  sources: [
    {
      title: 'Unit 42: GitHub Actions supply chain attack',
      url: 'https://unit42.paloaltonetworks.com/github-actions-supply-chain-attack/',
    },
    {
      title: 'GHSA-mrrh-fwg8-r2c3, tj-actions/changed-files',
      url: 'https://github.com/advisories/GHSA-mrrh-fwg8-r2c3',
    },
    { title: 'GHSA-qmg3-hpqr-gqvc, reviewdog/action-setup', url: 'https://github.com/advisories/GHSA-qmg3-hpqr-gqvc' },
    {
      title: 'OpenSSF: securing CI/CD after tj-actions and reviewdog',
      url: 'https://openssf.org/blog/2025/06/11/maintainers-guide-securing-ci-cd-pipelines-after-the-tj-actions-and-reviewdog-supply-chain-attacks/',
    },
  ],
  baseline: (cast) => {
    const stage = createStage(cast);
    const granting = {
      grantingWorkflows: [`${stage.fullName('access')}/.github/workflows/grant.yml`],
      grantingActors: ['access-broker[bot]'],
      exemptActors: [provisioning],
    };
    return {
      'tripline.inventory.part': 1,
      'tripline.inventory.parts': 1,
      'tripline.inventory.heads': [analyser, action].map((name) => ({
        repository: stage.fullName(name),
        branch: 'main',
        revision: stage.sha(`head of ${name}`),
      })),
      'tripline.inventory.protected': [analyser, action].map((name) => ({
        repository: stage.fullName(name),
        patterns: ['main'],
      })),
      'tripline.inventory.members': [
        { login: maintainer, role: 'admin' },
        { login: reviewer, role: 'member' },
      ],
      'tripline.inventory.settings': {
        'privilege-grant-outside-job': granting,
        'grant-outlived-job': granting,
      },
      'tripline.inventory.credential_uses': [release, check.path].map((path) => ({
        credential: `workflow:${stage.fullName(analyser)}/${path}`,
        runner: 'hosted:0:ubuntu-latest',
      })),
    };
  },
  attack,
  benign,
  expects: [
    { rule: 'privileged-fork-trigger', decidingStep: 'privileged-run', responses: ['stop-run'] },
    { rule: 'privilege-grant-outside-job', decidingStep: 'invite', responses: ['revoke-grant'] },
    { rule: 'privilege-grant-outside-job', decidingStep: 'accept', responses: ['revoke-grant'] },
    { rule: 'build-from-unreviewed-commit', decidingStep: 'leak-run', responses: ['stop-run'] },
    { rule: 'release-tag-moved', decidingStep: 'v1-moved', responses: ['restore-ref', 'lock-tags'] },
    { rule: 'release-tag-moved', decidingStep: 'v1.2-moved', responses: ['restore-ref', 'lock-tags'] },
    { rule: 'release-tag-moved', decidingStep: 'v1.2.3-moved', responses: ['restore-ref', 'lock-tags'] },
  ],
};
