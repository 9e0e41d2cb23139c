import { auditRecord } from './audit-records.ts';
import { inventory } from './baseline.ts';
import { minted, revoked } from './broker-events.ts';
import { accessApp, application, deployment, elsewhere, given, members, runner, tokenOf } from './broker-stage.ts';
import { createStage } from './github-bodies.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

/** A day of the broker: two deployments, each with a token of its own. */
function ordinary(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const { job, steps } = deployment(stage, 200, 2500);
  const credentials = [given(job, 'of the first step'), given(job, 'of the second step')];
  return [
    ...steps,
    ...credentials.flatMap((credential, nth) => [
      minted(
        stage,
        { name: `mint-${nth + 1}`, says: 'the broker gave the deployment a token', atMs: 600 + 700 * nth },
        credential,
      ),
      auditRecord(
        stage,
        { name: `use-${nth + 1}`, says: 'the deployment used it', atMs: 900 + 700 * nth },
        { action: 'git.push', by: accessApp, token: credential.token, from: runner, repository: application },
      ),
    ]),
    ...credentials.map((credential, nth) =>
      revoked(
        stage,
        { name: `revocation-${nth + 1}`, says: 'the job ended, and GitHub revoked it', atMs: 2800 + 100 * nth },
        credential,
      ),
    ),
  ];
}

export const brokerKeyStolen: Scenario = {
  id: 'broker-key-stolen',
  title: 'The private key of the broker’s App is stolen',
  narrative:
    'Whoever has the private key of the App by which the access broker mints can make tokens of their own, for whatever the App may do, and the broker knows nothing of it. ' +
    'But each token that the broker hands out is in the log before, by its hash; the audit log names another.',
  provenance: 'reconstructed',
  sources: [{ title: 'MITRE ATT&CK T1552.004: private keys', url: 'https://attack.mitre.org/techniques/T1552/004/' }],
  baseline: (cast) =>
    inventory(createStage(cast), {
      ...{ repositories: [application], members },
      settings: { 'token-not-minted-by-broker': { apps: [accessApp] } },
    }),
  attack: (cast) => {
    const stage = createStage(cast);
    return [
      ...ordinary(cast),
      auditRecord(
        stage,
        {
          name: 'theft',
          says: 'the broker’s App cloned the application with a token that nobody had given',
          atMs: 3600,
        },
        {
          ...{ action: 'git.clone', by: accessApp, token: tokenOf('made beside the broker') },
          ...{ from: elsewhere, repository: application },
        },
      ),
    ];
  },
  benign: ordinary,
  expects: [{ rule: 'token-not-minted-by-broker', decidingStep: 'theft', responses: ['revoke-grant'] }],
};
