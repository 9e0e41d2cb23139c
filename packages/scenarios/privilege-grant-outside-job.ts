import { broker, brokerBaseline, brokerRun, engineer, operator, service } from './access-broker.ts';
import { collaborator, createStage } from './github-bodies.ts';
import type { Scenario } from './scenario.ts';

export const privilegeGrantOutsideJob: Scenario = {
  id: 'privilege-grant-outside-job',
  title: 'A right is given by hand, past the access broker',
  narrative:
    'Rights are given by a broker’s job, and taken back when it ends. Somebody with an administrator’s session gives an outsider admin rights on a repository while no such job is running. ' +
    'Modelled on the guest account of the Salesloft and Drift breach.',
  provenance: 'reconstructed',
  sources: [
    {
      title: 'Salesloft: Drift and Salesloft incident, Mandiant’s findings',
      url: 'https://trust.salesloft.com/?uid=Update+on+Mandiant+Drift+and+Salesloft+Application+Investigations',
    },
    { title: 'MITRE ATT&CK T1098.003', url: 'https://attack.mitre.org/techniques/T1098/003/' },
  ],
  baseline: brokerBaseline,
  attack: (cast) => {
    const stage = createStage(cast);
    return [
      ...brokerRun(stage, 300, 700, []),
      collaborator(
        stage,
        { name: 'grant', says: `${operator}'s session made an outsider admin of ${service}`, atMs: 2500 },
        'added',
        { repository: service, by: operator, member: 'quiet-heron-209', permission: 'admin' },
      ),
    ];
  },
  benign: (cast) => {
    const stage = createStage(cast);
    const of = { repository: service, by: broker, member: engineer, permission: 'admin' };
    return brokerRun(stage, 300, 2000, [
      collaborator(
        stage,
        { name: 'grant', says: `the job made ${engineer} admin of ${service}`, atMs: 700 },
        'added',
        of,
      ),
      collaborator(stage, { name: 'removal', says: 'the job took it back', atMs: 1600 }, 'removed', of),
    ]);
  },
  expects: [{ rule: 'privilege-grant-outside-job', decidingStep: 'grant', afterMs: 0, responses: ['revoke-grant'] }],
};
