import type { AnyRule } from '@tripline/contracts/rule';
import { rule as oneRule } from '@tripline/rules/build-from-unreviewed-commit';
import { readRules } from '@tripline/sigma/read-rules';
import { ruleIdOf, ruleOfSigma } from '@tripline/sigma/rule';
import { interleave, type Series } from './measure.ts';
import { actions, auditRecord, judgeAll, logOf } from './rules.ts';

/**
 * What 300 Sigma rules cost beside none: µs of CPU an event, of which every tenth is an audit record. Nine of ten name the
 * action that they wait for, as those of the public collections do; the tenth is asked of every record.
 */
export function benchSigmaRules(options: { deliveries: number; rounds: number }): Promise<Series[]> {
  const mixed = logOf(options.deliveries).batches.map((records) =>
    records.map((record, nth) => {
      if (nth % 10 !== 0) return record;
      const [action, actor] = [actions[record.offset % actions.length]!, `admin-${record.offset % 7}`];
      const told = { action, actor, org: 'acme', repo: `acme/app-${record.offset % 300}`, user_agent: 'git/2.51.0' };
      return auditRecord(record, { 'tripline.audit.record': told });
    }),
  );
  const contestant = (name: string, rules: readonly AnyRule[]) => ({
    ...{ name, unit: 'µs CPU an event' },
    run: async () => judgeAll([oneRule, ...rules], mixed),
  });
  return interleave([contestant('300 Sigma rules', sigmaRules()), contestant('no Sigma rule', [])], options.rounds);
}

function sigmaRules(): AnyRule[] {
  const documents = Array.from({ length: 300 }, (_, nth) => {
    const isByAction = nth % 10 !== 9;
    return [
      `title: Rule ${nth}`,
      'logsource: { product: github, service: audit }',
      'detection:',
      `  selection: { ${isByAction ? `action: [${actions[nth]}, ${actions[599 - nth]}]` : `repo|endswith: -secret-${nth}`} }`,
      `  people: { actor|startswith: [mallory-${nth}, eve-${nth}] }`,
      '  known: { user_agent|contains: ["tripline", "renovate"] }',
      '  condition: selection and people and not known',
    ].join('\n');
  });
  const { rules, refused } = readRules(documents.join('\n---\n'), 'bench.yml');
  if (refused.length > 0) throw new Error(`the Sigma rule ${refused[0]!.title} was refused: ${refused[0]!.reason}`);
  return rules.map((sigma) => ruleOfSigma(sigma, ruleIdOf(sigma)!));
}
