import type { Command, Io } from './command.ts';
import { wrapped } from './show.ts';

/** `tripline help`: every command, with what it does. */
export function overview(commands: readonly Command[], io: Io): string {
  const width = Math.max(...commands.map((command) => command.name.length));
  const lines = commands.map(
    (command) => `  ${command.name.padEnd(width)}  ${wrapped(io, command.summary, width + 4)}`,
  );
  return [
    'Tripline: a tripwire for build pipelines.',
    '',
    'Usage: tripline <command> [options]',
    '',
    ...lines,
    '',
    wrapped(
      io,
      '`tripline help <command>` says more. Settings come from the environment and tripline.yaml; see the README.',
      0,
    ),
    '',
  ].join('\n');
}

/** `tripline help <command>`, in lines that fit the terminal. */
export function commandHelp(command: Command, io: Io): string {
  const lines = [wrapped(io, `${command.summary}.`, 0), ''];
  lines.push('Usage:', ...command.usage.map((usage) => `  tripline ${usage}`), '');
  if (command.details) lines.push(wrapped(io, command.details, 0), '');
  const options = Object.entries(command.options ?? {}).map(([name, option]) => ({
    flag: `--${name}${option.type === 'string' ? ` <${option.value ?? 'value'}>` : ''}`,
    doc: option.doc,
  }));
  if (options.length > 0) {
    const width = Math.max(...options.map(({ flag }) => flag.length));
    lines.push(
      'Options:',
      ...options.map(({ flag, doc }) => `  ${flag.padEnd(width)}  ${wrapped(io, doc, width + 4)}`),
      '',
    );
  }
  return lines.join('\n');
}
