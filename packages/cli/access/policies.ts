import { type Difference, diff } from '@tripline/access/diff';
import { lint } from '@tripline/access/lint';
import { runCases } from '@tripline/access/run-cases';
import { whoGets } from '@tripline/access/who-gets';
import { loadConfig } from '@tripline/config/config';
import { type Io, UsageError } from '../command.ts';
import { type Style, styled, wrapped } from '../show.ts';
import { problemsAtGithub } from './lint-at-github.ts';
import { readVersion } from './read-files.ts';

type Values = { file?: string | undefined; json?: boolean | undefined };

export function none(words: readonly string[]): void {
  if (words[0] !== undefined) throw new UsageError(`'${words[0]}' is one word too many; name a file by --file`);
}

/**
 * Says what is wrong with a file of policies and, where Apps or a reader are configured here, what GitHub says of that which it rests on.
 * @returns the exit status: 1 where it is not to be used as it is.
 */
export async function lintFile(
  words: readonly string[],
  { file, json = false, offline = false }: Values & { offline?: boolean | undefined },
  io: Io,
): Promise<number> {
  none(words);
  const version = readVersion(io.cwd, file);
  const asked = offline
    ? { problems: [], unasked: [] }
    : await problemsAtGithub(version.file, loadConfig(io.env, io.cwd));
  const problems = [...lint(version.file, version.lock, version.files), ...asked.problems];
  const errors = problems.filter(({ level }) => level === 'error').length;
  if (json) for (const problem of problems) io.out(`${JSON.stringify(problem)}\n`);
  else {
    for (const { level, policy, what } of problems) {
      const style = level === 'error' ? 'red' : 'yellow';
      io.out(
        `${styled(io, style, level.padEnd(6))}  ${wrapped(io, policy === undefined ? what : `${policy}: ${what}`, 8)}\n`,
      );
    }
    const count = Object.keys(version.file.policies).length + Object.keys(version.file.people).length;
    const number = count === 1 ? '1 policy' : `${count} policies`;
    io.out(
      errors === 0 ? `${number} in order\n` : `${number}, not to be used as ${count === 1 ? 'it is' : 'they are'}\n`,
    );
  }
  if (!json) for (const what of asked.unasked) io.err(`${wrapped(io, `not looked at: ${what}`, 2)}\n`);
  return errors === 0 ? 0 : 1;
}

export function testFile(words: readonly string[], { file, json = false }: Values, io: Io): number {
  none(words);
  const version = readVersion(io.cwd, file);
  const { count, faults } = runCases(version.file, version.lock);
  if (json) for (const fault of faults) io.out(`${JSON.stringify(fault)}\n`);
  else {
    for (const { policy, nth, what, reasons } of faults) {
      io.out(`${styled(io, 'red', 'fails')}  ${wrapped(io, `${policy}, test ${nth}: ${what}`, 7)}\n`);
      for (const { message } of reasons) io.out(`         ${wrapped(io, message, 9)}\n`);
    }
    io.out(`${count - faults.length} of ${count} tests come out as they say\n`);
  }
  return faults.length === 0 ? 0 : 1;
}

export function who(words: readonly string[], { file, json = false }: Values, io: Io): number {
  const getters = whoGets(readVersion(io.cwd, file).file, words.join(' '));
  if (json) for (const getter of getters) io.out(`${JSON.stringify(getter)}\n`);
  else if (getters.length === 0) io.out('No policy gives that.\n');
  else {
    for (const { policy, tier, gives, who, needs, until } of getters) {
      io.out(`${styled(io, 'bold', policy)}${tier === null ? '' : ` (${tier})`} gives ${wrapped(io, gives, 2)}\n`);
      for (const line of who) io.out(`  to     ${wrapped(io, line, 9)}\n`);
      for (const line of needs) io.out(`  needs  ${wrapped(io, line, 9)}\n`);
      io.out(`  until  ${wrapped(io, until, 9)}\n`);
    }
  }
  return 0;
}

const styles: Record<Difference['is'], Style> = { wider: 'red', other: 'yellow', narrower: 'green' };

/** Exit status 1: it gives something that was not given before. */
export function difference([former, next, more]: readonly string[], { file, json = false }: Values, io: Io): number {
  if (former === undefined || more !== undefined)
    throw new UsageError('say the former file: `tripline access diff former.yaml [access.yaml]`');
  if (next !== undefined && file !== undefined)
    throw new UsageError('name the new file once, by --file or after the former one');
  const differences = diff(readVersion(io.cwd, former), readVersion(io.cwd, next ?? file));
  if (json) for (const one of differences) io.out(`${JSON.stringify(one)}\n`);
  else if (differences.length === 0) io.out('Nothing is given otherwise.\n');
  else {
    for (const { is, policy, field, from, to } of differences) {
      const what = `${policy === undefined ? '' : `${policy}, `}${field}: ${from} → ${to}`;
      io.out(`${styled(io, styles[is], is.padEnd(8))}  ${wrapped(io, what, 10)}\n`);
    }
  }
  return differences.some(({ is }) => is !== 'narrower') ? 1 : 0;
}
