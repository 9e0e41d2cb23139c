import { readRules } from '@tripline/sigma/read-rules';
import type { Cases } from './generate.ts';

/** By our own reading: the places of the records that a rule matches, or why it is refused. */
function ours(text: string, records: Cases['records']): number[] | string {
  const { rules, refused } = readRules(text, 'rules.yml');
  const [rule] = rules;
  if (rule === undefined) return refused[0]?.reason ?? 'it is no rule';
  return records.flatMap((record, nth) => (rule.matches(record) ? [nth] : []));
}

/** Rules that we evaluate otherwise than `verdicts` says, in words. */
export function differences({ rules, records }: Cases, verdicts: ReadonlyMap<string, readonly number[]>): string[] {
  return rules.flatMap(({ id, text }) => {
    const [mine, theirs] = [ours(text, records), verdicts.get(id)];
    if (JSON.stringify(mine) === JSON.stringify(theirs)) return [];
    return [`${text}\nours: ${JSON.stringify(mine)}\ntheirs: ${JSON.stringify(theirs)}`];
  });
}

/** Rules that we run, and that the other parser does not take. */
export function looser(rules: Cases['rules'], faults: Readonly<Record<string, string | null>>): string[] {
  return rules.flatMap(({ id, text }) =>
    faults[id] !== null && typeof ours(text, []) !== 'string' ? [`${text}\ntheirs: ${faults[id]}`] : [],
  );
}
