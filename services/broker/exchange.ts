import { type Decision, decide } from '@tripline/access/decide';
import type { Known } from '@tripline/access/known';
import type { Policy } from '@tripline/access/policy';
import { failed, type Reason, unknown } from '@tripline/access/reason';
import type { Entity } from '@tripline/contracts/finding';
import type { Db } from '@tripline/db/database';
import { instanceOfIssuer } from '@tripline/identity/github/instance';
import type { Verifier } from '@tripline/identity/verify';
import type { GitHubJob, Proof, Workload } from '@tripline/identity/workload';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { Workspaces } from '@tripline/sources/workspace';
import { type Answer, refuse } from './answer.ts';
import { appendEvents, brokerEvent, type EventParts, jobAttributes } from './append-events.ts';
import { type JobKeys, keysOfJob } from './keys.ts';
import type { CurrentPolicies, PoliciesInForce } from './local-policies.ts';
import type { Measures } from './measures.ts';
import { spend } from './store/spent.ts';

/** A job of GitHub Actions, with the proof of who it is. */
export type ProvedJob = Proof & GitHubJob;

/** One request: an id token, the policy that is asked for, and from where. */
export type Asked = { token: string; policy: string; address: string };

/** What the log and the API tell of a job; see gather.ts. */
export type Gather = (
  job: ProvedJob,
  policy: Policy,
  asked: { workspace: string; address: string },
) => Promise<{ known: Known; things: readonly Entity[] }>;

/** A request whose job is proved and whose policy there is. `id`: of the grant, if it becomes one. */
export type Asking = {
  id: string;
  job: ProvedJob;
  keys: JobKeys;
  workspace: string;
  address: string;
  policyName: string;
  policy: Policy;
  policies: PoliciesInForce;
  /** When it was asked, ms since the epoch. */
  askedMs: number;
};

export type ExchangeParts = EventParts & {
  db: Db;
  clock: Clock;
  logger: Logger;
  measures: Measures;
  verify: Verifier;
  workspaces: Pick<Workspaces, 'whose'>;
  policies: CurrentPolicies;
  gather: Gather;
  /** Random, and nobody’s but this grant’s. */
  makeId: () => string;
};

/**
 * Answers a job that asks for access: who asks is proved, its token spent, what is known of it gathered, and decided upon. What is
 * not known is no.
 * @throws what database and log throw: then nothing was given.
 */
export async function exchange(parts: ExchangeParts, asked: Asked): Promise<Answer> {
  const askedMs = parts.clock.nowMs();
  const proved = await proveJob(parts, asked.token);
  if ('answer' in proved) return proved.answer;
  const { job, workspace } = proved;
  const keys = keysOfJob(job, instanceOfIssuer(job.issuer));
  const { isFirst, hasEnded } = await spend(parts.db, job, keys);
  if (!isFirst) return spent;
  if (hasEnded) return ended;
  const policies = parts.policies();
  if ('fault' in policies) return policiesMissing(parts, policies.fault);
  const about = { id: parts.makeId(), job, keys, workspace, address: asked.address, policies, askedMs };
  const policy = Object.hasOwn(policies.file.policies, asked.policy) ? policies.file.policies[asked.policy] : undefined;
  if (policy === undefined) return denyUnknownPolicy(parts, about, asked.policy);
  const asking: Asking = { ...about, policyName: asked.policy, policy };
  const { known } = await parts.gather(job, policy, { workspace, address: asked.address });
  const decision = decideOn(asking, known);
  parts.measures.decided(asking.policyName, decision);
  await tellDecision(parts, asking, decision);
  return {
    status: 200,
    body: { dryRun: true, policy: asking.policyName, decision: decision.decision, reasons: decision.reasons },
  };
}

