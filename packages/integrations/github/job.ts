import { isHosted } from '@tripline/sources/github/workflow';
import { z } from 'zod';
import { type GitHubClient, ownerAndRepo } from './client.ts';
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
    const told = await askJob(client, { repository, run, checkRunId });
    return typeof told === 'string' ? undefined : told;
  });
}

/** `missing`: GitHub answers 404, for which it needs no such job and no such right. */
async function askJob(
  client: GitHubClient,
  { repository, run, checkRunId }: JobQuestion,
): Promise<GitHubJobState | 'missing' | 'unknown'> {
  const { status, data } = await client.send({
    route: 'GET /repos/{owner}/{repo}/actions/jobs/{job_id}',
    parameters: { ...ownerAndRepo(repository.name), job_id: checkRunId },
  });
  if (status === 404) return 'missing';
  const read = status === 200 ? answered.safeParse(data) : undefined;
  if (!read?.success) return 'unknown';
  const job = read.data;
  const isAsked = job.run_id === run.id && job.run_attempt === run.attempt;
  if (!isAsked || !job.check_run_url.endsWith(`/${checkRunId}`)) return 'unknown';
  const hosted = isHosted(job);
  return {
    state: job.status === 'completed' ? 'ended' : job.status === 'in_progress' ? 'running' : 'waiting',
    runner: hosted === undefined ? undefined : { group: job.runner_group_name ?? undefined, isHosted: hosted },
  };
}

/** Which job. Ids of runs are given once, so that of a repository which took another's name none is it. */
export type JobQuestion = {
  repository: { name: string };
  run: { id: string; attempt: number };
  checkRunId: string;
};

const answeredRun = z.object({ id: number, run_attempt: z.number(), status: z.string() });

async function askRun(
  client: GitHubClient,
  { repository, run }: Omit<JobQuestion, 'checkRunId'>,
): Promise<'ended' | 'running' | 'missing' | 'unknown'> {
  const { status, data } = await client.send({
    route: 'GET /repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}',
    parameters: { ...ownerAndRepo(repository.name), run_id: run.id, attempt_number: run.attempt },
  });
  if (status === 404) return 'missing';
  const read = status === 200 ? answeredRun.safeParse(data) : undefined;
  if (!read?.success || read.data.id !== run.id || read.data.run_attempt !== run.attempt) return 'unknown';
  return read.data.status === 'completed' ? 'ended' : 'running';
}

/** A run where no `checkRunId` is given, else a job; of the repository by its id, since another may have its name by now. */
export type EndQuestion = {
  repository: { id: string; name: string };
  run: { id: string; attempt: number };
  checkRunId: string | null;
};

/**
 * Asks GitHub which of these jobs and runs of one repository have ended, by one token. A run that it answers 404 to has ended too, where
 * the same token reads other runs of that repository: GitHub deletes none that goes on, and what is not there is told from a missing
 * right so. @returns in the order of the questions; undefined: unknown. @throws {CannotReadError}
 */
export function whichEnded(
  access: GitHubAccess,
  questions: readonly [EndQuestion, ...EndQuestion[]],
  options: { nowMs: () => number; onLeftAlive: (reason: string) => void },
): Promise<(boolean | undefined)[]> {
  const { repository } = questions[0];
  const scope = {
    ...{ owner: repository.name.split('/')[0]!, repository: repository.name },
    permissions: { actions: 'read' } as const,
  };
  return withReader(access, scope, options, async (client) => {
    const answers: ('ended' | 'running' | 'missing' | 'unknown')[] = [];
    for (const { checkRunId, ...question } of questions) {
      if (checkRunId === null) {
        answers.push(await askRun(client, question));
        continue;
      }
      const told = await askJob(client, { ...question, checkRunId });
      if (told === 'missing') {
        // Its own id need not be its check run's: while its run goes on, it may be there.
        const run = await askRun(client, question);
        answers.push(run === 'running' ? 'unknown' : run);
      } else answers.push(told === 'unknown' ? told : told.state === 'ended' ? 'ended' : 'running');
    }
    const isGone = answers.includes('missing') && (await readsRunsOf(client, repository));
    return answers.map((one) =>
      one === 'missing' ? isGone || undefined : one === 'unknown' ? undefined : one === 'ended',
    );
  });
}

const answeredRepository = z.object({ id: number });
const answeredRuns = z.object({ workflow_runs: z.array(z.object({ repository: answeredRepository })) });

/** Whether what this token is told of the name is of the repository of that id, and its runs among it. */
async function readsRunsOf(client: GitHubClient, { id, name }: EndQuestion['repository']): Promise<boolean> {
  const where = ownerAndRepo(name);
  const listed = await client.send({
    route: 'GET /repos/{owner}/{repo}/actions/runs',
    parameters: { ...where, per_page: 1 },
  });
  const runs = listed.status === 200 ? answeredRuns.safeParse(listed.data) : undefined;
  if (!runs?.success) return false;
  const told = await client.send({ route: 'GET /repos/{owner}/{repo}', parameters: where });
  const read = told.status === 200 ? answeredRepository.safeParse(told.data) : undefined;
  return (
    read?.success === true && read.data.id === id && runs.data.workflow_runs.every((one) => one.repository.id === id)
  );
}
