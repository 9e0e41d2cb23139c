import { isHosted } from '@tripline/sources/github/workflow';
import { z } from 'zod';
import { ownerAndRepo } from './client.ts';
import { type GitHubAccess, withReader } from './reader.ts';

/** A job as GitHub's API tells it. */
export type GitHubJobState = {
  state: 'waiting' | 'running' | 'ended';
  /** The machine; undefined while none is assigned. */
  runner: { group: string | undefined; isHosted: boolean } | undefined;
};

const number = z.union([z.number(), z.bigint(), z.string()]).transform(String);
const answered = z.object({
  run_id: number,
  run_attempt: z.number(),
  status: z.string(),
  check_run_url: z.string(),
  runner_id: number.nullish(),
  runner_name: z.string().nullish(),
  runner_group_id: number.nullish(),
  runner_group_name: z.string().nullish(),
  labels: z.array(z.string()).nullish(),
});

/**
 * Asks GitHub whether exactly this job runs, and where; undefined where it tells of no such job of the run and attempt. A job is
 * asked for by the id of its check run, which its own id is.
 * @throws {CannotReadError}
 */
export async function readJob(
  access: GitHubAccess,
  { repository, run, checkRunId }: JobQuestion,
  options: { nowMs: () => number; onLeftAlive: (reason: string) => void },
): Promise<GitHubJobState | undefined> {
  const scope = {
    ...{ owner: repository.name.split('/')[0]!, repository: repository.name },
    permissions: { actions: 'read' } as const,
  };
  return withReader(access, scope, options, async (client) => {
    const { status, data } = await client.send({
      route: 'GET /repos/{owner}/{repo}/actions/jobs/{job_id}',
      parameters: { ...ownerAndRepo(repository.name), job_id: checkRunId },
    });
    const read = status === 200 ? answered.safeParse(data) : undefined;
    if (!read?.success) return undefined;
    const job = read.data;
    const isAsked = job.run_id === run.id && job.run_attempt === run.attempt;
    if (!isAsked || !job.check_run_url.endsWith(`/${checkRunId}`)) return undefined;
    const hosted = isHosted(job);
    return {
      state: job.status === 'completed' ? 'ended' : job.status === 'in_progress' ? 'running' : 'waiting',
      runner: hosted === undefined ? undefined : { group: job.runner_group_name ?? undefined, isHosted: hosted },
    };
  });
}

/** Which job. Ids of runs are given once, so that of a repository which took another's name none is it. */
export type JobQuestion = {
  repository: { name: string };
  run: { id: string; attempt: number };
  checkRunId: string;
};

const answeredRun = z.object({ id: number, run_attempt: z.number(), status: z.string() });

/**
 * Asks GitHub whether exactly this attempt of a run has ended; undefined where it tells of no such attempt.
 * @throws {CannotReadError}
 */
export async function hasRunEnded(
  access: GitHubAccess,
  { repository, run }: Omit<JobQuestion, 'checkRunId'>,
  options: { nowMs: () => number; onLeftAlive: (reason: string) => void },
): Promise<boolean | undefined> {
  const scope = {
    ...{ owner: repository.name.split('/')[0]!, repository: repository.name },
    permissions: { actions: 'read' } as const,
  };
  return withReader(access, scope, options, async (client) => {
    const { status, data } = await client.send({
      route: 'GET /repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}',
      parameters: { ...ownerAndRepo(repository.name), run_id: run.id, attempt_number: run.attempt },
    });
    const read = status === 200 ? answeredRun.safeParse(data) : undefined;
    if (!read?.success || read.data.id !== run.id || read.data.run_attempt !== run.attempt) return undefined;
    return read.data.status === 'completed';
  });
}
