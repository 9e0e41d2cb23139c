import { alwaysTold, isAsGraveAs } from '@tripline/contracts/finding';
import type { AnyRule } from '@tripline/contracts/rule';

/** PagerDuty's `minSeverity`, and what a person gets up for; a test holds it against that setting's default. */
export const pagesFrom = 'high';

/** What becomes of a rule's findings while nobody has configured anything, and why. */
export type Default = { does: 'pages' | 'informs' | 'nothing'; why: string };

/** A rule says itself what its severity does not; the rest follows from that. */
export function defaultOf({ id, severity, untilConfigured, offByDefault, falseAlarms }: AnyRule): Default {
  if (offByDefault !== undefined) return { does: 'nothing', why: `${offByDefault} \`rules.on\` has it run.` };
  if (untilConfigured !== undefined) return untilConfigured;
  if (alwaysTold.has(id)) return { does: 'pages', why: 'It is always reported, since what it reports excuses others.' };
  if (isAsGraveAs(severity, pagesFrom))
    return { does: 'pages', why: `Of ${severity} severity: it is worth getting up for.` };
  return { does: 'informs', why: `Ordinary work may look like it: ${falseAlarms[0] ?? 'its author names none.'}` };
}

/** Whether a finding of the rule, at its usual severity, pages at default settings. */
export const pagesByDefault = (rule: AnyRule): boolean => defaultOf(rule).does === 'pages';

/** DEFAULTS.md: which rules page, which only inform, which find nothing until something is configured, and why. */
export function renderDefaults(rules: readonly AnyRule[]): string {
  const parts = (['pages', 'informs', 'nothing'] as const).flatMap((does) => {
    const those = rules.filter((rule) => defaultOf(rule).does === does);
    if (those.length === 0) return [];
    const [one, rest] = [`${those.length} rule${those.length === 1 ? '' : 's'}`, headings[does]];
    return [
      '',
      `## ${rest.title}: ${one}`,
      '',
      rest.says,
      '',
      '| rule | severity | what it finds | why |',
      '|---|---|---|---|',
    ].concat(
      those.map(
        (rule) => `| [${rule.id}](CATALOGUE.md#${rule.id}) | ${rule.severity} | ${rule.title} | ${cell(rule)} |`,
      ),
    );
  });
  const head = [
    '# What Tripline does by default',
    '',
    'Written by the rules themselves (`npm run docs`); do not edit.',
    '',
    `A finding of severity ${pagesFrom} or critical pages: PagerDuty, and a reply in Slack that the whole channel sees. What is below only informs, in Slack and by \`tripline findings\`. The severity is the one that a rule finds at its usual best; where less is known, a finding is lower, as its entry in the [catalogue](CATALOGUE.md) says. Nothing is revoked by default, whatever the severity: responses are dry runs until \`remediation\` allows them.`,
    '',
    'To have one rule page or not: `overrides` (`severity`, `page`, `minConfidence`), of one workspace or of all. To leave out what is in order: `exceptions`. To have it quiet for some days: `silences`. To switch it off: `rules.off`; to have one run that is off: `rules.on`. The [settings](../config/SETTINGS.md) say how.',
  ];
  return `${[...head, ...parts].join('\n')}\n`;
}

const headings = {
  pages: { title: 'Pages', says: 'Honest work of an ordinary team seldom looks like these.' },
  informs: {
    title: 'Informs',
    says: 'Worth knowing, and too usual to wake anybody. An override raises what is not usual with you.',
  },
  nothing: {
    title: 'Off until configured',
    says: 'These have nothing to go by until somebody says what is right, or would report a team’s daily work.',
  },
} as const;

const cell = (rule: AnyRule) =>
  `${defaultOf(rule).why}${rule.learns ? ' Finds nothing while it learns what is usual.' : ''}`.replaceAll('|', '\\|');