/** Whose job asks, and of which workspace. */
async function proveJob(
  { verify, workspaces }: ExchangeParts,
  token: string,
): Promise<{ job: ProvedJob; workspace: string } | { answer: Answer }> {
  const verified = await verify(token);
  if ('refusal' in verified) {
    const { status, reason, message, retryAfterS } = verified.refusal;
    const body = { error: { reason, message } };
    return { answer: { status, body, ...(retryAfterS === undefined ? {} : { retryAfterS }) } };
  }
  const { workload } = verified;
  if (!isOfGitHub(workload)) return { answer: jobUnknown(workload.provider) };
  const { owner } = workload;
  const whose = workspaces.whose({ kind: 'anybody' }, [{ login: owner.name, id: owner.id }]);
  if ('workspace' in whose) return { job: workload, workspace: whose.workspace };
  const found = `${owner.name} (id ${owner.id})`;
  const help = 'Name it under workspaces[].github.organizations in tripline.yaml, if it is yours.';
  const reasons = [failed('workspace', 'an organisation of a workspace', found, help)];
  return { answer: refuse('denied', 'The job is of an organisation that no workspace has', { reasons }) };
}

const isOfGitHub = (workload: Workload): workload is ProvedJob => workload.provider === 'github';

function jobUnknown(provider: string): Answer {
  const reasons = [
    unknown('job', 'one whose CI Tripline hears', `it is of ${provider}, of whose jobs Tripline hears nothing`),
  ];
  const message = `Who asks is proved, and nothing would tell when a job of ${provider} ends: nothing is given`;
  return refuse('job-unknown', message, { reasons });
}

const spent = refuse('token-spent', 'This id token was shown before, and each is good once: ask for a fresh one');
const ended = refuse('job-ended', 'The job has ended: nothing is given to it any more');

function policiesMissing({ logger }: ExchangeParts, fault: string): Answer {
  logger.warn({ fault }, 'a job asked for access, and no policies are in force; answered 503');
  return refuse('policies-missing', 'No policies of access are in force; the broker’s log says why', {
    retryAfterS: 30,
  });
}

async function denyUnknownPolicy(parts: ExchangeParts, about: Omit<Asking, 'policyName' | 'policy'>, name: string) {
  const help = 'Correct its name in the workflow, or have it written.';
  const reasons = [failed('policy', 'a policy that there is', name, help)];
  const decision: Decision = { decision: 'denied', reasons };
  parts.measures.decided('', decision);
  await tellDecision(parts, { ...about, policyName: name }, decision);
  return refuse('denied', `There is no policy ${name}`, { reasons });
}

function decideOn({ job, policy, policies: { file, lock } }: Asking, known: Known): Decision {
  const decision = decide(job, known, policy, { tiers: file.tiers, lock });
  if (job.checkRunId !== null || policy.until === 'run') return decision;
  // Nothing would tell of this job that it ended.
  const reason: Reason = failed(
    'job',
    'a token that names its job (check_run_id)',
    'one that names its run alone',
    'Have the policy say `until: run`.',
  );
  return { decision: 'denied', reasons: [...decision.reasons, reason] };
}

/** Tells the log what was decided, and why; every condition, as the job is told. */
async function tellDecision(
  parts: ExchangeParts,
  asking: Omit<Asking, 'policy'> & { policy?: Policy },
  { decision, reasons }: Decision,
): Promise<void> {
  const { id, job, workspace, policyName, policies, policy, address, askedMs } = asking;
  const nowMs = parts.clock.nowMs();
  const data = {
    ...jobAttributes(job),
    'tripline.access.grant': id,
    'tripline.access.decision': decision,
    'tripline.access.policy': policyName,
    'tripline.access.policy_sha256': policies.sha256,
    ...(policies.revision === null ? {} : { 'tripline.access.policy_revision': policies.revision }),
    ...(policy === undefined ? {} : { 'tripline.access.tier': policy.tier }),
    'tripline.access.reasons': reasons.map(({ condition, state, wanted, found }) => ({
      condition,
      state,
      wanted,
      found,
    })),
    'tripline.access.dry_run': true as const,
    ...(address === '' ? {} : { 'client.address': address }),
    'tripline.access.took_ms': Math.max(0, Math.round(nowMs - askedMs)),
  };
  const envelope = { id: `access:${id}:decided`, workspace, atMs: nowMs };
  await appendEvents(parts, [brokerEvent('dev.cdeventsx.tripline-access.decided', envelope, data)]);
}
