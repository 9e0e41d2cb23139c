import { loadConfig } from '@tripline/config/config';
import type { AnyRule } from '@tripline/contracts/rule';
import { isOn, loadRuleSet } from '@tripline/detector/load-rules';
import { type Default, defaultOf } from '@tripline/rules/defaults';
import { rules as ownRules } from '@tripline/rules/registry';
import { type Command, type Io, readArguments, UsageError } from '../command.ts';
import { ruleSetWith } from '../replay/change.ts';
import { facts, originsOf, refusedOf } from '../rules/facts.ts';
import { showRule } from '../rules/show-rule.ts';
import { testRules } from '../rules/test-rules.ts';
import { lineOf, severityStyles, wrapped } from '../show.ts';

const options = {
  json: { type: 'boolean', doc: 'print one JSON object a line' },
  accept: { type: 'boolean', doc: 'with `test`: write what is found into the fixtures as what they expect' },
} as const;

export const rules: Command = {
  name: 'rules',
  summary: 'List the rules; show what one catches, what it needs, and what makes it raise a false alarm',
  usage: [
    'rules [--json]',
    'rules show <id> [--json]',
    'rules validate [<file> …]',
    'rules test [--accept] <file> [<file> …]',
  ],
  details:
    'With `show`, says of one rule its settings, which feeds it has and lacks, until when it learns, and what became of its findings. ' +
    'With `validate`, checks tripline.yaml and its rules as a detector would take them, with files or folders of rules (Sigma rules among them) beside those that it names; says what is wrong, in which file and where, and exits 1. ' +
    '`tripline replay` judges by them what the audit trail kept. ' +
    'With `test`, runs tests of rules of your own (node:test) by the kit that tests ours; they may import tripline/testing/timeline/in-words (timelines in words), tripline/testing/timeline/captured and tripline/testing/timeline/play from anywhere. ' +
    'Fixtures of `tripline capture` (.jsonl) are judged by the rules in force, and held to the findings that they name. A folder stands for the tests and fixtures in it, and a rule’s file for the test beside it. Exit status 1 where something does not hold.',
  options,
  async run(args, io) {
    const { values, positionals } = readArguments(args, options, { atMost: 100 });
    if (positionals[0] === 'test') return testRules(positionals.slice(1), values.accept === true, io);
    if (values.accept) throw new UsageError('--accept is for `rules test`');
    if (positionals[0] === 'validate') return validate(positionals.slice(1), io);
    const isShow = positionals[0] === 'show';
    if (positionals.length > 0 && !isShow) throw new UsageError(`'${positionals[0]}' is no verb of rules`);
    const config = loadConfig(io.env, io.cwd);
    const set = await loadRuleSet(config);
    if (isShow) {
      const [, id, more] = positionals;
      if (id === undefined || more !== undefined) throw new UsageError('say which rule: rules show <id>');
      return showRule(set, config, io, { id, json: values.json === true });
    }
    const { rules: configured, version } = set;
    if (values.json) {
      const off = ownRules.filter((rule) => !isOn(rule, config));
      const from = originsOf(set);
      for (const rule of [...configured.map((one) => one.rule), ...off])
        io.out(`${JSON.stringify({ ...facts(rule, from), runs: isOn(rule, config) })}\n`);
      for (const line of refusedOf(set)) io.err(`${line}\n`);
      return 0;
    }
    const run = configured.map(({ rule }) => ({ rule, does: defaultOf(rule).does }));
    const off = ownRules.filter((rule) => !isOn(rule, config)).map((rule) => ({ rule, does: 'off' as const }));
    for (const one of [...run, ...off]) io.out(inOneLine(one, io));
    const say = (text: string) => io.out(`${wrapped(io, text, 0)}\n`);
    io.out('\n');
    for (const line of refusedOf(set)) say(line);
    const paging = run.filter(({ does }) => does === 'pages').length;
    const whole = `${inNumber(run.length, 'rule runs', 'rules run')}, of which ${paging} page by default; ${off.length} are off (\`rules.off\`, or until \`rules.on\` names them).`;
    say(`${whole} \`tripline rules show <id>\` says what one catches, needs, and costs in false alarms.`);
    io.out(`Version of the set: ${version}\n`);
    return 0;
  },
};

/** Its severity at its usual best, what it does by default, its id and what it finds. */
function inOneLine({ rule, does }: { rule: AnyRule; does: Default['does'] | 'off' }, io: Io): string {
  return lineOf(io, [
    { text: rule.severity.padEnd('critical'.length), style: severityStyles[rule.severity] },
    { text: does.padEnd('informs'.length), ...(does === 'off' ? { style: 'dim' as const } : {}) },
    { text: rule.id, style: 'bold' },
    { text: rule.title },
  ]);
}

const inNumber = (count: number, one: string, several: string): string => `${count} ${count === 1 ? one : several}`;

async function validate(files: readonly string[], io: Io): Promise<number> {
  const config = loadConfig(io.env, io.cwd);
  const { set, own } = await ruleSetWith(config, { rulesFiles: files, exceptionsFile: undefined }, io.cwd);
  const given = files.length === 0 ? set.rules.length : own.size;
  const what = files.length === 0 ? '' : `: ${[...own].join(', ')}`;
  io.out(`${inNumber(given, 'rule is', 'rules are')} in order${what}\n`);
  for (const line of refusedOf(set)) io.out(`${wrapped(io, line, 0)}\n`);
  io.out(`Version of the set: ${set.version}\n`);
  return 0;
}
