import { policiesAtGate, type WaitingJob } from './decide-gate.ts';
import type { Version } from './diff.ts';
import { isInAnyCase } from './text-set.ts';

/**
 * Environments in one of which a commit must have been deployed with success before it may come to the environment of a repository: those
 * of the tiers from which its policies promote. Empty: some policy lets it in without. Undefined: no policy is for it.
 */
export function promotedFrom(
  place: Pick<WaitingJob, 'environment' | 'repository'>,
  version: Pick<Version, 'file' | 'lock'>,
): string[] | undefined {
  const policies = policiesAtGate(place, version).policies.filter(({ policy: { who } }) => {
    const named = 'github' in who ? who.github.environment : undefined;
    return named === undefined || isInAnyCase(named, place.environment);
  });
  if (policies.length === 0) return undefined;
  const from = policies.map(({ policy }) => policy.needs.promotedFrom);
  if (from.includes(undefined)) return [];
  return [...new Set(from.flatMap((tier) => version.file.tiers[tier!] ?? []))].sort();
}
