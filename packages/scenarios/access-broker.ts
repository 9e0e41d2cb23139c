import { createStage, type JobOf, job, run, type Stage } from './github-bodies.ts';
import type { Cast, ScenarioStep } from './scenario.ts';

/** An organisation that gives rights by a job only, for as long as the job runs: the stage of two scenarios. */
export const broker = 'access-broker[bot]';
export const operator = 'ada-operator';
export const engineer = 'grace-engineer';
export const service = 'payments';
const access = 'access';
const path = '.github/workflows/grant.yml';

export function brokerBaseline(cast: Cast) {
  const stage = createStage(cast);
  const settings = {
    grantingWorkflows: [`${stage.fullName(access)}/${path}`],
    grantingActors: [broker],
    // Shortened from minutes, so that a playing takes seconds.
    skewMs: 100,
    graceMs: 1000,
    latenessMs: 1000,
  };
  return {
    'tripline.inventory.part': 1,
    'tripline.inventory.parts': 1,
    'tripline.inventory.heads': [access, service].map((name) => ({
      repository: stage.fullName(name),
      branch: 'main',
      revision: stage.sha(`head of ${name}`),
    })),
    'tripline.inventory.members': [
      { login: operator, role: 'admin' },
      { login: engineer, role: 'member' },
    ],
    'tripline.inventory.settings': {
      'privilege-grant-outside-job': settings,
      'grant-outlived-job': settings,
    },
  };
}

/** A run of the broker whose job runs from `startedAtMs` to `endedAtMs`, with `during` in between. */
export function brokerRun(
  stage: Stage,
  startedAtMs: number,
  endedAtMs: number,
  during: readonly ScenarioStep[],
): ScenarioStep[] {
  const of: JobOf = {
    repository: access,
    name: 'Grant access',
    path,
    trigger: 'workflow_dispatch',
    by: engineer,
    revision: stage.sha(`head of ${access}`),
    branch: 'main',
    job: 'grant',
    startedAtMs,
  };
  return [
    run(
      stage,
      { name: 'broker-run', says: `${engineer} asked the access broker for a right`, atMs: 200 },
      'requested',
      of,
    ),
    job(stage, { name: 'broker-job', says: "the broker's job started", atMs: startedAtMs }, 'in_progress', of),
    ...during,
    job(stage, { name: 'broker-job-done', says: "the broker's job ended", atMs: endedAtMs }, 'completed', of),
    run(stage, { name: 'broker-run-done', says: "the broker's run ended", atMs: endedAtMs + 100 }, 'completed', of),
  ];
}
