import type { EventType } from '@tripline/contracts/event';
import { z } from 'zod';
import { identifier, loginText, text, texts, utc } from '../untrusted.ts';
import {
  bodyOf,
  flag,
  headRepository,
  instant,
  maybe,
  number,
  repositoryName,
  revisionOf,
  someone,
  string,
} from './body.ts';
import { defineEvent } from './family.ts';

type Result = 'success' | 'failure' | 'error' | 'timeout' | 'cancellation' | 'skip';

/** GitHub's conclusions in OpenTelemetry's words. `action_required` has none: the run waits for an approval. */
const results: Record<string, Result> = {
  success: 'success',
  neutral: 'success',
  failure: 'failure',
  startup_failure: 'error',
  stale: 'error',
  timed_out: 'timeout',
  cancelled: 'cancellation',
  skipped: 'skip',
};
export function resultOf(conclusion: string | null | undefined): Result | undefined {
  return conclusion && Object.hasOwn(results, conclusion) ? results[conclusion] : undefined;
}

const attempt = z.int().positive().nullish();

/** A null head repository means a fork that was deleted since; undefined where the field is missing. */
function isOfFork(
  head: { full_name?: string | null | undefined } | null | undefined,
  own: { full_name: string } | null | undefined,
): boolean | undefined {
  if (head === null) return true;
  const name = repositoryName(head?.full_name);
  return name === undefined && head === undefined ? undefined : name !== repositoryName(own?.full_name);
}

const runTypes: Record<string, { type: EventType; state?: 'pending' | 'executing' }> = {
  requested: { type: 'dev.cdevents.pipelinerun.queued', state: 'pending' },
  in_progress: { type: 'dev.cdevents.pipelinerun.started', state: 'executing' },
  completed: { type: 'dev.cdevents.pipelinerun.finished' },
};

export const workflowRun = defineEvent({
  marks: ['action', 'workflow_run'],
  carries: ['workflow'],
  schema: bodyOf({
    action: string,
    workflow: z.object({ name: maybe, path: maybe }).nullish(),
    workflow_run: z.object({
      id: number,
      name: maybe,
      html_url: maybe,
      path: maybe,
      event: maybe,
      conclusion: maybe,
      head_sha: maybe,
      head_commit: z.object({ id: maybe }).nullish(),
      head_branch: maybe,
      head_repository: headRepository,
      run_attempt: attempt,
      created_at: instant,
      updated_at: instant,
      run_started_at: instant,
      actor: someone,
      triggering_actor: someone,
      referenced_workflows: z.array(z.object({ path: maybe })).nullish(),
      pull_requests: z.array(z.object({ number: number.nullish() })).nullish(),
    }),
  }),
  normalise({ action, workflow, workflow_run: run, repository }) {
    const told = Object.hasOwn(runTypes, action) ? runTypes[action] : undefined;
    if (!told) return undefined;
    const head = repositoryName(run.head_repository?.full_name);
    const by = run.triggering_actor ?? run.actor;
    return {
      type: told.type,
      time: action === 'completed' ? run.updated_at : (run.run_started_at ?? run.created_at),
      data: {
        'cicd.pipeline.name': text(workflow?.name ?? run.name),
        'cicd.pipeline.run.id': identifier(run.id),
        'cicd.pipeline.run.url.full': text(run.html_url),
        'cicd.pipeline.run.state': told.state,
        'cicd.pipeline.result': resultOf(run.conclusion),
        'tripline.pipeline.run.attempt': run.run_attempt ?? 1,
        'tripline.pipeline.path': text((run.path ?? workflow?.path)?.split('@', 1)[0]),
        'tripline.pipeline.trigger': text(run.event),
        'tripline.pipeline.triggered_by': loginText(by?.login),
        'tripline.pipeline.triggered_by_id': identifier(by?.id),
        'tripline.pipeline.referenced': texts(run.referenced_workflows?.map((used) => used.path)),
        'vcs.ref.head.name': text(run.head_branch),
        'vcs.ref.head.revision': revisionOf(headOf(run)),
        'tripline.head.repository': head,
        'tripline.head.repository_id': identifier(run.head_repository?.id),
        'tripline.head.fork': isOfFork(run.head_repository, repository),
        'tripline.change.ids': run.pull_requests?.slice(0, 100).flatMap((change) => identifier(change.number) ?? []),
      },
    };
  },
});

/**
 * The head for which it ran. For a run by `pull_request_target` GitHub says the base’s commit as `head_sha`, as its own
 * actions/checkout takes it, and the change’s as `head_commit` (the latter *assumed*).
 */
function headOf({
  event,
  head_sha,
  head_commit,
}: {
  event?: string | null | undefined;
  head_sha?: string | null | undefined;
  head_commit?: { id?: string | null | undefined } | null | undefined;
}): string | null | undefined {
  return event === 'pull_request_target' ? (head_commit?.id ?? head_sha) : head_sha;
}

const jobTypes: Record<string, EventType> = {
  queued: 'dev.cdeventsx.tripline-taskrun.queued',
  waiting: 'dev.cdeventsx.tripline-taskrun.queued',
  in_progress: 'dev.cdevents.taskrun.started',
  completed: 'dev.cdevents.taskrun.finished',
};

/**
 * Ids of the groups of GitHub-hosted runners: 0 means no group of the customer, and every organisation is created with
 * `Default` as 1 and `GitHub Actions` as 2. A customer's groups have higher ids, whatever their names.
 */
