import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { loadConfig } from '@tripline/config/config';
import type { AnyRule } from '@tripline/contracts/rule';
import { loadRuleSet } from '@tripline/detector/load-rules';
import { type Command, type Io, readArguments, UsageError } from '../command.ts';
import { styled } from '../show.ts';

const options = { json: { type: 'boolean', doc: 'print one JSON object a line' } } as const;

export const rules: Command = {
  name: 'rules',
  summary: 'Show the rules: what each catches, what it needs, and what makes it raise a false alarm',
  usage: ['rules [--json]', 'rules test <file> [<file> …]'],
  details:
    'With `test`, runs tests of rules of your own (node:test) by the kit that tests ours; they may import @tripline/testing/timeline/in-words (timelines in words) and @tripline/testing/timeline/play from anywhere.',
  options,
  async run(args, io) {
    const { values, positionals } = readArguments(args, options, { atMost: 100 });
    if (positionals[0] === 'test') return testRules(positionals.slice(1), io);
    if (positionals.length > 0) throw new UsageError(`'${positionals[0]}' is nothing that can be asked of rules`);
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
  const { id, title, description, severity, confidence, principles, attack, owasp, tiers } = rule;
  const { falseAlarms, limits = [], reads, learns } = rule;
  return {
    ...{ id, title, description, severity, confidence, principles, attack, owasp, tiers },
    ...{ falseAlarms, limits, reads, learns },
  };
}

function describe(rule: AnyRule, io: Io): string {
  return [
    `${styled(io, 'bold', rule.id)}  ${rule.title}`,
    `  ${rule.description}`,
    `  Severity ${rule.severity}, confidence up to ${rule.confidence}; ATT&CK ${rule.attack.join(', ')}; ${rule.owasp.join(', ')}`,
    `  Needs feeds of tier ${rule.tiers.needs}${rule.tiers.better ? `; ${rule.tiers.better}` : ''}`,
    ...(rule.learns ? ['  Learns what is usual before it finds anything; see `tripline doctor`'] : []),
    ...rule.falseAlarms.map((alarm) => `  False alarm: ${alarm}`),
    ...(rule.limits ?? []).map((limit) => `  Not known: ${limit}`),
    '',
    '',
  ].join('\n');
}

/** Runs test files in a Node of their own, which resolves our packages for them. */
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
