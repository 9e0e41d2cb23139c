import { betterInWords, oneOfFeeds } from '@tripline/contracts/feeds';
import type { AnyRule } from '@tripline/contracts/rule';
import type { RuleSet } from '@tripline/detector/load-rules';
import { defaultOf, pagesByDefault } from '@tripline/rules/defaults';
import { plain } from '@tripline/runtime/plain';
import type { Io } from '../command.ts';
import { styled, wrapped } from '../show.ts';

/** Where a rule of the user's comes from, and the id that a Sigma rule has of its own. */
export type Origin = { file: string; sigmaId: string | null };

export const originsOf = ({ own, sigma }: RuleSet): ReadonlyMap<string, Origin> =>
  new Map([
    ...own.rules.map(({ rule, file }) => [rule.id, { file, sigmaId: null }] as const),
    ...sigma.rules.map(({ rule, sigma: { id, file } }) => [rule.id, { file, sigmaId: id }] as const),
  ]);

/** What is in the folders of `rules.sigma` and not run, a line each. */
export const refusedOf = ({ sigma }: RuleSet): string[] => sigma.refused.map(inALine);
export const inALine = ({ file, title, reason }: RuleSet['sigma']['refused'][number]): string =>
  plain(`Refused: ${title ?? 'a document'} of ${file}: ${reason}`);

/** What `rules --json` says of a rule. `pages`: whether a finding of it, at its usual severity, pages at default settings. */
export function facts(rule: AnyRule, from: ReadonlyMap<string, Origin>): Record<string, unknown> {
  const { id, title, description, severity, confidence, principles, attack, owasp, feeds } = rule;
  const { falseAlarms, limits = [], reads, learns, kind = 'rule' } = rule;
  const { needs, better = {} } = feeds;
  return {
    ...{ id, title, description, severity, confidence, kind, ...(from.get(id) ?? { file: null, sigmaId: null }) },
    ...{ feeds: needs, better, pages: pagesByDefault(rule), byDefault: defaultOf(rule) },
    ...{ principle: principles, attack, owasp, falseAlarms, limits, reads, learns },
  };
}

/** The same in words. What a Sigma rule says of itself is its author's, and shown without what would steer a terminal. */
export function describe(rule: AnyRule, io: Io): string {
  const lines = [
    rule.description,
    [
      `Severity ${rule.severity}, confidence up to ${rule.confidence}`,
      ...(rule.attack.length === 0 ? [] : [`ATT&CK ${rule.attack.join(', ')}`]),
      ...(rule.owasp.length === 0 ? [] : [rule.owasp.join(', ')]),
    ].join('; '),
    [`Needs ${oneOfFeeds(rule.feeds.needs)}.`, ...betterInWords(rule.feeds.better)].join(' '),
    ...(rule.learns ? ['Learns what is usual before it finds anything; see `tripline doctor`'] : []),
    ...rule.falseAlarms.map((alarm) => `False alarm: ${alarm}`),
    ...(rule.limits ?? []).map((limit) => `Not known: ${limit}`),
  ];
  const shown = lines.map((line) => `  ${wrapped(io, plain(line), 2)}`);
  const title = wrapped(io, plain(rule.title), rule.id.length + 2);
  return [`${styled(io, 'bold', rule.id)}  ${title}`, ...shown, '', ''].join('\n');
}
