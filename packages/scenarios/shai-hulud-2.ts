import { auditRecord } from './audit-records.ts';
import { headOf, inventory } from './baseline.ts';
import { reviewedChange, wholeRun } from './github-acts.ts';
import { createStage, push, zeroSha } from './github-bodies.ts';
import { repositoryEvent } from './github-repositories.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

const search = 'search';
const developer = 'dana-developer';
const operator = 'theo-operator';
const path = '.github/workflows/discussion.yaml';
const worm = { repository: 'q7dk2mvx0p', by: developer, description: 'Sha1-Hulud: The Second Coming.' };
const runner = { id: 21, name: 'SHA1HULUD' };

function attack(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const first = stage.sha('first commit of the worm');
  return [
    repositoryEvent(
      stage,
      { name: 'created', says: `a token of ${developer} made a public repository with a random name`, atMs: 300 },
      'created',
      worm,
    ),
    auditRecord(
      stage,
      { name: 'registered', says: 'the infected machine was registered there as a runner', atMs: 900 },
      {
        ...{ action: 'repo.register_self_hosted_runner', by: developer, repository: worm.repository },
        more: { runner_id: runner.id, runner_name: runner.name, runner_labels: ['self-hosted', 'Linux', 'X64'] },
      },
    ),
    push(
      stage,
      { name: 'workflow', says: 'a workflow was pushed that runs whatever a discussion says', atMs: 1400 },
      {
        ...{ repository: worm.repository, ref: 'refs/heads/main', by: developer, before: zeroSha, after: first },
        ...{ message: 'Add Discusion', files: [], added: [path] },
      },
    ),
    ...wholeRun(
      stage,
      { name: 'run', says: 'a discussion was written, and the machine did what it says', atMs: 2000 },
      {
        ...{ repository: worm.repository, name: 'Discussion Create', path, trigger: 'discussion', job: 'process' },
        ...{ by: developer, revision: first, branch: 'main', runner },
      },
    ),
  ];
}

function benign(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const [repository, merge] = ['search-prototype', stage.sha('merge of discussions')];
  const pool = { id: 40, name: 'pool-1' };
  return [
    repositoryEvent(stage, { name: 'created', says: `${developer} made a private repository`, atMs: 300 }, 'created', {
      repository,
      by: developer,
      isPrivate: true,
      description: 'A prototype of the new search',
    }),
    push(
      stage,
      { name: 'begun', says: 'a first commit was pushed there', atMs: 700 },
      {
        ...{ repository, ref: 'refs/heads/main', by: developer, before: zeroSha, after: stage.sha('first commit') },
        ...{ message: 'Begin', files: [], added: ['README.md'] },
      },
    ),
    ...reviewedChange(
      stage,
      { name: 'change', says: `${developer} proposed a workflow that answers discussions`, atMs: 1200 },
      {
        ...{ repository: search, number: 31, title: 'Answer discussions', author: developer, association: 'MEMBER' },
        ...{ head: stage.sha('discussions'), branch: 'discussions', base: headOf(stage, search) },
        ...{ files: [path], reviewer: operator, merge },
      },
    ),
    ...wholeRun(
      stage,
      { name: 'run', says: 'a discussion was written, and it ran on a machine of the house', atMs: 2000 },
      {
        ...{ repository: search, name: 'Discussions', path, trigger: 'discussion', job: 'process' },
        ...{ by: developer, revision: merge, branch: 'main', runner: pool },
      },
    ),
  ];
}

export const shaiHulud2: Scenario = {
  id: 'shai-hulud-2',
  title: 'Shai-Hulud 2, November 2025',
  breach: { number: 19, name: 'Shai-Hulud 2', date: '2025-11-24' },
  narrative:
    'Poisoned npm packages ran before they were installed, looked for tokens, and put what they found into a new public repository of the victim’s, with the description “Sha1-Hulud: The Second Coming.”. ' +
    'They registered the machine there as a self-hosted runner called SHA1HULUD, and pushed a workflow that runs whatever somebody writes into a discussion: a way back in. ' +
    'More than 25,000 such repositories were made. Most belonged to people’s own accounts, of which no feed of an organisation tells; it is played as if it had been made in the organisation.',
  provenance: 'reconstructed',
  sources: [
    {
      title: 'Wiz: Sha1-Hulud 2.0, an ongoing supply chain attack',
      url: 'https://www.wiz.io/blog/shai-hulud-2-0-ongoing-supply-chain-attack',
    },
    {
      title: 'PostHog: post-mortem of the Shai-Hulud attack of November 24',
      url: 'https://posthog.com/blog/nov-24-shai-hulud-attack-post-mortem',
    },
  ],
  baseline: (cast) =>
    inventory(createStage(cast), {
      repositories: [search],
      members: [
        { login: developer, role: 'member' },
        { login: operator, role: 'admin' },
      ],
    }),
  attack,
  benign,
  expects: [
    { rule: 'repository-exposed', decidingStep: 'created', responses: ['close-exposure'] },
    { rule: 'rogue-runner-registered', decidingStep: 'registered', responses: ['stop-run', 'isolate-runner'] },
    { rule: 'rogue-runner-registered', decidingStep: 'registered', responses: ['isolate-runner'] },
    // Nobody protects a new repository, so this informs.
    { rule: 'workflow-changed-unreviewed', decidingStep: 'workflow', responses: [] },
  ],
};
