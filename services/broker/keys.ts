import type { LoggedEvent } from '@tripline/contracts/event';
import { instanceOf, providerOf } from '@tripline/facts/things';
import type { GitHubJob } from '@tripline/identity/workload';

/** How a job and the attempt of its run are named in the broker's tables: by ids alone. */
export type JobKeys = {
  /** Null where the issuer does not say which job it is (Enterprise Server): then only the run's end is received. */
  job: string | null;
  run: string;
};

/**
 * The keys of a job that its token proves, in the workspace of its organisation: what another workspace's webhooks say of it ends
 * nothing. `instance`: host of the provider that the issuer signs for, such as `github.com`.
 */
export function keysOfJob(
  { provider, repository, run, checkRunId }: GitHubJob,
  { workspace, instance }: { workspace: string; instance: string },
): JobKeys {
  const of = `${workspace}/${provider}/${instance}/${repository.id}/${run.id}/${run.attempt}`;
  return { run: of, job: checkRunId === null ? null : `${of}/${checkRunId}` };
}

/** The keys of the job, or of the run alone, that an event tells of; undefined where it names none completely. */
export function keysOfEvent(event: LoggedEvent): JobKeys | undefined {
  const { data } = event;
  const repository = data['vcs.repository.id'];
  const run = data['cicd.pipeline.run.id'];
  const attempt = data['tripline.pipeline.run.attempt'];
  if (repository === undefined || run === undefined || attempt === undefined) return undefined;
  const of = `${event.workspace}/${providerOf(event)}/${instanceOf(event)}/${repository}/${run}/${attempt}`;
  const checkRun = data['cicd.pipeline.task.check_run.id'] ?? data['cicd.pipeline.task.run.id'];
  return { run: of, job: checkRun === undefined ? null : `${of}/${checkRun}` };
}
