import { severities } from '@tripline/contracts/finding';
import type { Known } from './known.ts';
import type { LockFile } from './lock.ts';
import type { Policy, PolicyFile } from './policy.ts';
import { failed, type Reason, unknown, waiting } from './reason.ts';
import { isInAnyCase } from './text-set.ts';
import { type AskingJob, faultsOfWho } from './who-asks.ts';
import { type Asked, type Mfa, whoStands } from './who-stands.ts';

/** `pending`: all holds but what somebody has yet to do. */
export type Decision = { decision: 'granted' | 'denied' | 'pending'; reasons: Reason[] };
/** What a policy means things by, beside itself. */
export type PolicyHouse = { tiers: PolicyFile['tiers']; lock: LockFile };
type Needs = Policy['needs'];

/**
 * Whether a job may have what a policy gives, and every condition that speaks against it, not only the first. Pure: service,
 * command line and tests ask this one function. What is not known is no.
 */
export function decide(job: AskingJob, known: Known, policy: Policy, { tiers, lock }: PolicyHouse): Decision {
  const { needs } = policy;
  const reasons = [
    ...faultsOfWho(policy.who, job, known, lock),
    ...ofTier(job, policy.tier, tiers),
    ...ofJob(known),
    ...ofLog(known),
    ...(needs.reviewed ? ofReview(known) : []),
    ...(needs.promotedFrom === undefined ? [] : ofPromotion(needs.promotedFrom, tiers, known)),
    ...(needs.knownRunner ? ofRunner(job, known) : []),
    ...(needs.noIncident === undefined ? [] : ofIncidents(needs.noIncident, known)),
    ...(needs.mfa === undefined ? [] : ofMfa(needs.mfa, whoStands(needs.mfa, job, lock), known)),
  ];
  if (reasons.length === 0) return { decision: 'granted', reasons };
  return { decision: reasons.every(({ state }) => state === 'waiting') ? 'pending' : 'denied', reasons };
}

/** Nothing that one tier gives goes to a job of another, whatever else holds. */
function ofTier(job: AskingJob, tier: string, tiers: PolicyFile['tiers']): Reason[] {
  const environment = environmentOf(job);
  if (environment === undefined) return [];
  const own = tierOf(environment, tiers);
  if (own === tier) return [];
  const found = own === undefined ? `${environment}, which is of no tier` : `${environment}, which is of tier ${own}`;
  return [failed('tier', `an environment of tier ${tier}`, found, 'Ask for a policy of its own tier.')];
}

function environmentOf(job: AskingJob): string | undefined {
  if (job.provider === 'github') return job.environment ?? undefined;
  return job.provider === 'gitlab' ? job.environment?.name : undefined;
}

/** Names of environments are the same in any case. */
export function tierOf(environment: string, tiers: PolicyFile['tiers']): string | undefined {
  return Object.keys(tiers).find((tier) => isInAnyCase(tiers[tier]!, environment));
}

function ofJob({ job }: Known): Reason[] {
  const wanted = 'a job that runs';
  if (job === 'running') return [];
  if (job === 'unknown') return [unknown('job', wanted, 'the CI has not told of it yet')];
  return [failed('job', wanted, 'one that has ended', 'Nothing is given to a job that has ended: run it again.')];
}

/** How far behind what was received, ms, what is known may be: it is another second's by the time it is used, too. */
const mostBehindMs = 10_000;

/** Whoever holds a token that is not of the job that it names lies in one of them; and what is known too late may hold no more. */
function ofLog({ log }: Known): Reason[] {
  if (log === undefined) return [];
  const wanted = 'a job of which token and log say the same';
  const help = 'Run it again; if it stays so, ask who has the issuer’s key or writes to the log.';
  const denied = log.disagrees.map(({ what, token, log: told }) =>
    failed('log', wanted, `one whose ${what} is ${token} by the token, and ${told} by the log`, help),
  );
  if (log.behindMs <= mostBehindMs) return denied;
  const found = `what was received is judged only up to ${Math.round(log.behindMs / 1000)} s ago: see to the detector`;
  return [...denied, unknown('log', 'what is known to be of now', found)];
}

