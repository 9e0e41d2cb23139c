import { headOf, inventory } from './baseline.ts';
import { reviewedChange, type Workflow, wholeRun } from './github-acts.ts';
import { createStage, push, ref, type Stage, zeroSha } from './github-bodies.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

const [scanner, action] = ['scanner', 'scanner-action'] as const;
/** A machine's account, whose token the first breach took and the rotation missed. */
const machine = 'house-bot';
const maintainer = 'dmitri-maintainer';
const reviewer = 'teppei-reviewer';
const release: Workflow = {
  ...{ repository: scanner, name: 'Release', path: '.github/workflows/release.yaml', trigger: 'push', job: 'release' },
};
const tags = ['0.33.1', '0.34.0', '0.34.1', '0.34.2'];

/** A tag came, and the release workflow ran on it. */
function tagged(stage: Stage, of: { tag: string; by: string; revision: string; message: string }, atMs: number) {
  const { tag, by, revision, message } = of;
  return [
    ref(stage, { name: 'tag-created', says: `tag ${tag} was made`, atMs }, 'create', {
      ...{ repository: scanner, ref: tag, type: 'tag', by },
    }),
    push(
      stage,
      { name: 'tag', says: `${tag} was pushed`, atMs: atMs + 20 },
      { repository: scanner, ref: `refs/tags/${tag}`, by, before: zeroSha, after: revision, message, files: [] },
    ),
    ...wholeRun(
      stage,
      { name: 'release', says: `the release workflow ran on ${tag}`, atMs: atMs + 120 },
      { ...release, by, revision, branch: tag },
    ),
  ];
}

function attack(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  return [
    ...tagged(
      stage,
      { tag: 'v0.69.4', by: machine, revision: stage.sha('imposter'), message: 'fix(deps): update checkout' },
      300,
    ),
    ...tags.map((tag, nth) =>
      push(
        stage,
        { name: `${tag}-moved`, says: `tag ${tag} of the action was forced to another commit`, atMs: 1500 + 300 * nth },
        {
          ...{ repository: action, ref: `refs/tags/${tag}`, by: machine, before: stage.sha(`version ${tag}`) },
          ...{ after: stage.sha(`stealer in ${tag}`), forced: true, message: `Upgrade scanner (${tag})` },
          files: ['entrypoint.sh'],
        },
      ),
    ),
  ];
}

function benign(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const merge = stage.sha('merge of fix');
  const message = 'fix(deps): update checkout (#9991)';
  return [
    ...reviewedChange(
      stage,
      { name: 'fix', atMs: 200 },
      {
        ...{ repository: scanner, number: 9991, title: 'fix(deps): update checkout', author: maintainer },
        ...{ association: 'MEMBER', head: stage.sha('fix'), branch: 'update-checkout', base: headOf(stage, scanner) },
        ...{ files: ['go.mod'], reviewer, merge },
      },
    ),
    ...tagged(stage, { tag: 'v0.69.4', by: machine, revision: merge, message }, 800),
    push(
      stage,
      { name: 'action-tag', says: 'the head of the action was tagged as a version of its own', atMs: 2000 },
      {
        ...{ repository: action, ref: 'refs/tags/0.35.0', by: machine, before: zeroSha, after: headOf(stage, action) },
        ...{ message: 'Upgrade scanner', files: [] },
      },
    ),
  ];
}

export const trivyTags: Scenario = {
  id: 'trivy-tags',
  title: 'Trivy and KICS, March 2026',
  breach: { number: 22, name: 'Trivy, second wave, and KICS', date: '2026-03-19' },
  narrative:
    'After a first breach Trivy rotated its credentials, and missed one. With it somebody pushed tag v0.69.4 onto a commit that stands on no branch, which the release workflow built and published, and forced 76 tags of trivy-action and all of setup-trivy to commits that steal the secrets of whoever uses them. ' +
    'Days later the tags of Checkmarx’s KICS action were moved the same way. ' +
    'More than three tags that are pushed at once GitHub does not tell of; here each is pushed by itself. That the credential had been rotated is known by the audit log and a resolved incident alone, and is left out.',
  provenance: 'reconstructed',
  sources: [
    {
      title: 'Puma Security: how TeamPCP exploited mutable action tags',
      url: 'https://pumasecurity.io/resources/blog/teampcp-github-actions-supply-chain',
    },
    {
      title: 'StepSecurity: TeamPCP’s attack on Trivy, ten layers deep',
      url: 'https://stepsecurity.io/blog/10-layers-deep-how-stepsecurity-stops-teampcps-trivy-supply-chain-attack-on-github-actions',
    },
  ],
  baseline: (cast) =>
    inventory(createStage(cast), {
      repositories: [scanner, action],
      members: [
        { login: machine, role: 'admin' },
        { login: maintainer, role: 'member' },
        { login: reviewer, role: 'member' },
      ],
    }),
  attack,
  benign,
  expects: [
    { rule: 'build-from-unreviewed-commit', decidingStep: 'release', responses: ['stop-run'] },
    ...tags.map((tag) => ({
      ...{ rule: 'release-tag-moved', decidingStep: `${tag}-moved`, responses: ['restore-ref' as const] },
    })),
  ],
};
