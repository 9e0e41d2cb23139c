import type { Intent } from '@tripline/contracts/response';
import { isOwnMachine, runnerGroups } from '@tripline/facts/runner-groups';
import { keyBeside, runnerId } from '@tripline/facts/runner-keys';
import { type Job, nameInFindings, type Run, runs } from '@tripline/facts/runs';
import { entityOf, personOf } from '@tripline/facts/things';
import { conclusion } from './builders/conclusion.ts';
import { targetOf } from './builders/seen.ts';

/** Triggers for which the provider runs what the base says, and not the fork. */
const ofTheBase = new Set(['pull_request_target', 'workflow_run', 'issue_comment', 'issues', 'discussion_comment']);

export const rule = conclusion({
  id: 'self-hosted-runner-fork',
  title: 'Code of a fork ran on a self-hosted runner',
  description:
    'A job of a run whose head lies in a fork was taken by a machine of your own. Whoever opened the change decided what ran there, and what ran there may still run there when the next job comes. ' +
    'Where the trigger has the workflow of the base run (`pull_request_target`, `workflow_run`), the fork decides only where that workflow checks it out: medium. ' +
    'A run of which only jobs are received is passed over, since they do not say where its head lies.',
  severity: 'critical',
  principles: [4],
  attack: ['T1677'],
  owasp: ['CICD-SEC-4', 'CICD-SEC-7'],
  falseAlarms: [
    'Contributors that you trust with the machine: an exception for their login.',
    'Larger machines of the provider’s in a group of yours, until an inventory tells of the group.',
    'Machines that are made for one job and thrown away, in a network of their own: an exception for the runner.',
    'Forks within the organisation, where everybody works so: an exception for the repository.',
  ],
  limits: [
    'A machine that somebody registers in a group which held larger machines of the provider’s alone: it passes for one of those until an inventory tells of it, and what it ran until then is not judged anew. `credential-new-runner` finds it where the audit stream tells of its registration.',
  ],
  about: runs,
  uses: [runnerGroups],
  where: ({ attempts }) =>
    attempts.some(({ fork, jobs }) => fork === true && jobs.some(({ worker }) => worker?.hosted === false)),
  conclude: (run, { key, read, watch }) =>
    run.attempts.flatMap((attempt) => {
      const ownJobs = (look: typeof read) => attempt.jobs.filter(({ worker }) => isOwnMachine(worker, key, look));
      // Thousands of runs look at their group; only those watch it of which something stands.
      if (attempt.fork !== true || ownJobs(read).length === 0) return [];
      const jobs = ownJobs(watch);
      const repository = nameInFindings(run);
      const runId = `${repository}#${run.id}`;
      const who = attempt.actor?.login ?? 'somebody unnamed';
      const runner = jobs[0]!.worker!.name;
      const others = new Set(jobs.map(({ worker }) => worker!.name)).size - 1;
      const where = others === 0 ? runner : `${runner} and ${others} more`;
      const by = attempt.actor === undefined ? [] : [personOf(attempt.actor, key)];
      const place = entityOf('repository', repository, key.slice(0, key.lastIndexOf('#')));
      const about = { fact: runs, key, entities: [...by, place] };
      return {
        subject: runId,
        occasion: String(attempt.attempt),
        severity: ofTheBase.has(attempt.trigger ?? '') ? ('medium' as const) : ('critical' as const),
        because: [
          {
            ...about,
            seen: attempt,
            what: `${who} set off run ${run.id} of ${repository} with code of a fork (${attempt.trigger})`,
          },
          ...jobs.map((job) => ({
            ...about,
            seen: job,
            what: `Job ${job.name} ran on ${job.worker!.name}, a machine of your own`,
          })),
        ],
        title: `Code of a fork ran on ${where}, set off by ${who}`,
        summary:
          `${who} had ${repository} run code of a fork on ${where}, which you host yourselves. ` +
          'What it left behind is in reach of the next job there, and the machine’s network in reach of it.',
        entities: [
          entityOf('run', runId, key),
          ...jobs.map(({ worker }) => entityOf('runner', keyBeside(key, runnerId(worker!.id ?? '', worker!.name)))),
        ],
        response: responseTo(key, run, jobs),
        remedy: [
          `Take ${where} out of service and build it anew; rotate what later jobs on it were given.`,
          'Have changes of forks approved before they run, or send them to the provider’s machines.',
        ],
      };
    }),
});

/** Stops the run and gives its machines no further job. */
function responseTo(key: string, { id, repository }: Run, jobs: readonly Job[]): Intent[] {
  const { provider, instance, ...of } = targetOf(repository, key);
  const place = { provider, instance };
  const runners = new Map(jobs.flatMap(({ worker }) => (worker?.id === undefined ? [] : [[worker.id, worker.name]])));
  const organization = repository.name.slice(0, repository.name.indexOf('/'));
  return [
    { action: 'stop-run', ...place, ...of, runId: id },
    ...[...runners].slice(0, 5).map(([runnerId, runnerName]): Intent => {
      return { action: 'isolate-runner', ...place, organization, runnerId, runnerName };
    }),
  ];
}
