import { tierOf } from './decide.ts';
import type { PolicyFile } from './policy.ts';
import type { Standing } from './standing.ts';

/** Something that jobs of several tiers have: whoever gets into the least of them has what the others use. */
export type Shared = {
  row: Standing;
  tiers: string[];
  by: { tier: string; repository: string; environment: string }[];
};

/** Of which a job has the whole, once it is let in, and that lets in jobs whatever their environment. */
function isReached({ kind, repositories, traits }: Standing): boolean {
  if (kind === 'secret' || kind === 'runner-group') return true;
  if (kind !== 'aws-role' && kind !== 'vault-role') return false;
  // Of one that trusts all repositories of an owner it is not known which these are.
  return traits.includes('any-repository') || (repositories !== 'all' && traits.includes('every-job-of-repository'));
}

/**
 * What tiers share: secrets, groups of runners, and roles elsewhere that jobs of environments of two tiers reach, because their repository has both and
 * nothing keeps the thing to one of them, or because jobs of both were seen with it.
 */
export function sharedByTiers(rows: readonly Standing[], tiers: PolicyFile['tiers']): Shared[] {
  const environments = environmentsByRepository(rows);
  return rows.flatMap((row) => {
    if (!isReached(row)) return [];
    const by = reach(row, environments).flatMap(({ repository, environment }) => {
      const tier = tierOf(environment, tiers);
      return tier === undefined ? [] : [{ tier, repository, environment }];
    });
    const shared = [...new Set(by.map(({ tier }) => tier))].sort();
    return shared.length < 2 ? [] : [{ row, tiers: shared, by }];
  });
}

type Place = { repository: string; environment: string };

function environmentsByRepository(rows: readonly Standing[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { kind, name, repositories } of rows) {
    if (kind !== 'environment' || repositories === 'all') continue;
    for (const repository of repositories) found.set(repository, [...(found.get(repository) ?? []), name]);
  }
  return found;
}

function reach({ repositories, environments, usedBy }: Standing, all: ReadonlyMap<string, readonly string[]>): Place[] {
  const seen = usedBy.flatMap(({ repository, environment }) =>
    environment === null ? [] : [{ repository, environment }],
  );
  const open = [...all].flatMap(([repository, names]) => {
    if (repositories !== 'all' && !repositories.includes(repository)) return [];
    return (environments.length > 0 ? environments : names).map((environment) => ({ repository, environment }));
  });
  const places = new Map([...open, ...seen].map((one) => [`${one.repository} ${one.environment}`, one]));
  return [...places.values()];
}