const hostedGroup = { none: '0', builtIn: '2', name: 'GitHub Actions' } as const;

/**
 * Whether a standard GitHub-hosted runner ran the job; undefined while none is assigned. Whoever registers a runner
 * chooses its name and labels, even `ubuntu-latest`, and whoever creates a group chooses its name, so GitHub's id of
 * the group decides, and the label `self-hosted` always means no. Names count only where GitHub sends no group at all.
 * A larger runner in a customer's group looks self-hosted here: packages/facts/runners.ts knows the groups.
 */
export function isHosted(job: {
  runner_id?: number | string | null | undefined;
  runner_name?: string | null | undefined;
  runner_group_id?: number | string | null | undefined;
  runner_group_name?: string | null | undefined;
  labels?: readonly string[] | null | undefined;
}): boolean | undefined {
  if (!job.runner_id && !job.runner_name) return undefined;
  if (job.labels?.some((label) => label.toLowerCase() === 'self-hosted')) return false;
  if (job.runner_group_id !== undefined && job.runner_group_id !== null) {
    const group = String(job.runner_group_id);
    return group === hostedGroup.none || (group === hostedGroup.builtIn && job.runner_group_name === hostedGroup.name);
  }
  if (job.runner_group_name) return false;
  return /^(GitHub Actions|Hosted Agent)( \d+)?$/.test(job.runner_name ?? '');
}

/**
 * Whether a job ran on a machine of GitHub's without an environment, as nearly all do: rules pass over these without reading
 * them, so the names of their steps would only make every event longer.
 */
const isPlain = (
  hosted: boolean | undefined,
  deployment: { environment?: string | null | undefined } | null | undefined,
) => hosted !== false && !deployment?.environment;

function systemOf(labels: readonly string[] | null | undefined): string | undefined {
  for (const label of labels ?? []) {
    const name = /^(ubuntu|linux|windows|macos)(?=$|-)/i.exec(label)?.[1]?.toLowerCase();
    if (name) return name === 'ubuntu' ? 'linux' : name;
  }
  return undefined;
}

export const workflowJob = defineEvent({
  marks: ['action', 'workflow_job'],
  carries: ['deployment'],
  schema: bodyOf({
    action: string,
    workflow_job: z.object({
      id: number,
      run_id: number,
      run_attempt: attempt,
      head_sha: maybe,
      head_branch: maybe,
      html_url: maybe,
      check_run_url: maybe,
      name: maybe,
      workflow_name: maybe,
      conclusion: maybe,
      created_at: instant,
      started_at: instant,
      completed_at: instant,
      labels: z.array(string).nullish(),
      runner_id: number.nullish(),
      runner_name: maybe,
      runner_group_id: number.nullish(),
      runner_group_name: maybe,
      steps: z.array(z.object({ name: maybe })).nullish(),
    }),
    deployment: z.object({ id: number.nullish(), environment: maybe, production_environment: flag }).nullish(),
  }),
  normalise({ action, workflow_job: job, deployment }) {
    const type = Object.hasOwn(jobTypes, action) ? jobTypes[action] : undefined;
    if (!type) return undefined;
    const started = action === 'in_progress' || action === 'completed';
    const hosted = isHosted(job);
    return {
      type,
      time: action === 'completed' ? job.completed_at : action === 'in_progress' ? job.started_at : job.created_at,
      data: {
        'cicd.pipeline.name': text(job.workflow_name),
        'cicd.pipeline.run.id': identifier(job.run_id),
        'tripline.pipeline.run.attempt': job.run_attempt ?? 1,
        'cicd.pipeline.task.name': text(job.name),
        'cicd.pipeline.task.run.id': identifier(job.id),
        'cicd.pipeline.task.run.url.full': text(job.html_url),
        'cicd.pipeline.task.check_run.id': otherCheckRunOf(job),
        'cicd.pipeline.task.run.result': resultOf(job.conclusion),
        'tripline.task.created_at': utc(job.created_at),
        // While a job is queued, started_at is its time of creation.
        'tripline.task.started_at': started ? utc(job.started_at) : undefined,
        'tripline.task.completed_at': utc(job.completed_at),
        'vcs.ref.head.name': text(job.head_branch),
        'vcs.ref.head.revision': revisionOf(job.head_sha),
        // On cancelled jobs, 0 means that no runner was ever assigned.
        'cicd.worker.id': job.runner_id && job.runner_id !== '0' ? identifier(job.runner_id) : undefined,
        'cicd.worker.name': text(job.runner_name || undefined),
        'tripline.worker.group.id': identifier(job.runner_group_id),
        'tripline.worker.group.name': text(job.runner_group_name || undefined),
        'tripline.worker.labels': texts(job.labels),
        'tripline.worker.hosted': hosted,
        'tripline.worker.os': systemOf(job.labels),
        'tripline.task.steps': isPlain(hosted, deployment) ? undefined : texts(job.steps?.map(({ name }) => name)),
        'deployment.id': identifier(deployment?.id),
        'deployment.environment.name': text(deployment?.environment),
        'tripline.deployment.production': deployment?.production_environment ?? undefined,
      },
    };
  },
});

/** The check run's id, last in its address, where it is another than the job's. */
function otherCheckRunOf({
  id,
  check_run_url: url,
}: {
  id: number | string;
  check_run_url?: string | null | undefined;
}) {
  const last = url?.slice(url.lastIndexOf('/') + 1);
  return last === undefined || last === String(id) || !/^[1-9]\d{0,19}$/.test(last) ? undefined : last;
}
