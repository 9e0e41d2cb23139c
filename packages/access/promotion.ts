import { inSmallLetters } from '@tripline/contracts/text';
import { policiesAtGate, type WaitingJob } from './decide-gate.ts';
import type { Version } from './diff.ts';
import { isInAnyCase } from './text-set.ts';

/** From where commits may come to an environment of a repository. `environment`: in lower case. */
export type Promotion = { repository: WaitingJob['repository']; environment: string; from: string[] };

/** Of each repository and environment that a policy is for, from where commits may come to it. */
export function promotionsOf(version: Pick<Version, 'file' | 'lock'>): Promotion[] {
  const { file, lock } = version;
  const all = Object.values(file.policies).flatMap(({ tier, who }) => {
    const name = 'github' in who ? who.github.repository : undefined;
    const id = name === undefined ? undefined : lock.github[name]?.id;
    if (name === undefined || id === undefined) return [];
    return (file.tiers[tier] ?? []).flatMap((one): Promotion[] => {
      const [repository, environment] = [{ id, name }, inSmallLetters(one)];
      const from = promotedFrom({ repository, environment }, version);
      return from === undefined ? [] : [{ repository, environment, from }];
    });
  });
  return [...new Map(all.map((one) => [`${one.repository.id} ${one.environment}`, one])).values()];
}

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
