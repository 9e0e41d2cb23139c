import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';

/** Environment, output and terminal of a command, so that tests can replace them. */
export type Io = {
  /** Writes text to stdout or stderr; the caller ends lines. */
  out: (text: string) => void;
  err: (text: string) => void;
  stdin: NodeJS.ReadableStream;
  env: Record<string, string | undefined>;
  cwd: string;
  /** Colours and rewritten lines are for terminals only. */
  isTerminal: boolean;
  /** How wide the terminal is, in characters. Absent: 80. */
  columns?: number | undefined;
};

/** An option of parseArgs, and what help says of it. */
export type Option = ParseArgsOptionsConfig[string] & { doc: string; value?: string };

/** One verb of `tripline`. Help is made from these fields. */
export type Command = {
  name: string;
  /** One line, in the imperative. */
  summary: string;
  /** Each way to call it, without `tripline`. */
  usage: readonly string[];
  /** A paragraph, where the summary does not say enough. */
  details?: string;
  options?: Readonly<Record<string, Option>>;
  /**
   * @returns the exit status.
   * @throws {UsageError} (status 2) or {@link UserError} (status 1); anything else is a bug.
   */
  run: (args: readonly string[], io: Io) => Promise<number>;
};

/** Wrong usage of a command: exit status 2. */
export class UsageError extends Error {
  readonly code = 'USAGE';
}

/** An error that the user can fix; the message says how. Exit status 1, no stack. */
export class UserError extends Error {
  readonly code = 'USER';
}

type Arguments<T extends ParseArgsOptionsConfig> = ReturnType<
  typeof parseArgs<{ args: string[]; options: T; allowPositionals: true; strict: true }>
>;

/**
 * Reads a command's arguments.
 * @throws {UsageError} on an unknown option, a missing value, or more than `positionals` plain words.
 */
export function readArguments<T extends ParseArgsOptionsConfig>(
  args: readonly string[],
  options: T,
  positionals: { atMost: number },
): Arguments<T> {
  let read: Arguments<T>;
  try {
    read = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    // parseArgs adds advice on quoting after the first sentence.
    throw new UsageError((error as Error).message.split('. ')[0] ?? 'wrong arguments');
  }
  const surplus = read.positionals[positionals.atMost];
  if (surplus !== undefined) throw new UsageError(`'${surplus}' is one word too many`);
  return read;
}

/** Takes one of `choices` from the command line. */
export function oneOf<T extends string>(what: string, given: string | undefined, choices: readonly T[]): T {
  if (given !== undefined && (choices as readonly string[]).includes(given)) return given as T;
  const list = choices.join(', ');
  throw new UsageError(given === undefined ? `say which ${what}: ${list}` : `'${given}' is no ${what}; say ${list}`);
}
