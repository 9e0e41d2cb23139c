import { auditRecord } from './audit-records.ts';
import { inventory } from './baseline.ts';
import { minted, revoked } from './broker-events.ts';
import { accessApp, application, deployment, elsewhere, given, members, runner } from './broker-stage.ts';
import { createStage } from './github-bodies.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

/** The deployment, what it was given, what it did with that, and the end of both. */
function deployed(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const { job, steps } = deployment(stage, 200, 2000);
  const credential = given(job, 'of the deployment');
  return [
    ...steps,
    minted(
      stage,
      { name: 'mint', says: 'the broker gave its job a token for as long as it runs', atMs: 700 },
      credential,
    ),
    auditRecord(
      stage,
      { name: 'use', says: 'the job pushed the manifest of the deployment with it', atMs: 1200 },
      { action: 'git.push', by: accessApp, token: credential.token, from: runner, repository: application },
    ),
    revoked(stage, { name: 'revocation', says: 'the job ended, and GitHub revoked the token', atMs: 2300 }, credential),
  ];
}

function attack(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  return [
    ...deployed(cast),
    auditRecord(
      stage,
      { name: 'theft', says: 'what the job had been given was used once more, from elsewhere', atMs: 4000 },
      {
        ...{
          action: 'git.clone',
          by: accessApp,
          token: given(deployment(stage, 200, 2000).job, 'of the deployment').token,
        },
        ...{ from: elsewhere, repository: application },
      },
    ),
  ];
}

export const tokenUsedAfterJob: Scenario = {
  id: 'token-used-after-job',
  title: 'A job’s token is used after the job',
  narrative:
    'A deployment is given a token by the access broker, for as long as its job runs. A dependency of the job reads it and sends it elsewhere, where it is used once the job is over. ' +
    'The broker had told the log of the token before it handed it out, and of its end: its hash in the audit log says whose it was.',
  provenance: 'reconstructed',
  sources: [
    {
      title: 'MITRE ATT&CK T1550.001: application access token',
      url: 'https://attack.mitre.org/techniques/T1550/001/',
    },
  ],
  baseline: (cast) =>
    inventory(createStage(cast), {
      ...{ repositories: [application], members },
      // Shortened from a minute, so that a playing takes seconds.
      settings: {
        'credential-use-outside-job': { mintedGraceMs: 500 },
        'token-not-minted-by-broker': { apps: [accessApp] },
      },
    }),
  attack,
  benign: deployed,
  expects: [{ rule: 'credential-use-outside-job', decidingStep: 'theft', responses: ['revoke-grant'] }],
};
