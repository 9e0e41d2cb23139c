import { z } from 'zod';
import { identifier, loginText, text, texts } from '../untrusted.ts';
import { app, bodyOf, flag, instant, maybe, number, revisionOf, someone, splitRef, string } from './body.ts';
import { type Draft, defineEvent } from './family.ts';

const run = z.object({ id: number, html_url: maybe, head_branch: maybe, head_sha: maybe }).nullish();
const deploymentBody = z.object({
  id: number,
  environment: maybe,
  production_environment: flag,
  sha: maybe,
  ref: maybe,
  creator: someone,
  created_at: instant,
  updated_at: instant,
  performed_via_github_app: app,
});

function attributesOf(deployment: z.infer<typeof deploymentBody>, workflowRun: z.infer<typeof run>): Draft {
  return {
    'deployment.id': identifier(deployment.id),
    'deployment.environment.name': text(deployment.environment),
    'tripline.deployment.production': deployment.production_environment ?? undefined,
    'vcs.ref.head.name': text(deployment.ref),
    'vcs.ref.head.revision': revisionOf(deployment.sha),
    'cicd.pipeline.run.id': identifier(workflowRun?.id),
    'cicd.pipeline.run.url.full': text(workflowRun?.html_url),
    'tripline.user.app': text(deployment.performed_via_github_app?.slug),
  };
}

export const deployment = defineEvent({
  marks: ['action', 'deployment'],
  carries: ['workflow', 'workflow_run'],
  schema: bodyOf({ action: string, deployment: deploymentBody, workflow_run: run }),
  normalise({ action, deployment, workflow_run }) {
    if (action !== 'created') return undefined;
    return {
      type: 'dev.cdeventsx.tripline-deployment.requested',
      time: deployment.created_at,
      data: attributesOf(deployment, workflow_run),
    };
  },
});

const states = ['pending', 'queued', 'in_progress', 'success', 'failure', 'error', 'inactive', 'waiting'] as const;

export const deploymentStatus = defineEvent({
  marks: ['action', 'deployment', 'deployment_status'],
  carries: ['check_run', 'workflow', 'workflow_run'],
  schema: bodyOf({
    action: string,
    deployment: deploymentBody,
    deployment_status: z.object({ state: maybe, created_at: instant }),
    workflow_run: run,
  }),
  normalise({ action, deployment, deployment_status: status, workflow_run }) {
    if (action !== 'created') return undefined;
    return {
      type: status.state === 'success' ? 'dev.cdevents.service.deployed' : 'dev.cdeventsx.tripline-deployment.changed',
      time: status.created_at,
      data: {
        ...attributesOf(deployment, workflow_run),
        'deployment.status': states.find((state) => state === status.state),
      },
    };
  },
});

const environments = z.object({ environment: maybe }).nullish();
const decisions = new Map([
  ['requested', 'requested'],
  ['approved', 'approved'],
  ['rejected', 'rejected'],
] as const);

export const deploymentReview = defineEvent({
  marks: ['action', 'workflow_run', 'since'],
  carries: ['workflow_job_run', 'workflow_job_runs', 'environment', 'reviewers', 'requestor', 'approver', 'comment'],
  schema: bodyOf({
    action: string,
    workflow_run: run,
    since: instant,
    environment: maybe,
    workflow_job_run: environments,
    workflow_job_runs: z.array(environments).nullish(),
    approver: someone,
    reviewers: z.array(z.object({ reviewer: z.object({ login: maybe, slug: maybe }).nullish() })).nullish(),
    comment: maybe,
  }),
  normalise(body) {
    const decision = decisions.get(body.action as 'requested');
    if (!decision) return undefined;
    const jobs = body.workflow_job_runs?.map((job) => job?.environment) ?? [];
    const asked = body.reviewers?.map(({ reviewer }) => reviewer?.login ?? reviewer?.slug);
    return {
      type: 'dev.cdeventsx.tripline-deployment.reviewed',
      time: body.since,
      data: {
        'deployment.environment.name': text(
          body.environment ?? body.workflow_job_run?.environment ?? body.workflow_job_runs?.[0]?.environment,
        ),
        'tripline.deployment.environments': new Set(jobs).size > 1 ? texts([...new Set(jobs)]) : undefined,
        'tripline.deployment.decision': decision,
        'tripline.deployment.reviewers': texts(body.approver ? [loginText(body.approver.login)] : asked),
        'cicd.pipeline.run.id': identifier(body.workflow_run?.id),
        'cicd.pipeline.run.url.full': text(body.workflow_run?.html_url),
        'vcs.ref.head.name': text(body.workflow_run?.head_branch),
        'vcs.ref.head.revision': revisionOf(body.workflow_run?.head_sha),
      },
    };
  },
});

/**
 * A gate asks a GitHub App whether a run's deployment may go on (a custom deployment protection rule). GitHub tells it to that
 * App alone, names the run in the address for the answer only, and its attempt nowhere.
 */
export const deploymentProtectionRule = defineEvent({
  marks: ['action', 'deployment_callback_url'],
  carries: ['environment', 'deployment', 'event', 'sha', 'ref', 'pull_requests'],
  schema: bodyOf({
    ...{ action: string, environment: maybe, event: maybe, sha: maybe, ref: maybe, deployment_callback_url: maybe },
    deployment: deploymentBody.nullish(),
    installation: z.object({ id: number.nullish(), account: someone }).nullish(),
  }),
  normalise({ action, environment, event, sha, ref: given, deployment, installation, ...body }) {
    if (action !== 'requested') return undefined;
    const ref = given ?? deployment?.ref;
    return {
      type: 'dev.cdeventsx.tripline-deployment.reviewed',
      time: deployment?.created_at,
      data: {
        ...(deployment ? attributesOf(deployment, undefined) : {}),
        'cicd.pipeline.run.id': runOfCallback(body.deployment_callback_url),
        'tripline.pipeline.trigger': text(event),
        'vcs.ref.head.name': text(splitRef(ref)?.name ?? ref),
        'vcs.ref.head.revision': revisionOf(sha ?? deployment?.sha),
        'deployment.environment.name': text(environment ?? deployment?.environment),
        'tripline.deployment.decision': 'requested',
        'tripline.deployment.gate': identifier(installation?.id),
      },
    };
  },
});

/** The run that an answer's address names: nothing else of the address is read, and nobody calls it. */
function runOfCallback(url: string | null | undefined): string | undefined {
  return /\/actions\/runs\/([1-9]\d{0,19})\/deployment_protection_rule$/.exec(url ?? '')?.[1];
}
