import { loadRules } from '@tripline/detector/load-rules';
import type { AnyRule } from '@tripline/rules/contract';
import { loadConfig } from '@tripline/runtime/config';
import { type Command, type Io, readArguments } from '../command.ts';
import { styled } from '../show.ts';

const options = { json: { type: 'boolean', doc: 'print one JSON object a line' } } as const;

export const rules: Command = {
  name: 'rules',
  summary: 'Show the rules: what each catches, what it needs, and what makes it raise a false alarm',
  usage: ['rules [--json]'],
  options,
  async run(args, io) {
    const { values } = readArguments(args, options, { atMost: 0 });
    const config = loadConfig(io.env, io.cwd);
    for (const { rule } of await loadRules(config)) {
      io.out(values.json ? `${JSON.stringify(facts(rule))}\n` : describe(rule, io));
    }
    if (!values.json && config.rules.off.length > 0) io.out(`Off: ${config.rules.off.join(', ')}\n`);
    return 0;
  },
};

function facts(rule: AnyRule): Record<string, unknown> {
  const { id, title, description, severity, confidence, principles, attack, owasp, tiers, falseAlarms, reads, learns } =
    rule;
  return { id, title, description, severity, confidence, principles, attack, owasp, tiers, falseAlarms, reads, learns };
}

function describe(rule: AnyRule, io: Io): string {
  return [
    `${styled(io, 'bold', rule.id)}  ${rule.title}`,
    `  ${rule.description}`,
    `  Severity ${rule.severity}, confidence up to ${rule.confidence}; ATT&CK ${rule.attack.join(', ')}; ${rule.owasp.join(', ')}`,
    `  Needs feeds of tier ${rule.tiers.needs}${rule.tiers.better ? `; ${rule.tiers.better}` : ''}`,
    ...(rule.learns ? ['  Learns what is usual before it finds anything; see `tripline doctor`'] : []),
    ...rule.falseAlarms.map((alarm) => `  False alarm: ${alarm}`),
    '',
    '',
  ].join('\n');
}
