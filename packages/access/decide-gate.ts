import { type Decision, decide, tierOf } from './decide.ts';
import type { Version } from './diff.ts';
import type { Known } from './known.ts';
import type { Policy } from './policy.ts';
import { type Condition, failed, type Reason, unknown } from './reason.ts';
import type { AskingJob } from './who-asks.ts';

/** What is decided of a job that waits at a gate, and the policy that it was held against: the one that it comes nearest to. */
export type GateDecision = Decision & {
  tier: string | undefined;
  /** Undefined where none is for the environment and repository. */
  policy: NamedPolicy | undefined;
  /** Conditions that were looked at, and hold. */
  held: readonly Condition[];
};
export type NamedPolicy = { name: string; policy: Policy };
export type WaitingJob = AskingJob & { provider: 'github'; environment: string };

/** What only a job's token or its machine tells, which a job that waits has not: the broker asks for it when the job asks. */
const laterTold: ReadonlySet<Condition> = new Set(['job', 'workflow', 'runner', 'network', 'known-runner']);

/** The policies of an environment's tier that are for a repository, by its id. */
export function policiesAtGate(
  { environment, repository }: Pick<WaitingJob, 'environment' | 'repository'>,
  { file, lock }: Pick<Version, 'file' | 'lock'>,
): { tier: string | undefined; policies: NamedPolicy[] } {
  const tier = tierOf(environment, file.tiers);
  const policies = Object.entries(file.policies).flatMap(([name, policy]) => {
    const { tier: own, who } = policy;
    return own === tier && 'github' in who && lock.github[who.github.repository]?.id === repository.id
      ? [{ name, policy }]
      : [];
  });
  return { tier, policies };
}

/**
 * Whether a job may start that waits for an environment: by any policy of the environment's tier that is for its repository, as
 * `decide` decides. No policy is a no. `knownFor`: what is known of the job, by policy, since people approve for one. Pure.
 */
export function decideAtGate(job: WaitingJob, knownFor: (policy: string) => Known, version: Version): GateDecision {
  const { tier, policies } = policiesAtGate(job, version);
  const { file, lock } = version;
  const decisions = policies.map(({ name, policy }): GateDecision => {
    const { reasons: all } = decide(job, knownFor(name), policy, { tiers: file.tiers, lock });
    const reasons = all.filter(({ condition }) => !laterTold.has(condition));
    const held = conditionsAtGate(policy).filter((one) => !reasons.some(({ condition }) => condition === one));
    return { decision: decisionOf(reasons), reasons, tier, policy: { name, policy }, held };
  });
  const [nearest] = decisions.sort(
    (a, b) => rank[a.decision] - rank[b.decision] || a.reasons.length - b.reasons.length,
  );
  return nearest ?? withoutPolicy(job.environment, tier);
}

/** The same of a run that the log has not told of: unknown, unless no policy could let it through at all. */
export function decideUnheard(of: Pick<WaitingJob, 'environment' | 'repository'>, version: Version): GateDecision {
  const { tier, policies } = policiesAtGate(of, version);
  const [policy] = policies;
  if (policy === undefined) return withoutPolicy(of.environment, tier);
  const reasons = [unknown('job', 'a run that the CI told of', 'it has not told of it yet')];
  return { decision: 'denied', reasons, tier, policy, held: [] };
}

function withoutPolicy(environment: string, tier: string | undefined): GateDecision {
  const reason =
    tier === undefined
      ? failed(
          'tier',
          'an environment of a tier',
          `${environment}, which is of none`,
          'Name it in `tiers` of the policies.',
        )
      : failed('policy', `a policy of tier ${tier} for this repository`, 'none', 'Write one, or take the gate off.');
  return { decision: 'denied', reasons: [reason], tier, policy: undefined, held: [] };
}

const rank = { granted: 0, pending: 1, denied: 2 };

function decisionOf(reasons: readonly Reason[]): Decision['decision'] {
  if (reasons.length === 0) return 'granted';
  return reasons.every(({ state }) => state === 'waiting') ? 'pending' : 'denied';
}

/** What a policy asks of a job that waits, in the order in which it is told. */
function conditionsAtGate({ who, needs }: Policy): Condition[] {
  const asked: (Condition | false)[] = [
    ...(['repository', 'caller', 'event', 'ref', 'environment'] as const),
    'github' in who && who.github.forks !== true && 'fork',
    needs.reviewed === true && 'reviewed',
    needs.promotedFrom !== undefined && 'promoted',
    needs.noIncident !== undefined && 'incident',
    needs.mfa !== undefined && 'mfa',
  ];
  return asked.filter((one) => one !== false);
}
