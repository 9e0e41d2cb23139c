import { approval, type ChangeOf, createStage, type JobOf, job, pullRequest, push, run } from './github-bodies.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

const service = 'library';
const author = 'ada-author';
const reviewer = 'grace-reviewer';

function build(cast: Cast, revision: string, by: string, fromMs: number): ScenarioStep[] {
  const stage = createStage(cast);
  const of: JobOf = {
    repository: service,
    name: 'Publish',
    path: '.github/workflows/publish.yml',
    trigger: 'push',
    by,
    revision,
    branch: 'main',
    job: 'publish',
    startedAtMs: fromMs + 300,
  };
  return [
    run(stage, { name: 'run', says: 'main was built from it, to be published', atMs: fromMs }, 'requested', of),
    job(stage, { name: 'job', says: 'its job started', atMs: fromMs + 300 }, 'in_progress', of),
    job(stage, { name: 'job-done', says: 'its job ended', atMs: fromMs + 900 }, 'completed', of),
    run(stage, { name: 'run-done', says: 'the run ended', atMs: fromMs + 1000 }, 'completed', of),
  ];
}

export const buildFromUnreviewedCommit: Scenario = {
  id: 'build-from-unreviewed-commit',
  title: 'A commit goes straight to main and is built for release',
  narrative:
    'An account that may push is taken over. Its new owner pushes a commit straight to the default branch, without a pull request, and the release workflow builds it. ' +
    'That is how a backdoor came into PHP’s own repository in 2021, and into packages published since.',
  provenance: 'reconstructed',
  sources: [
    { title: 'PHP.Watch on the two commits to php-src', url: 'https://php.watch/news/news/2021/04/php-src-attack' },
    {
      title: 'OWASP CICD-SEC-1',
      url: 'https://owasp.org/www-project-top-10-ci-cd-security-risks/CICD-SEC-01-Insufficient-Flow-Control-Mechanisms',
    },
  ],
  baseline: (cast) => {
    const stage = createStage(cast);
    return {
      'tripline.inventory.part': 1,
      'tripline.inventory.parts': 1,
      'tripline.inventory.heads': [
        { repository: stage.fullName(service), branch: 'main', revision: stage.sha(`head of ${service}`) },
      ],
      'tripline.inventory.protected': [{ repository: stage.fullName(service), patterns: ['main', 'release/*'] }],
    };
  },
  attack: (cast) => {
    const stage = createStage(cast);
    const commit = stage.sha('backdoor');
    return [
      push(
        stage,
        { name: 'push', says: `a commit was pushed straight to main from the account of ${author}`, atMs: 500 },
        {
          repository: service,
          ref: 'refs/heads/main',
          by: author,
          before: stage.sha(`head of ${service}`),
          after: commit,
          message: 'Fix typo',
          files: ['src/zlib.c'],
        },
      ),
      ...build(cast, commit, author, 1000),
    ];
  },
  benign: (cast) => {
    const stage = createStage(cast);
    const work: ChangeOf = {
      repository: service,
      number: 12,
      title: 'Fix typo',
      author,
      association: 'MEMBER',
      head: stage.sha('work'),
      branch: 'fix-typo',
      base: stage.sha(`head of ${service}`),
    };
    const revision = stage.sha('merge of work');
    return [
      pullRequest(stage, { name: 'change', says: `${author} opened a pull request`, atMs: 200 }, 'opened', work),
      approval(stage, { name: 'approval', says: `${reviewer} approved it`, atMs: 700 }, reviewer, work),
      pullRequest(stage, { name: 'merge', says: `${author} merged it`, atMs: 1200 }, 'closed', {
        ...work,
        merged: { by: author, revision },
      }),
      push(
        stage,
        { name: 'push', says: 'the merge came to main', atMs: 1300 },
        {
          repository: service,
          ref: 'refs/heads/main',
          by: author,
          before: work.base,
          after: revision,
          message: 'Fix typo (#12)',
          files: ['src/zlib.c'],
          committer: 'web-flow',
        },
      ),
      ...build(cast, revision, author, 1500),
    ];
  },
  expects: [
    { rule: 'protected-branch-unreviewed', decidingStep: 'push', responses: ['restore-ref'] },
    { rule: 'build-from-unreviewed-commit', decidingStep: 'run', responses: ['stop-run'] },
  ],
};
