import { broker, brokerBaseline, brokerRun, engineer, service } from './access-broker.ts';
import { collaborator, createStage } from './github-bodies.ts';
import type { Scenario } from './scenario.ts';

export const grantOutlivedJob: Scenario = {
  id: 'grant-outlived-job',
  title: 'A right outlives the job that gave it',
  narrative:
    'The access broker’s job gives an engineer admin rights on a repository and ends without taking them back, as a cancelled job does. What was to last for minutes stands open.',
  provenance: 'reconstructed',
  sources: [{ title: 'MITRE ATT&CK T1098.003', url: 'https://attack.mitre.org/techniques/T1098/003/' }],
  baseline: brokerBaseline,
  attack: (cast) => {
    const stage = createStage(cast);
    return brokerRun(stage, 300, 1500, [
      collaborator(stage, { name: 'grant', says: `the job made ${engineer} admin of ${service}`, atMs: 700 }, 'added', {
        repository: service,
        by: broker,
        member: engineer,
        permission: 'admin',
      }),
    ]);
  },
  benign: (cast) => {
    const stage = createStage(cast);
    const of = { repository: service, by: broker, member: engineer, permission: 'admin' };
    return brokerRun(stage, 300, 1500, [
      collaborator(
        stage,
        { name: 'grant', says: `the job made ${engineer} admin of ${service}`, atMs: 700 },
        'added',
        of,
      ),
      collaborator(stage, { name: 'removal', says: 'the job took it back before it ended', atMs: 1200 }, 'removed', of),
    ]);
  },
  expects: [{ rule: 'grant-outlived-job', decidingStep: 'grant', afterMs: 1800, responses: ['revoke-grant'] }],
};
