import type { Client, Token } from './audit-records.ts';
import { headOf } from './baseline.ts';
import type { AskingJob, Given } from './broker-events.ts';
import { wholeRun } from './github-acts.ts';
import type { Stage } from './github-bodies.ts';
import type { ScenarioStep } from './scenario.ts';

/** An organisation whose deployments get their credentials of the access broker: the stage of three scenarios. */
export const application = 'storefront';
export const accessApp = 'drill-access[bot]';
export const releaser = 'noor-releaser';
export const runner: Client = { address: '192.0.2.40', country: 'US', agent: 'git/2.51.0' };
export const elsewhere: Client = { address: '203.0.113.88', country: 'NL', agent: 'python-requests/2.32' };

export const members = [{ login: releaser, role: 'admin' as const }];

/** The deployment of what was reviewed last, run from `atMs` to `atMs + takesMs`. */
export function deployment(stage: Stage, atMs: number, takesMs: number): { job: AskingJob; steps: ScenarioStep[] } {
  const run = {
    ...{ repository: application, name: 'Release', path: '.github/workflows/release.yml' },
    ...{ trigger: 'workflow_dispatch', by: releaser, revision: headOf(stage, application), branch: 'main' },
  };
  const told = { name: 'run', says: `${releaser} set off a deployment`, atMs };
  return {
    job: { ...run, job: 'deploy', address: runner.address },
    steps: wholeRun(stage, told, { ...run, job: 'deploy' }, takesMs),
  };
}

/** A token of the broker's App, by a name of the scenario's. */
export const tokenOf = (name: string): Token => ({ name, type: 'GitHub App server-to-server token' });

export const given = (job: AskingJob, name: string): Given => ({
  job,
  policy: 'deploy-storefront',
  token: tokenOf(name),
});
