import { createStage, type JobOf, job, run } from './github-bodies.ts';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

const service = 'payments';
const path = '.github/workflows/deploy.yml';

/** A deployment of the reviewed head, on a machine that is known or not. */
function deployment(cast: Cast, known: boolean): ScenarioStep[] {
  const stage = createStage(cast);
  const runner = known
    ? { id: stage.id('runner build-01'), name: 'build-01' }
    : { id: stage.id('runner SHA1HULUD'), name: 'build-l7k2' };
  const of: JobOf = {
    repository: service,
    name: 'Deploy',
    path,
    trigger: 'workflow_dispatch',
    by: 'ada-operator',
    revision: stage.sha(`head of ${service}`),
    branch: 'main',
    job: 'deploy',
    startedAtMs: 1000,
    runner,
    environment: 'production',
  };
  return [
    run(stage, { name: 'run', says: 'a deployment was asked for', atMs: 300 }, 'requested', of),
    job(stage, { name: 'job-queued', says: 'its job waited for a runner', atMs: 600 }, 'queued', of),
    job(
      stage,
      {
        name: 'job-started',
        says: known
          ? 'a runner of the house took it'
          : 'a machine that nobody knows took it, and production’s secrets with it',
        atMs: 1000,
      },
      'in_progress',
      of,
    ),
    job(stage, { name: 'job-done', says: 'the job ended', atMs: 1800 }, 'completed', of),
    run(stage, { name: 'run-done', says: 'the run ended', atMs: 1900 }, 'completed', of),
  ];
}

export const credentialNewRunner: Scenario = {
  id: 'credential-new-runner',
  title: 'A job with production secrets lands on a runner that nobody knows',
  narrative:
    'Somebody registered a machine of theirs as a self-hosted runner, with the labels of the real ones. The next deployment lands on it, and production’s secrets with it. ' +
    'Rogue runners were how the second Shai-Hulud worm stayed in its victims’ organisations.',
  provenance: 'reconstructed',
  sources: [
    {
      title: 'Splunk Threat Research on Shai-Hulud 2.0 and its runners',
      url: 'https://research.splunk.com/stories/npm_supply_chain_compromise',
    },
    { title: 'MITRE ATT&CK T1528', url: 'https://attack.mitre.org/techniques/T1528/' },
  ],
  baseline: (cast) => {
    const stage = createStage(cast);
    return {
      'tripline.inventory.part': 1,
      'tripline.inventory.parts': 1,
      'tripline.inventory.runners': [
        { id: String(stage.id('runner build-01')), name: 'build-01', labels: ['self-hosted', 'linux', 'x64'] },
      ],
      'tripline.inventory.heads': [
        { repository: stage.fullName(service), branch: 'main', revision: stage.sha(`head of ${service}`) },
      ],
    };
  },
  attack: (cast) => deployment(cast, false),
  benign: (cast) => deployment(cast, true),
  expects: [{ rule: 'credential-new-runner', decidingStep: 'job-started', responses: ['stop-run', 'isolate-runner'] }],
};
