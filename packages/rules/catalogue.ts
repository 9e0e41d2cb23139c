import { betterInWords, oneOfFeeds } from '@tripline/contracts/feeds';
import type { AnyRule } from '@tripline/contracts/rule';
import { renderCoverage } from './coverage.ts';
import { defaultOf, renderDefaults } from './defaults.ts';
import { waiting } from './waiting.ts';

/** The pages that rules write of themselves, by the names of their files beside this one. */
export const pages = {
  'CATALOGUE.md': renderCatalogue,
  'COVERAGE.md': renderCoverage,
  'DEFAULTS.md': renderDefaults,
} as const;

/** The catalogue of rules as Markdown, told by the rules themselves. CATALOGUE.md is held to it by a test. */
function renderCatalogue(rules: readonly AnyRule[]): string {
  const head = [
    '# Rules',
    '',
    'Written by the rules themselves (`npm run docs`); do not edit. ATT&CK ids are of v19, SEC ids of the OWASP Top 10 CI/CD Security Risks. [COVERAGE.md](COVERAGE.md) has the same by principle, risk, technique and feed; [DEFAULTS.md](DEFAULTS.md) says which rules page.',
    '',
    '| rule | severity | by default | feeds | ATT&CK | OWASP |',
    '|---|---|---|---|---|---|',
    ...rules.map(
      (rule) =>
        `| [${rule.id}](#${rule.id}) | ${rule.severity} | ${defaultOf(rule).does} | ${rule.feeds.needs.join(' or ')} | ${rule.attack.join(', ')} | ${rule.owasp.join(', ')} |`,
    ),
  ];
  const tail = [
    '',
    '## Not yet',
    '',
    'Rules that wait for feeds which are not there yet:',
    '',
    ...waiting.map(({ id, title, waitsFor }) => `- \`${id}\`: ${title}. Waits for ${waitsFor}.`),
  ];
  return `${[...head, ...rules.flatMap(sectionOf), ...tail].join('\n')}\n`;
}

function sectionOf(rule: AnyRule): string[] {
  return [
    '',
    `## ${rule.id}`,
    '',
    `**${rule.title}.** ${rule.description}`,
    '',
    `- Severity ${rule.severity}; confidence ${rule.confidence} at its best feed. ${inDefault(rule)}`,
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

function inDefault(rule: AnyRule): string {
  const { does, why } = defaultOf(rule);
  if (does === 'nothing') return `By default it finds nothing. ${why}`;
  return rule.untilConfigured === undefined ? `By default it ${does}.` : `By default it only ${does}. ${why}`;
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
