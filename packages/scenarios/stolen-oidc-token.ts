import { inventory } from './baseline.ts';
import { decided, minted, revoked } from './broker-events.ts';
import { application, deployment, elsewhere, given, members } from './broker-stage.ts';
import { createStage } from './github-bodies.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

const doors = ['deploy-storefront', 'deploy-payments', 'release-packages', 'backup', 'rotate-dns'];

/** The job asks, and once more, since the first answer was lost: it is given another token, and the former is revoked. */
function asked(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const { job, steps } = deployment(stage, 200, 2200);
  const [lost, credential] = [given(job, 'whose answer was lost'), given(job, 'of the deployment')];
  const policy = credential.policy;
  return [
    ...steps,
    decided(
      stage,
      { name: 'grant', says: 'its job asked the broker for access, and may have it', atMs: 600 },
      { job, policy },
    ),
    minted(stage, { name: 'mint', says: 'it was given a token', atMs: 650 }, lost),
    decided(
      stage,
      { name: 'grant-again', says: 'the answer was lost, and it asked again', atMs: 900 },
      { job, policy },
    ),
    minted(stage, { name: 'mint-again', says: 'it was given another', atMs: 950 }, credential),
    revoked(stage, { name: 'former', says: 'the former was revoked', atMs: 1000 }, lost, 'asked-again'),
    revoked(stage, { name: 'revocation', says: 'the job ended, and GitHub revoked the token', atMs: 2600 }, credential),
  ];
}

export const stolenOidcToken: Scenario = {
  id: 'stolen-oidc-token',
  title: 'A job’s id token is shown from elsewhere',
  narrative:
    'A poisoned dependency reads the address and the token by which a job asks GitHub for id tokens, and sends them out. From another machine somebody shows the broker tokens of that job, for whatever policies they guess. ' +
    'None is given, since the policies say where their jobs run; that one job was in two places, and that it tries doors, is found.',
  provenance: 'reconstructed',
  sources: [
    {
      title: 'GitHub: OpenID Connect, how a job asks for its token',
      url: 'https://docs.github.com/en/actions/concepts/security/openid-connect',
    },
    { title: 'MITRE ATT&CK T1528: steal application access token', url: 'https://attack.mitre.org/techniques/T1528/' },
  ],
  baseline: (cast) => inventory(createStage(cast), { repositories: [application], members }),
  attack: (cast) => {
    const stage = createStage(cast);
    const job = { ...deployment(stage, 200, 2200).job, address: elsewhere.address };
    return [
      ...asked(cast),
      ...doors.map((policy, nth) =>
        decided(
          stage,
          {
            name: `door-${nth + 1}`,
            says: `in the job’s name, from elsewhere, somebody asked by policy ${policy}, and was denied`,
            atMs: 1200 + 150 * nth,
          },
          { job, policy, against: nth === 0 ? ['network'] : ['network', 'repository'] },
        ),
      ),
    ];
  },
  benign: asked,
  expects: [
    { rule: 'access-asked-from-elsewhere', decidingStep: 'door-1', responses: ['stop-run', 'revoke-grant'] },
    { rule: 'access-denied-burst', decidingStep: 'door-5', responses: [] },
  ],
};
