import { auditRecord, type Client, clone, type Token } from './audit-records.ts';
import { headOf, inventory } from './baseline.ts';
import { reviewedChange, type Workflow, wholeRun } from './github-acts.ts';
import { createStage, push, ref, type Stage, zeroSha } from './github-bodies.ts';
import { resolvedAsRotated } from './people.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

const [scanner, action] = ['scanner', 'scanner-action'] as const;
/** A machine's account, whose token the first breach took and the rotation missed. */
const machine = 'house-bot';
const old: Token = { name: 'of the machine', type: 'Personal access token (classic)' };
const fresh: Token = { name: 'of the machine, made anew', type: 'Personal access token (classic)' };
const builder: Client = { address: '192.0.2.180', country: 'US', agent: 'git/2.47.1' };
const thief: Client = { address: '203.0.113.18', country: 'NL', agent: 'python-requests/2.32' };
const dayMs = 86_400_000;
const maintainer = 'dmitri-maintainer';
const reviewer = 'teppei-reviewer';
const release: Workflow = {
  ...{ repository: scanner, name: 'Release', path: '.github/workflows/release.yaml', trigger: 'push', job: 'release' },
};
const tags = ['0.33.1', '0.34.0', '0.34.1', '0.34.2'];

/** From where the machine's token was used until now. */
function ordinaryWeeks(stage: Stage): ScenarioStep[] {
  return [21, 14, 7, 2].map((daysAgo, nth) =>
    clone(
      stage,
      { name: `usual-${nth + 1}`, says: `a build had cloned with it, ${daysAgo} days ago`, atMs: 20 * nth },
      { by: machine, token: old, from: builder, repository: scanner, doneAtMs: -daysAgo * dayMs },
    ),
  );
}

/** A tag came, pushed with the machine's token, and the release workflow ran on it. */
function tagged(
  stage: Stage,
  of: { tag: string; token: Token; from: Client; revision: string; message: string },
  atMs: number,
): ScenarioStep[] {
  const { tag, token, from, revision, message } = of;
  const by = machine;
  return [
    auditRecord(
      stage,
      {
        name: 'tag-recorded',
        says: `somebody pushed to the scanner with ${token === old ? 'the same token' : 'the token made anew'}`,
        atMs: atMs - 40,
      },
      { action: 'git.push', by, token, from, repository: scanner, more: { transport_protocol_name: 'http' } },
    ),
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
    ...ordinaryWeeks(stage),
    clone(
      stage,
      {
        name: 'stolen',
        says: 'in a first breach the token of a machine was taken, and tried from elsewhere',
        atMs: 300,
      },
      { by: machine, token: old, from: thief, repository: scanner },
    ),
    resolvedAsRotated(
      stage,
      { name: 'rotated', says: `${maintainer} resolved it as true: all tokens are rotated`, atMs: 1000 },
      { by: maintainer, token: old },
    ),
    clone(
      stage,
      { name: 'reused', says: 'the one token that the rotation missed cloned the action', atMs: 2400 },
      { by: machine, token: old, from: thief, repository: action },
    ),
    ...tagged(
      stage,
      {
        ...{ tag: 'v0.69.4', token: old, from: thief, revision: stage.sha('imposter') },
        message: 'fix(deps): update checkout',
      },
      2800,
    ),
    ...tags.map((tag, nth) =>
      push(
        stage,
        { name: `${tag}-moved`, says: `tag ${tag} of the action was forced to another commit`, atMs: 3600 + 300 * nth },
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
    ...ordinaryWeeks(stage),
    ...reviewedChange(
      stage,
      { name: 'fix', atMs: 200 },
      {
        ...{ repository: scanner, number: 9991, title: 'fix(deps): update checkout', author: maintainer },
        ...{ association: 'MEMBER', head: stage.sha('fix'), branch: 'update-checkout', base: headOf(stage, scanner) },
        ...{ files: ['go.mod'], reviewer, merge },
      },
    ),
    ...tagged(stage, { tag: 'v0.69.4', token: fresh, from: builder, revision: merge, message }, 800),
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
    'After a first breach Trivy rotated its credentials, and missed one. Three weeks later somebody pushed with it tag v0.69.4 onto a commit that stands on no branch, which the release workflow built and published, and forced 76 tags of trivy-action and all of setup-trivy to commits that steal the secrets of whoever uses them. ' +
    'Days later the tags of Checkmarx’s KICS action were moved the same way. ' +
    'More than three tags that are pushed at once GitHub does not tell of; here each is pushed by itself.',
  provenance: 'reconstructed',
  sources: [
    {
      title: 'GHSA-69fq-xp46-6x23 (CVE-2026-33634), Trivy',
      url: 'https://github.com/aquasecurity/trivy/security/advisories/GHSA-69fq-xp46-6x23',
    },
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
      // Shortened from ten minutes, so that a playing takes seconds.
      settings: { 'revoked-credential-still-live': { graceMs: 500 } },
    }),
  attack,
  benign,
  expects: [
    { rule: 'credential-context-drift', decidingStep: 'stolen', responses: ['revoke-credential'], before: true },
    { rule: 'revoked-credential-still-live', decidingStep: 'reused', responses: ['revoke-credential'] },
    { rule: 'build-from-unreviewed-commit', decidingStep: 'release', responses: ['stop-run'] },
    ...tags.map((tag) => ({
      ...{
        rule: 'release-tag-moved',
        decidingStep: `${tag}-moved`,
        responses: ['restore-ref' as const, 'lock-tags' as const],
      },
    })),
  ],
};
