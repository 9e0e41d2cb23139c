import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { type Config, loadConfig } from '@tripline/config/config';
import { betterInWords, oneOfFeeds } from '@tripline/contracts/feeds';
import type { AnyRule } from '@tripline/contracts/rule';
import { loadRuleSet, type RuleSet } from '@tripline/detector/load-rules';
import { type Command, type Io, readArguments, UsageError } from '../command.ts';
import { dryRun } from '../dry-run.ts';
import { lineOf, moment, styled, wrapped } from '../show.ts';
import { momentOf, wholeNumber } from '../since.ts';
import { withStore } from '../store.ts';

const options = {
  since: {
    type: 'string',
    value: 'time',
    doc: 'with dry-run, how far back: 30m, 24h, 7d, a day or a time; 7d when absent',
  },
  limit: { type: 'string', value: 'n', doc: 'with dry-run, at most so many events; 1000000 when absent' },
  json: { type: 'boolean', doc: 'print one JSON object a line' },
} as const;

export const rules: Command = {
  name: 'rules',
  summary: 'Show the rules: what each catches, what it needs, and what makes it raise a false alarm',
  usage: [
    'rules [--json]',
    'rules validate [<file> …]',
    'rules dry-run [--since <time>] [--limit <n>] [--json] [<file> …]',
    'rules test <file> [<file> …]',
  ],
  details:
    'With `validate`, checks tripline.yaml and its rules as a detector would take them, with files or folders of rules beside those that it names; says what is wrong, in which file and where, and exits 1. ' +
    'With `dry-run`, also judges by them what the audit trail kept, in memory: nothing is recorded, and nobody is notified. Of files that are named, only what their rules find is shown; of what happened before, nothing is known. ' +
    'With `test`, runs tests of rules of your own (node:test) by the kit that tests ours; they may import tripline/testing/timeline/in-words (timelines in words) and tripline/testing/timeline/play from anywhere.',
  options,
  async run(args, io) {
    const { values, positionals } = readArguments(args, options, { atMost: 100 });
    if (positionals[0] === 'test') return testRules(positionals.slice(1), io);
    if (positionals[0] === 'validate') return validate(positionals.slice(1), io);
    if (positionals[0] === 'dry-run') return tryOut(positionals.slice(1), values, io);
    if (positionals.length > 0) throw new UsageError(`'${positionals[0]}' is no verb of rules`);
    const config = loadConfig(io.env, io.cwd);
    const { rules: configured, version } = await loadRuleSet(config);
    for (const { rule } of configured) {
      io.out(values.json ? `${JSON.stringify(facts(rule))}\n` : describe(rule, io));
    }
    if (values.json) return 0;
    if (config.rules.off.length > 0) io.out(`Off: ${config.rules.off.join(', ')}\n`);
    io.out(`Version of the set: ${version}\n`);
    return 0;
  },
};

function facts(rule: AnyRule): Record<string, unknown> {
  const { id, title, description, severity, confidence, principles, attack, owasp, feeds } = rule;
  const { falseAlarms, limits = [], reads, learns } = rule;
  return {
    ...{ id, title, description, severity, confidence, principles, attack, owasp, feeds },
    ...{ falseAlarms, limits, reads, learns },
  };
}

const inNumber = (count: number, one: string, several: string): string => `${count} ${count === 1 ? one : several}`;

function describe(rule: AnyRule, io: Io): string {
  const lines = [
    rule.description,
    `Severity ${rule.severity}, confidence up to ${rule.confidence}; ATT&CK ${rule.attack.join(', ')}; ${rule.owasp.join(', ')}`,
    [`Needs ${oneOfFeeds(rule.feeds.needs)}.`, ...betterInWords(rule.feeds.better)].join(' '),
    ...(rule.learns ? ['Learns what is usual before it finds anything; see `tripline doctor`'] : []),
    ...rule.falseAlarms.map((alarm) => `False alarm: ${alarm}`),
    ...(rule.limits ?? []).map((limit) => `Not known: ${limit}`),
  ];
  const shown = lines.map((line) => `  ${wrapped(io, line, 2)}`);
  const title = wrapped(io, rule.title, rule.id.length + 2);
  return [`${styled(io, 'bold', rule.id)}  ${title}`, ...shown, '', ''].join('\n');
}

/** The rule set with these files added; `own`: ids of the rules that they define. */
async function loadWith(files: readonly string[], io: Io): Promise<{ config: Config; set: RuleSet; own: Set<string> }> {
  const config = loadConfig(io.env, io.cwd);
  const { filesNamedBy } = await import('@tripline/detector/rule-files');
  const named = (file: string, baseDir: string) => {
    try {
      return filesNamedBy(file, baseDir);
    } catch {
      // Loading reports what is wrong with it.
      return [resolve(baseDir, file)];
    }
  };
  const known = new Set(config.rules.files.flatMap((file) => named(file, config.baseDir)));
  const given = new Set(files.flatMap((file) => named(file, io.cwd)));
  const more = [...given].filter((path) => !known.has(path));
  const set = await loadRuleSet({ ...config, rules: { ...config.rules, files: [...config.rules.files, ...more] } });
  const ofGiven = set.own.rules.filter(({ file }) => given.has(resolve(config.baseDir, file)));
  return { config, set, own: new Set((given.size === 0 ? set.rules : ofGiven).map(({ rule }) => rule.id)) };
}

async function validate(files: readonly string[], io: Io): Promise<number> {
  const { set, own } = await loadWith(files, io);
  const what = files.length === 0 ? '' : `: ${[...own].join(', ')}`;
  io.out(`${inNumber(files.length === 0 ? set.rules.length : own.size, 'rule is', 'rules are')} in order${what}\n`);
  io.out(`Version of the set: ${set.version}\n`);
  return 0;
}

async function tryOut(
  files: readonly string[],
  values: { since?: string | undefined; limit?: string | undefined; json?: boolean | undefined },
  io: Io,
): Promise<number> {
  const { config, set, own } = await loadWith(files, io);
  const since = momentOf('--since', values.since ?? '7d', Date.now());
  const limit = wholeNumber('--limit', values.limit ?? '1000000');
  const result = await withStore(config, (db) => dryRun(db, config, set, { since, limit }));
  const findings = result.findings.filter(({ finding }) => own.has(finding.rule));
  for (const { finding, heldBy } of findings) {
    if (values.json) io.out(`${JSON.stringify({ ...finding, heldBy })}\n`);
    else {
      const { detectedAt, severity, rule, title } = finding;
      const state = {
        text: (heldBy ?? 'told').padEnd(10),
        style: heldBy === null ? ('green' as const) : ('dim' as const),
      };
      io.out(
        lineOf(io, [
          { text: moment(detectedAt) },
          { text: severity.padEnd(8) },
          state,
          { text: rule },
          { text: title },
        ]),
      );
    }
  }
  const faults = result.faults.filter(({ rule }) => own.has(rule) || rule.startsWith('@'));
  for (const { rule, reason } of faults) io.err(`rule ${rule} threw: ${reason}\n`);
  if (!values.json) {
    const told = findings.filter(({ heldBy }) => heldBy === null).length;
    io.out(
      `${inNumber(result.events, 'event', 'events')} since ${moment(since.toISOString())}: ${inNumber(findings.length, 'finding', 'findings')}, of which ${told} told; ${result.retracted} retracted\n`,
    );
    if (result.isCut) io.out(`There may be more events: only ${limit} were read, see --limit\n`);
  }
  return faults.length > 0 ? 1 : 0;
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
