import { endWithReader } from '@tripline/runtime/lifecycle';
import { type Command, type Io, UsageError } from './command.ts';
import { sentenceFor } from './errors.ts';
import { commandHelp, overview } from './help.ts';
import { commands } from './table.ts';
import { version } from './version.ts';

/**
 * The command line: finds the command, runs it, and turns what it throws into a sentence and an exit status: 2 for
 * wrong usage, 1 for what the user can fix.
 */
export async function main(argv: readonly string[], io: Io = processIo()): Promise<number> {
  const [name, ...args] = argv;
  if (name === '--version' || name === '-v') {
    io.out(`${version()}\n`);
    return 0;
  }
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') return help(args[0], io);
  const command = commands.find((candidate) => candidate.name === name);
  if (!command) return wrongUsage(`'${name}' is no command`, undefined, io);
  if (args.includes('--help') || args.includes('-h')) return help(name, io);
  try {
    return await command.run(args, io);
  } catch (error) {
    if (error instanceof UsageError) return wrongUsage(error.message, command, io);
    return failure(error, io);
  }
}

function help(name: string | undefined, io: Io): number {
  if (name === undefined) {
    io.out(overview(commands, io));
    return 0;
  }
  const command = commands.find((candidate) => candidate.name === name);
  if (!command) return wrongUsage(`'${name}' is no command`, undefined, io);
  io.out(commandHelp(command, io));
  return 0;
}

function wrongUsage(message: string, command: Command | undefined, io: Io): number {
  const ways = command?.usage.map((usage) => `tripline ${usage}`).join('\n       ') ?? 'tripline <command> [options]';
  const more = command ? `tripline help ${command.name}` : 'tripline help';
  io.err(`tripline: ${message}\nusage: ${ways}\n\`${more}\` says more.\n`);
  return 2;
}

function failure(error: unknown, io: Io): number {
  // A bug of ours or of a dependency: a report of it needs the stack.
  io.err(`tripline: ${sentenceFor(error) ?? (error as Error)?.stack ?? String(error)}\n`);
  return 1;
}

function processIo(): Io {
  endWithReader();
  return {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    stdin: process.stdin,
    env: process.env,
    cwd: process.cwd(),
    isTerminal: Boolean(process.stdout.isTTY) && !process.env['NO_COLOR'],
    columns: process.stdout.columns,
  };
}
