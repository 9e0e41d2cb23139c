import { type FeedName, feedNames, feedWords } from '@tripline/contracts/feeds';
import type { AnyRule } from '@tripline/contracts/rule';
import { waiting } from './waiting.ts';

/** What the house is built for, by number; a rule says which of them it serves. */
const principles = {
  1: 'No standing privilege',
  2: 'Identity and context: second factor, trusted environment',
  3: 'Just in time, for the length of a job',
  4: 'Isolated workloads',
  5: 'Continuous audit, immediate response',
} as const;

/** OWASP Top 10 CI/CD Security Risks. */
const owasp: Readonly<Record<string, string>> = {
  'CICD-SEC-1': 'Insufficient Flow Control Mechanisms',
  'CICD-SEC-2': 'Inadequate Identity and Access Management',
  'CICD-SEC-3': 'Dependency Chain Abuse',
  'CICD-SEC-4': 'Poisoned Pipeline Execution',
  'CICD-SEC-5': 'Insufficient PBAC (Pipeline-Based Access Controls)',
  'CICD-SEC-6': 'Insufficient Credential Hygiene',
  'CICD-SEC-7': 'Insecure System Configuration',
  'CICD-SEC-8': 'Ungoverned Usage of 3rd Party Services',
  'CICD-SEC-9': 'Improper Artifact Integrity Validation',
  'CICD-SEC-10': 'Insufficient Logging and Visibility',
};

/** COVERAGE.md: rules against the principles, OWASP's risks, ATT&CK's techniques and feeds, and what nothing covers. */
export function renderCoverage(rules: readonly AnyRule[]): string {
  const techniques = [...new Set(rules.flatMap(({ attack }) => attack))].sort();
  const withFeed = (name: FeedName) => rules.filter(({ feeds }) => feeds.needs.includes(name));
  const better = (name: FeedName) => rules.filter(({ feeds }) => feeds.better?.[name] !== undefined);
  const feeds = feedNames.filter((name) => withFeed(name).length > 0);
  const lines = [
    '# Coverage',
    '',
    `Written by the ${rules.length} rules themselves (\`npm run docs\`); do not edit. What each finds stands in the [catalogue](CATALOGUE.md), what it does by default in [DEFAULTS.md](DEFAULTS.md).`,
    ...table(
      'By principle',
      ['principle', 'rules'],
      Object.entries(principles).map(([number, says]) => [
        `${number}: ${says}`,
        listed(rules.filter((rule) => rule.principles.some((one) => String(one) === number))),
      ]),
    ),
    ...table(
      'By risk (OWASP Top 10 CI/CD Security Risks)',
      ['risk', 'rules'],
      Object.entries(owasp).map(([id, name]) => [
        `${id}: ${name}`,
        listed(rules.filter((rule) => rule.owasp.includes(id))),
      ]),
    ),
    ...table(
      'By technique (ATT&CK v19)',
      ['technique', 'rules'],
      techniques.map((id) => [id, listed(rules.filter(({ attack }) => attack.includes(id)))]),
    ),
    ...table(
      'By feed',
      ['feed', 'enough by itself for', 'adds to'],
      feeds.map((name) => [`${name} (${feedWords[name]})`, listed(withFeed(name)), listed(better(name))]),
    ),
    ...table(
      'Waiting for feeds that are not there yet',
      ['rule', 'would find', 'waits for'],
      waiting.map(({ id, title, waitsFor }) => [id, title, waitsFor]),
    ),
    ...matrix(rules, feeds),
  ];
  return `${lines.join('\n')}\n`;
}

function table(title: string, columns: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return ['', `## ${title}`, '', line(columns), `|${columns.map(() => '---|').join('')}`, ...rows.map(line)];
}

/** `●`: it serves that, or that feed is enough; `+`: that feed adds something. */
function matrix(rules: readonly AnyRule[], feeds: readonly FeedName[]): string[] {
  const numbers = [1, 2, 3, 4, 5] as const;
  const risks = Object.keys(owasp);
  const columns = [
    'rule',
    ...numbers.map((number) => `P${number}`),
    ...risks.map((id) => id.replace('CICD-', '')),
    'ATT&CK',
    ...feeds,
  ];
  const mark = (is: boolean) => (is ? '●' : '');
  const rows = rules.map((rule) => [
    `[${rule.id}](CATALOGUE.md#${rule.id})`,
    ...numbers.map((number) => mark(rule.principles.includes(number))),
    ...risks.map((id) => mark(rule.owasp.includes(id))),
    rule.attack.join(', '),
    ...feeds.map(
      (name) => mark(rule.feeds.needs.includes(name)) || (rule.feeds.better?.[name] === undefined ? '' : '+'),
    ),
  ]);
  return table('All together', columns, rows);
}

/** Most rules that a cell names; the rest is a number, and the last table has them all. */
const mostNamed = 12;
function listed(rules: readonly AnyRule[]): string {
  if (rules.length === 0) return '**none**';
  // What stands by itself first: the rows of a table say much the same as their neighbours.
  const own = rules.toSorted((a, b) => Number(a.kind === 'row') - Number(b.kind === 'row'));
  const named = own.slice(0, mostNamed).map(({ id }) => `[${id}](CATALOGUE.md#${id})`);
  const more = own.length - named.length;
  return `${own.length}: ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
