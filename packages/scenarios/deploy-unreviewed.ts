import { headOf, inventory } from './baseline.ts';
import { gateAnswered, gateAsked, type WaitingRun } from './gate-acts.ts';
import { reviewedChange, wholeRun } from './github-acts.ts';
import { createStage, push } from './github-bodies.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

const service = 'checkout';
const [author, reviewer] = ['omar-author', 'lena-reviewer'];

function deployed(cast: Cast, revision: string, atMs: number, against: readonly string[]): ScenarioStep[] {
  const stage = createStage(cast);
  const of: WaitingRun = {
    ...{ repository: service, name: 'Release', path: '.github/workflows/release.yml', trigger: 'push' },
    ...{ by: author, revision, branch: 'main', environment: 'production' },
  };
  const verdict = against.length === 0 ? 'approved it' : `rejected it: ${against.join(', ')}`;
  const started = against.length === 0 ? 'a deployment was asked for' : `${author} went past the gate of production`;
  return [
    ...wholeRun(stage, { name: 'run', says: started, atMs }, { ...of, job: 'deploy' }, 600),
    gateAsked(stage, { name: 'question', says: 'GitHub asked the gate of production', atMs: atMs + 30 }, of),
    gateAnswered(
      stage,
      { name: 'verdict', says: `the gate ${verdict}`, atMs: atMs + 50 },
      { ...of, question: 'question', against },
    ),
  ];
}

export const deployUnreviewed: Scenario = {
  id: 'deploy-unreviewed',
  title: 'A commit that nobody reviewed is deployed past the gate',
  narrative:
    'Tripline is a protection rule of the production environment, and answers each deployment by the policies of access. Somebody with an administrator’s account pushes a commit straight to main; the gate rejects its deployment, since nobody reviewed it. ' +
    'They go past the gate, as administrators may unless the environment forbids it, and the job starts. What the gate decided was in the log before anybody could start by it, so a job without an approval is certain at once.',
  provenance: 'reconstructed',
  sources: [
    {
      title: 'GitHub Docs: bypassing environment protection rules',
      url: 'https://docs.github.com/actions/how-tos/deploy/configure-and-manage-deployments/review-deployments',
    },
    { title: 'MITRE ATT&CK T1677: poisoned pipeline execution', url: 'https://attack.mitre.org/techniques/T1677/' },
  ],
  baseline: (cast) =>
    inventory(createStage(cast), { repositories: [service], members: [{ login: author, role: 'admin' }] }),
  attack: (cast) => {
    const stage = createStage(cast);
    const revision = stage.sha('hotfix');
    const pushed = { repository: service, ref: 'refs/heads/main', by: author, before: headOf(stage, service) };
    return [
      push(
        stage,
        { name: 'push', says: `${author} pushed a commit straight to main`, atMs: 300 },
        { ...pushed, after: revision, message: 'Hotfix', files: ['src/pay.ts'] },
      ),
      ...deployed(cast, revision, 900, ['reviewed']),
    ];
  },
  benign: (cast) => {
    const stage = createStage(cast);
    const [head, merge] = [stage.sha('hotfix'), stage.sha('merge of hotfix')];
    return [
      ...reviewedChange(
        stage,
        { name: 'change', atMs: 200 },
        {
          ...{ repository: service, number: 31, title: 'Hotfix', author, association: 'MEMBER', head, merge },
          ...{ branch: 'hotfix', base: headOf(stage, service), files: ['src/pay.ts'], reviewer },
        },
      ),
      ...deployed(cast, merge, 900, []),
    ];
  },
  expects: [
    { rule: 'protected-branch-unreviewed', decidingStep: 'push', responses: ['restore-ref'] },
    { rule: 'build-from-unreviewed-commit', decidingStep: 'run', responses: ['stop-run'] },
    { rule: 'deployment-gate-bypassed', decidingStep: 'run-job', responses: ['stop-run'] },
  ],
};
