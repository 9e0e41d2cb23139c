import { betterInWords, oneOfFeeds } from '@tripline/contracts/feeds';
import type { AnyRule } from '@tripline/contracts/rule';

/** The catalogue of rules as Markdown, told by the rules themselves. CATALOGUE.md is held to it by a test. */
export function renderCatalogue(rules: readonly AnyRule[]): string {
  const head = [
    '# Rules',
    '',
    'Written by the rules themselves (`npm run docs`); do not edit. ATT&CK ids are of v19, SEC ids of the OWASP Top 10 CI/CD Security Risks.',
    '',
    '| rule | severity | feeds | ATT&CK | OWASP |',
    '|---|---|---|---|---|',
    ...rules.map(
      (rule) =>
        `| [${rule.id}](#${rule.id}) | ${rule.severity} | ${rule.feeds.needs.join(' or ')} | ${rule.attack.join(', ')} | ${rule.owasp.join(', ')} |`,
    ),
  ];
  return `${[...head, ...rules.flatMap(sectionOf)].join('\n')}\n`;
}

function sectionOf(rule: AnyRule): string[] {
  return [
    '',
    `## ${rule.id}`,
    '',
    `**${rule.title}.** ${rule.description}`,
    '',
    `- Severity ${rule.severity}; confidence ${rule.confidence} at its best feed.`,
    `- Needs ${[`${oneOfFeeds(rule.feeds.needs)}.`, ...betterInWords(rule.feeds.better)].join(' ')}`,
    `- ${rule.learns ? 'Learns what is usual before it finds anything, unless an inventory is imported.' : 'Finds from the first event on.'}`,
    `- Serves principles ${rule.principles.join(', ')}; ATT&CK ${rule.attack.join(', ')}; ${rule.owasp.join(', ')}.`,
    '',
    'Known causes of false alarms:',
    '',
    ...rule.falseAlarms.map((cause) => `- ${cause}`),
    '',
    ...(rule.limits === undefined ? [] : ['Not known:', '', ...rule.limits.map((limit) => `- ${limit}`), '']),
    ...settingsOf(rule),
    ...(rule.reads.length === 0 ? [] : [`Reads: ${rule.reads.map((type) => `\`${type}\``).join(', ')}.`]),
    ...(rule.concludes === undefined
      ? []
      : [`Concludes from: ${rule.concludes.uses.map(({ id }) => `\`${id}\``).join(', ')}.`]),
  ];
}

function settingsOf(rule: AnyRule): string[] {
  const defaults = Object.entries(rule.settings.parse({}) as Record<string, unknown>);
  if (defaults.length === 0) return ['It has no settings.', ''];
  return [
    `Settings, under \`rules.settings.${rule.id}\` in tripline.yaml, with their defaults:`,
    '',
    '```yaml',
    ...defaults.map(([name, value]) => `${name}: ${JSON.stringify(value)}`),
    '```',
    '',
  ];
}
