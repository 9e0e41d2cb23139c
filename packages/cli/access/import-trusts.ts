import { readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { readTrusts } from '@tripline/access/import/formats';
import { type Said, toPolicies } from '@tripline/access/import/to-policies';
import { ImportError, type Trust } from '@tripline/access/import/trust';
import { plain } from '@tripline/runtime/plain';
import { type Io, UsageError, UserError } from '../command.ts';

/**
 * Prints a file of policies that admits nobody whom the files do not admit, with what was looser there and what cannot be said as comments.
 * @returns the exit status: 1 where something was not translated.
 */
export function importTrusts(files: readonly string[], said: Said & { target?: string | undefined }, io: Io): number {
  if (files.length === 0) throw new UsageError('name the files: `tripline access import deploy.sts.yaml`');
  const trusts = files.flatMap((file) => read(file, said.target, io));
  const { text, notes } = toPolicies(trusts, said);
  for (const { policy, level, what } of notes)
    io.out(`# ${plain(policy)}: ${level === 'looser' ? 'was looser' : 'not translated'}: ${plain(what)}\n`);
  if (text === undefined) io.out('# No policy can be written.\n');
  else io.out(`# Next: \`tripline access lock\`, \`lint\`, and a review by somebody else.\n${text}`);
  return text === undefined || notes.some(({ level }) => level === 'lacks') ? 1 : 0;
}

function read(file: string, target: string | undefined, io: Io): Trust[] {
  let text: string;
  try {
    text = readFileSync(resolve(io.cwd, file), 'utf8');
  } catch (error) {
    throw new UserError(`${file} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
  try {
    return readTrusts({ name: basename(file), text, target });
  } catch (error) {
    if (!(error instanceof ImportError)) throw error;
    throw new UserError(`${file} cannot be imported: ${error.message}`);
  }
}
