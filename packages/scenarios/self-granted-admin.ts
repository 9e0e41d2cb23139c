import { inventory } from './baseline.ts';
import { accessEnded, accessGiven } from './broker-events.ts';
import { collaborator, createStage } from './github-bodies.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

const peopleApp = 'drill-people[bot]';
const [service, vault] = ['payments', 'signing-keys'] as const;
const [engineer, operator] = ['remy-engineer', 'sam-operator'] as const;

/** The engineer asks for a right, somebody else approves it, and it is taken back when its time is over. */
function asked(cast: Cast): ScenarioStep[] {
  const stage = createStage(cast);
  const access = { repository: service, person: engineer, permission: 'write', untilMs: 2200 };
  const of = { repository: service, by: peopleApp, member: engineer, permission: 'write' };
  return [
    accessGiven(
      stage,
      { name: 'access', says: `${engineer} asked for write on ${service}, and ${operator} approved it`, atMs: 300 },
      access,
    ),
    collaborator(stage, { name: 'given', says: 'the broker’s App gave it', atMs: 500 }, 'added', of),
    collaborator(
      stage,
      { name: 'taken', says: 'its time was over, and the App took it back', atMs: 2100 },
      'removed',
      of,
    ),
    accessEnded(stage, { name: 'ended', says: 'the broker recorded its end', atMs: 2200 }, access),
  ];
}

export const selfGrantedAdmin: Scenario = {
  id: 'self-granted-admin',
  title: 'Somebody makes themselves admin by the broker’s App, unasked',
  narrative:
    'People get rights for minutes: they ask the access broker, a second person approves, its App gives the right and takes it back. An engineer who can read the App’s private key makes themselves admin of the repository that holds the signing keys, by the App’s hand, with nobody’s approval. ' +
    'An hour of the App in which rights are given would hide it; that the broker records each by account, thing and right does not.',
  provenance: 'reconstructed',
  sources: [{ title: 'MITRE ATT&CK T1098.003', url: 'https://attack.mitre.org/techniques/T1098/003/' }],
  baseline: (cast) =>
    inventory(createStage(cast), {
      repositories: [service, vault],
      members: [
        { login: engineer, role: 'member' },
        { login: operator, role: 'admin' },
      ],
      settings: {
        'privilege-grant-outside-job': { accessApps: [peopleApp] },
        // Shortened from a minute, so that a playing takes seconds.
        'grant-outlived-job': { graceMs: 1000 },
      },
    }),
  attack: (cast) => {
    const stage = createStage(cast);
    return [
      ...asked(cast),
      collaborator(
        stage,
        {
          name: 'self-granted',
          says: `the App made ${engineer} admin of ${vault}, which nobody had asked for`,
          atMs: 1200,
        },
        'added',
        { repository: vault, by: peopleApp, member: engineer, permission: 'admin' },
      ),
    ];
  },
  benign: asked,
  expects: [{ rule: 'privilege-grant-outside-job', decidingStep: 'self-granted', responses: ['revoke-grant'] }],
};