function ofReview({ reviewed: { is, why } }: Known): Reason[] {
  const wanted = 'a commit that somebody else reviewed';
  if (is === 'reviewed') return [];
  if (is === 'unknown') return [unknown('reviewed', wanted, `whether it was is not known: ${why}`)];
  return [failed('reviewed', wanted, `one that is not: ${why}`, 'Have the commit reviewed, and merge it.')];
}

/** Whether a commit was deployed to an environment of the tier, as far as was told. */
export const isPromoted = (
  from: string,
  tiers: PolicyFile['tiers'],
  { deployedTo }: Pick<Known, 'deployedTo'>,
): boolean => deployedTo.some((environment) => tierOf(environment, tiers) === from);

function ofPromotion(from: string, tiers: PolicyFile['tiers'], known: Known): Reason[] {
  if (isPromoted(from, tiers, known)) return [];
  const { deployedTo, mayBePromoted } = known;
  const found =
    deployedTo.length === 0
      ? 'one that was deployed nowhere'
      : `one that was deployed to ${deployedTo.join(', ')} alone`;
  const wanted = `a commit whose deployment to ${from} succeeded`;
  if (mayBePromoted) return [unknown('promoted', wanted, 'no such deployment was told of yet')];
  return [failed('promoted', wanted, found, `Deploy this commit to ${from} first.`)];
}

function ofRunner(job: AskingJob, { runner }: Known): Reason[] {
  const wanted = 'a machine that is known';
  // A machine of the provider's is nobody's to register.
  if ('runnerEnvironment' in job && job.runnerEnvironment !== 'self-hosted' && job.runnerEnvironment !== null)
    return [];
  if (runner?.isKnown === true) return [];
  if (runner === undefined) return [unknown('known-runner', wanted, 'no event named its machine yet')];
  const help = 'Accept it by resolving its incident, or import an inventory that lists it.';
  return [failed('known-runner', wanted, 'a new one', help)];
}

function ofIncidents(least: NonNullable<Needs['noIncident']>, { incidents }: Known): Reason[] {
  const open = incidents.filter(({ severity }) => severities.indexOf(severity) >= severities.indexOf(least));
  if (open.length === 0) return [];
  const found = `${open.map(({ id, severity }) => `${id} (${severity})`).join(', ')}, which names what asks`;
  return [failed('incident', `no open incident of severity ${least} or above`, found, 'Resolve it first.')];
}

function ofMfa(mfa: Mfa, asked: Asked, { approval }: Known): Reason[] {
  const who = asked.of === 'trigger' ? 'whoever set the run off' : 'an owner';
  const factor = mfa.phishingResistant ? 'a second factor that resists phishing' : 'a second factor';
  const wanted = `${who} proves ${factor} within ${minutes(mfa.within)}`;
  if (approval === undefined && asked.people.length === 0) {
    const found = 'a run for which nobody can: the policy names no owner whose login its lock file pins';
    const help = 'Name owners in the policy, as needs.mfa.owners, and run `tripline access lock`.';
    return [failed('mfa', wanted, found, help)];
  }
  const lacks = (found: string): Reason[] => [waiting('mfa', wanted, found, 'Open the link, and stand for this run.')];
  if (approval === undefined) return lacks('nobody did yet');
  if ('refusedBy' in approval) {
    const help = 'Find out who set it off. Another attempt of the run asks again.';
    return [failed('mfa', wanted, `one of which ${approval.refusedBy} says that it was not they`, help)];
  }
  const { by, ageMs, isPhishingResistant } = approval;
  if (!(ageMs >= 0 && ageMs <= mfa.within)) return lacks(`${by} did ${minutes(ageMs)} ago`);
  return mfa.phishingResistant && !isPhishingResistant ? lacks(`the one that ${by} proved can be phished`) : [];
}
const minutes = (ms: number): string => `${Math.round(ms / 60_000)} min`;
