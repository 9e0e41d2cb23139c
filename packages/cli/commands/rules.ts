import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { loadConfig } from '@tripline/config/config';
import { betterInWords, oneOfFeeds } from '@tripline/contracts/feeds';
import type { AnyRule } from '@tripline/contracts/rule';
import { isOn, loadRuleSet, type RuleSet } from '@tripline/detector/load-rules';
import { defaultOf, pagesByDefault } from '@tripline/rules/defaults';
import { rules as ownRules } from '@tripline/rules/registry';
import { plain } from '@tripline/runtime/plain';
import { type Command, type Io, readArguments, UsageError } from '../command.ts';
import { ruleSetWith } from '../replay/change.ts';
import { styled, wrapped } from '../show.ts';

const options = {
  json: { type: 'boolean', doc: 'print one JSON object a line' },
} as const;

export const rules: Command = {
  name: 'rules',
  summary: 'Show the rules: what each catches, what it needs, and what makes it raise a false alarm',
  usage: ['rules [--json]', 'rules validate [<file> …]', 'rules test <file> [<file> …]'],
  details:
    'With `validate`, checks tripline.yaml and its rules as a detector would take them, with files or folders of rules beside those that it names; says what is wrong, in which file and where, and exits 1. ' +
    '`tripline replay` judges by them what the audit trail kept. ' +
    'With `test`, runs tests of rules of your own (node:test) by the kit that tests ours; they may import tripline/testing/timeline/in-words (timelines in words) and tripline/testing/timeline/play from anywhere.',
  options,
  async run(args, io) {
    const { values, positionals } = readArguments(args, options, { atMost: 100 });
    if (positionals[0] === 'test') return testRules(positionals.slice(1), io);
    if (positionals[0] === 'validate') return validate(positionals.slice(1), io);
    if (positionals.length > 0) throw new UsageError(`'${positionals[0]}' is no verb of rules`);
    const config = loadConfig(io.env, io.cwd);
    const set = await loadRuleSet(config);
    const { rules: configured, version } = set;
    if (values.json) {
      const off = ownRules.filter((rule) => !isOn(rule, config));
      const from = originsOf(set);
      for (const rule of [...configured.map((one) => one.rule), ...off])
        io.out(`${JSON.stringify({ ...facts(rule, from), runs: isOn(rule, config) })}\n`);
      for (const line of refusedOf(set)) io.err(`${line}\n`);
      return 0;
    }
    for (const { rule } of configured) io.out(describe(rule, io));
    const say = (text: string) => io.out(`${wrapped(io, text, 0)}\n`);
    for (const line of refusedOf(set)) say(line);
    if (config.rules.off.length > 0) say(`Off: ${config.rules.off.join(', ')}`);
    const daily = ownRules.filter((rule) => rule.offByDefault !== undefined && !isOn(rule, config));
    if (daily.length > 0) say(`Off until \`rules.on\` names them: ${daily.map(({ id }) => id).join(', ')}`);
    io.out(`Version of the set: ${version}\n`);
    return 0;
  },
};

/** Where a rule of the user's comes from, and the id that a Sigma rule has of its own. */
type Origin = { file: string; sigmaId: string | null };
const originsOf = ({ own, sigma }: RuleSet): ReadonlyMap<string, Origin> =>
  new Map([
    ...own.rules.map(({ rule, file }) => [rule.id, { file, sigmaId: null }] as const),
    ...sigma.rules.map(({ rule, sigma: { id, file } }) => [rule.id, { file, sigmaId: id }] as const),
  ]);

/** What is in the folders of `rules.sigma` and not run, a line each. */
const refusedOf = ({ sigma }: RuleSet): string[] =>
  sigma.refused.map(({ file, title, reason }) => plain(`Refused: ${title ?? 'a document'} of ${file}: ${reason}`));

/** What `rules --json` says of a rule. `pages`: whether a finding of it, at its usual severity, pages at default settings. */
function facts(rule: AnyRule, from: ReadonlyMap<string, Origin>): Record<string, unknown> {
  const { id, title, description, severity, confidence, principles, attack, owasp, feeds } = rule;
  const { falseAlarms, limits = [], reads, learns, kind = 'rule' } = rule;
  const { needs, better = {} } = feeds;
  return {
    ...{ id, title, description, severity, confidence, kind, ...(from.get(id) ?? { file: null, sigmaId: null }) },
    ...{ feeds: needs, better, pages: pagesByDefault(rule), byDefault: defaultOf(rule) },
    ...{ principle: principles, attack, owasp, falseAlarms, limits, reads, learns },
  };
}

const inNumber = (count: number, one: string, several: string): string => `${count} ${count === 1 ? one : several}`;

function describe(rule: AnyRule, io: Io): string {
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
  const shown = lines.map((line) => `  ${wrapped(io, line, 2)}`);
  const title = wrapped(io, rule.title, rule.id.length + 2);
  return [`${styled(io, 'bold', rule.id)}  ${title}`, ...shown, '', ''].join('\n');
}

async function validate(files: readonly string[], io: Io): Promise<number> {
  const config = loadConfig(io.env, io.cwd);
  const { set, own } = await ruleSetWith(config, { rulesFiles: files, exceptionsFile: undefined }, io.cwd);
  const what = files.length === 0 ? '' : `: ${[...own].join(', ')}`;
  io.out(`${inNumber(files.length === 0 ? set.rules.length : own.size, 'rule is', 'rules are')} in order${what}\n`);
  io.out(`Version of the set: ${set.version}\n`);
  return 0;
}

/** Runs test files in a separate Node process that resolves our packages for them. */
async function testRules(files: readonly string[], io: Io): Promise<number> {
  if (files.length === 0) throw new UsageError('name the test files to run');
  const args = ['--import', import.meta.resolve('@tripline/rules/outside'), '--test'];
  const child = spawn(process.execPath, [...args, ...files.map((file) => resolve(io.cwd, file))], {
    cwd: io.cwd,
    env: io.env,
    stdio: 'inherit',
  });
  const [status] = await once(child, 'exit');
  return typeof status === 'number' ? status : 1;
}
