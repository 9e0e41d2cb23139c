import { type Exception, exceptionOf } from '@tripline/contracts/exception';
import { rules } from '@tripline/rules/registry';
import { interleave, type Series } from './measure.ts';
import { pinnedOf } from './pinned-rules.ts';
import { judgeAll, logOf } from './rules.ts';

/**
 * What 1,000 exceptions cost beside none: µs of CPU an event under the pinned rules, each finding held against all of them. Every
 * thirtieth story of the log is an attack, far more than a house has; none of the exceptions covers one, so each is asked.
 */
export function benchExceptions(options: { deliveries: number; rounds: number }): Promise<Series[]> {
  const { batches } = logOf(options.deliveries, { attackEvery: 30, answered: true });
  const judges = pinnedOf(rules, (rule) => rule);
  const contestant = (name: string, exceptions: readonly Exception[]) => ({
    ...{ name, unit: 'µs CPU an event' },
    async run() {
      let found = 0;
      const cost = judgeAll(judges, batches, (verdict) => {
        if (verdict.kind !== 'found') return;
        found += 1;
        if (exceptionOf(verdict.finding, exceptions) !== undefined) throw new Error('an exception covers a finding');
      });
      if (found === 0) throw new Error('nothing was found that an exception could be asked of');
      return cost;
    },
  });
  const ids = judges.map(({ id }) => id);
  return interleave(
    [contestant('1,000 exceptions', exceptionsFor(ids)), contestant('no exception', [])],
    options.rounds,
  );
}

/** As a house of years has them: of every rule, by user, repository, ref and network. */
const exceptionsFor = (ids: readonly string[]): Exception[] =>
  Array.from({ length: 1000 }, (_, nth) => {
    const whens: Exception['when'][] = [
      { user: [`release-${nth}[bot]`, `person-${nth}:${nth + 5_000_000}`] },
      { repository: [`old-org/archived-${nth}`, `old-org/sandbox-${nth}-*`] },
      { ref: [`old-org/app-${nth}@refs/heads/release`], repository: [`old-org/app-${nth}`] },
      { cidr: [`10.${nth % 250}.0.0/16`], user: [`gateway-${nth}[bot]`] },
    ];
    const when = whens[nth % whens.length]!;
    return { rules: ids, when, owner: 'platform', reason: 'agreed', until: '2100-01-01T00:00:00Z' };
  });
