import { headOf, inventory } from './baseline.ts';
import { forked, openedWithRun, reviewedChange, runOf, type Workflow, wholeRun } from './github-acts.ts';
import { type ChangeOf, createStage, pullRequest, type Stage } from './github-bodies.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

const repository = 'router';
const thief = 'zblgg';
const contributor = 'olga-contributor';
const maintainer = 'tam-maintainer';
const reviewer = 'flo-reviewer';
const size: Workflow = {
  ...{ repository, name: 'Bundle Size', path: '.github/workflows/bundle-size.yml' },
  ...{ trigger: 'pull_request_target', job: 'benchmark' },
};
const release: Workflow = {
  ...{ repository, name: 'Release', path: '.github/workflows/release.yml', trigger: 'push', job: 'release' },
};

/** A change of the house is merged, and the release workflow runs on it. */
function released(stage: Stage, says: string, atMs: number): ScenarioStep[] {
  const merge = stage.sha('merge of docs');
  return [
    ...reviewedChange(
      stage,
      { name: 'work', atMs },
      {
        ...{
          repository,
          number: 7369,
          title: 'fix(history): keep the index',
          author: maintainer,
          association: 'MEMBER',
        },
        ...{ head: stage.sha('docs'), branch: 'fix-history', base: headOf(stage, repository) },
        ...{ files: ['packages/history/src/index.ts'], reviewer, merge },
      },
    ),
    ...wholeRun(
      stage,
      { name: 'release', says, atMs: atMs + 400 },
      { ...release, by: reviewer, revision: merge, branch: 'main' },
    ),
  ];
}

function stranger(stage: Stage, author: string, title: string, branch: string): ChangeOf {
  return {
    ...{ repository, number: 7378, title, author, association: 'FIRST_TIME_CONTRIBUTOR', branch, fork: true },
    ...{ head: stage.sha('size'), base: headOf(stage, repository), openedAtMs: 500 },
  };
}

function attack(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const bait = stranger(stage, thief, 'WIP: simplify history build', 'simplify-history');
  const forced = { ...bait, head: stage.sha('size again'), before: bait.head };
  return [
    forked(stage, { name: 'fork', says: `${thief} forked the repository`, atMs: 200 }, { repository, by: thief }),
    ...openedWithRun(
      stage,
      {
        ...{ name: 'bait', says: 'a pull request came', atMs: 500 },
        runSays: 'its code was built with the rights of the base, to measure it',
      },
      bait,
      size,
    ),
    pullRequest(stage, { name: 'bait-forced', says: 'its head was pushed anew', atMs: 1100 }, 'synchronize', forced),
    ...runOf(stage, { name: 'poison', says: 'it was built again, and wrote the cache', atMs: 1160 }, forced, size),
    pullRequest(stage, { name: 'bait-gone', says: 'the pull request was closed', atMs: 1800 }, 'closed', {
      ...bait,
      head: forced.head,
    }),
    ...released(stage, 'hours later a reviewed change was released, with the cache that the fork wrote', 2600),
  ];
}

function benign(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const change = stranger(stage, contributor, 'perf: split the history chunk', 'split-history');
  const fork = { repository, by: contributor };
  return [
    forked(stage, { name: 'fork', says: `${contributor} forked the repository`, atMs: 200 }, fork),
    pullRequest(stage, { name: 'change', says: 'they opened a pull request', atMs: 500 }, 'opened', change),
    pullRequest(stage, { name: 'label', says: `${maintainer} read it, and put a label on it`, atMs: 1000 }, 'labeled', {
      ...change,
      ...{ by: maintainer, label: 'measure' },
    }),
    ...runOf(stage, { name: 'run', says: 'so its size was measured', atMs: 1060 }, change, size, maintainer),
    ...released(stage, 'a reviewed change was released', 2600),
  ];
}

export const tanstack: Scenario = {
  id: 'tanstack',
  title: 'TanStack, May 2026 (CVE-2026-45321)',
  breach: { number: 25, name: 'TanStack', date: '2026-05-11' },
  narrative:
    'A workflow that measures bundles ran by pull_request_target and built what pull requests of forks hold. One of these, pushed anew a few times and closed at once, wrote the cache of packages that the release workflow reads too. ' +
    'Hours later an honest, reviewed change was merged. Its release restored that cache, whose code took the run’s own token for npm out of memory, and published 84 versions of 42 packages within six minutes, with valid provenance. ' +
    'npm alone could have told of these publications, and they are left out.',
  provenance: 'reconstructed',
  sources: [
    { title: 'TanStack: hardening after the npm compromise', url: 'https://tanstack.com/blog/incident-followup' },
    {
      title: 'GHSA-g7cv-rxg3-hmpx (CVE-2026-45321), TanStack',
      url: 'https://github.com/TanStack/router/security/advisories/GHSA-g7cv-rxg3-hmpx',
    },
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
      settings: {
        'fork-cache-to-release': { cachingWorkflows: [path(size.path)], releaseWorkflows: [path(release.path)] },
      },
    });
  },
  attack,
  benign,
  expects: [
    {
      rule: 'fork-cache-to-release',
      decidingStep: 'release',
      responses: ['stop-run', 'delete-caches', 'delete-artifacts'],
    },
  ],
};
