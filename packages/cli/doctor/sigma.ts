import type { Check } from '@tripline/contracts/check';
import type { RuleSet } from '@tripline/detector/load-rules';

/** Most refused rules that are named; `tripline rules` names all. */
const mostNamed = 5;

/** Whether what lies in the folders of `rules.sigma` is run, and what of it is refused: whoever put it there believes that it runs. */
export function checkSigma({ sigma, rules }: Pick<RuleSet, 'sigma' | 'rules'>): Check[] {
  if (sigma.rules.length + sigma.refused.length === 0) return [];
  const run = rules.filter(({ rule }) => rule.kind === 'sigma').length;
  const refused = sigma.refused.filter(({ isOther }) => !isOther);
  const others = sigma.refused.length - refused.length;
  const named = refused
    .slice(0, mostNamed)
    .map(({ file, title, reason }) => `${title ?? 'a document'} of ${file}: ${reason}`);
  const more = refused.length - named.length;
  const detail = [
    `${run} in force${others === 0 ? '' : `, ${others} for log sources that no feed tells`}`,
    ...(refused.length === 0
      ? []
      : [`${refused.length} refused: ${named.join('; ')}${more > 0 ? `; and ${more} more` : ''}`]),
  ].join('; ');
  const remedy =
    'what is refused is not run: change it, or take it out of the folder; `npx tripline rules` names all of it';
  return [{ name: 'Sigma rules', state: 'ok', detail, ...(refused.length === 0 ? {} : { remedy }) }];
}
