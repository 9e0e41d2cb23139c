import { type Decision, decide } from '@tripline/access/decide';
import type { Known } from '@tripline/access/known';
import type { Policy, PolicyFile } from '@tripline/access/policy';
import { failed, type Reason } from '@tripline/access/reason';
import { describeSts, policyOfSts } from '@tripline/access/sts';
import { instanceOfIssuer } from '@tripline/identity/github/instance';
import { type Answer, jobAsksTooOften, jobEnded, refuse, tokenSpent, tooManyInHand } from './answer.ts';
import { appendEvents } from './append-events.ts';
import type { Asked, Asking, AsSpent, ExchangeParts, StepUpLink } from './asking.ts';
import { type AskedOf, decidedEvent } from './decided.ts';
import { give } from './give.ts';
import { keysOfJob } from './keys.ts';
import { proveJob } from './prove-job.ts';
import { jobKeyOf } from './store/ends.ts';
import { spend } from './store/spent.ts';

/**
 * Answers a job that asks for access: who asks is proved, its token spent, what is known of it gathered, and decided upon; what it is
 * granted is minted, told to the log and handed out. What is not known is no.
 * @throws what database and log throw: then nothing was handed out.
 */
export async function exchange(parts: ExchangeParts, asked: Asked): Promise<Answer> {
  if (!parts.isCaughtUp()) return starting;
  const askedMs = parts.clock.nowMs();
  const isSts = typeof asked.policy !== 'string';
  const proved = await proveJob(parts, asked.token, isSts ? parts.stsAudience : undefined);
  if ('answer' in proved) return proved.answer;
  const { job, workspace } = proved;
  const keys = keysOfJob(job, { workspace, instance: instanceOfIssuer(job.issuer) });
  const allowed = parts.jobLimit.take(jobKeyOf(keys));
  if (!allowed.ok) return jobAsksTooOften(allowed.retryAfterS);
  await parts.takesEvents();
  const { isFirst, hasEnded, asSpent } = await spend(parts.db, job, { keys, workspace });
  if (!isFirst) return tokenSpent;
  if (hasEnded) return jobEnded;
  const place = parts.rooms.enter(keys.job, `${workspace}/${job.issuer}/${job.repository.id}`);
  if (place === undefined) return tooManyInHand;
  try {
    return await answerJob(parts, asked, { job, workspace, keys, askedMs, asSpent });
  } finally {
    place.leave();
  }
}

type ProvedAsk = Pick<Asking, 'job' | 'workspace' | 'keys' | 'askedMs'> & { asSpent: AsSpent };

/** The same once it is known who asks, and their token is spent. */
async function answerJob(
  parts: ExchangeParts,
  asked: Asked,
  { job, workspace, keys, askedMs, asSpent }: ProvedAsk,
): Promise<Answer> {
  const policies = parts.policies();
  if ('fault' in policies) return policiesMissing(parts, policies.fault);
  const about = { id: parts.makeId(), job, keys, workspace, address: asked.address, policies, askedMs };
  const named = policyNamed(policies.file, asked.policy);
  if (named === undefined) return denyUnknownPolicy(parts, about, asked.policy);
  const asking: Asking = { ...about, ...named };
  const { policy } = asking;
  const { known: gathered, things } = await parts.gather(job, policy, {
    ...{ workspace, address: asked.address },
    ...{ tiers: policies.file.tiers, asSpent },
  });
  const known = await withApproval(parts, asking, gathered);
  const decision = decideOn(asking, known);
  parts.measures.decided(asking.policyName, decision);
  parts.measures.waits(jobKeyOf(keys), asking.policyName, false);
  const { giving } = parts;
  if (giving !== undefined && decision.decision === 'granted')
    return give({ ...parts, giving }, asking, {
      ...{ things, decision },
      decideAgain: (incidents) => decideOn(asking, { ...known, incidents }),
    });
  await tell(parts, asking, decision);
  const link = decision.decision === 'pending' ? await parts.openStepUp?.(asking) : undefined;
  if (link !== undefined) parts.measures.waits(jobKeyOf(keys), asking.policyName, true);
  if (giving === undefined) return dryRun(asking, decision, link);
  return decision.decision === 'pending' ? pending(asking, decision, link) : denied(asking, decision);
}

function policyNamed(file: PolicyFile, asked: Asked['policy']): { policyName: string; policy: Policy } | undefined {
  const policyName = typeof asked === 'string' ? asked : policyOfSts(file, asked);
  if (policyName === undefined || !Object.hasOwn(file.policies, policyName)) return undefined;
  return { policyName, policy: file.policies[policyName]! };
}

const starting = refuse('starting', 'The broker has just started, and reads which jobs have ended: ask again', {
  retryAfterS: 2,
});

/** Tells the log what was decided, before the job is answered. */
async function tell(parts: ExchangeParts, asked: AskedOf, decision: Decision): Promise<void> {
  const isDryRun = parts.giving === undefined;
  await appendEvents(parts, [decidedEvent(asked, decision, { atMs: parts.clock.nowMs(), isDryRun })]);
}

function dryRun({ policyName }: Asking, { decision, reasons }: Decision, link: StepUpLink | undefined): Answer {
  return { status: 200, body: { dryRun: true, policy: policyName, decision, reasons, ...(link && linkBody(link)) } };
}

function denied({ policyName }: Asking, { reasons }: Decision): Answer {
  if (reasons.some(({ state }) => state === 'failed'))
    return refuse('denied', `Policy ${policyName} gives this job nothing`, { reasons });
  const message = `Policy ${policyName} gives this job nothing yet: not all that it asks for is known`;
  return refuse('not-known-yet', message, { reasons });
}

/** All holds but what a person has yet to do: the job asks again until it is done, with a fresh token each time. */
function pending({ policyName }: Asking, { reasons }: Decision, link: StepUpLink | undefined): Answer {
  if (link !== undefined) return { status: 202, body: { ...linkBody(link), reasons } };
  const message = `Policy ${policyName} wants a second factor, and none is configured: set broker.stepUp`;
  return refuse('denied', message, { reasons });
}

/** How long a job waits before it asks again whether somebody has stood for it. */
const retryAfterS = 5;

const linkBody = (link: StepUpLink) =>
  link.state === 'waits'
    ? { waits: link.why, links: {}, retryAfterS }
    : { links: { stepUp: link.url }, number: link.number, retryAfterS };

/** What is known, with who stands for the job's run where its policy asks for that. */
async function withApproval({ approvalFor }: ExchangeParts, asking: Asking, known: Known): Promise<Known> {
  if (approvalFor === undefined || asking.policy.needs.mfa === undefined) return known;
  return { ...known, approval: await approvalFor(asking) };
}

function policiesMissing({ logger }: ExchangeParts, fault: string): Answer {
  logger.warn({ fault }, 'a job asked for access, and no policies are in force; answered 503');
  return refuse('policies-missing', 'No policies of access are in force; the broker’s log says why', {
    retryAfterS: 30,
  });
}

async function denyUnknownPolicy(
  parts: ExchangeParts,
  about: Omit<Asking, 'policyName' | 'policy'>,
  asked: Asked['policy'],
) {
  const name = typeof asked === 'string' ? asked : `sts ${describeSts(asked)}`;
  const help = 'Correct its name in the workflow, or have it written.';
  const reasons = [failed('policy', 'a policy that there is', name, help)];
  const decision: Decision = { decision: 'denied', reasons };
  parts.measures.decided('', decision);
  await tell(parts, { ...about, policyName: name }, decision);
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
