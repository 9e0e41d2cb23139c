import type { Command } from './command.ts';

/** `tripline help`: every command, a line each. */
export function overview(commands: readonly Command[]): string {
  const width = Math.max(...commands.map((command) => command.name.length));
  const lines = commands.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`);
  return [
    'Tripline: a tripwire for build pipelines.',
    '',
    'Usage: tripline <command> [options]',
    '',
    ...lines,
    '',
    '`tripline help <command>` says more. Settings come from the environment and tripline.yaml; see the README.',
    '',
  ].join('\n');
}

/** `tripline help <command>`. */
export function commandHelp(command: Command): string {
  const lines = [`${command.summary}.`, ''];
  lines.push('Usage:', ...command.usage.map((usage) => `  tripline ${usage}`), '');
  if (command.details) lines.push(command.details, '');
  const options = Object.entries(command.options ?? {}).map(([name, option]) => ({
    flag: `--${name}${option.type === 'string' ? ` <${option.value ?? 'value'}>` : ''}`,
    doc: option.doc,
  }));
  if (options.length > 0) {
    const width = Math.max(...options.map(({ flag }) => flag.length));
    lines.push('Options:', ...options.map(({ flag, doc }) => `  ${flag.padEnd(width)}  ${doc}`), '');
  }
  return lines.join('\n');
}
