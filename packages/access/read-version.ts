import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Version } from './diff.ts';
import { filesNamed, type NamedFiles } from './files.ts';
import { emptyLock, readLock } from './lock.ts';
import { readPolicies } from './policy.ts';
import { AccessFileError } from './yaml.ts';

/** `sha256`: of the file of policies, in hex. */
export type FileVersion = Version & { path: string; lockPath: string; sha256: string; files: NamedFiles };

/** Beside a file of policies, by its name. */
export const lockFileOf = (file: string): string =>
  join(dirname(file), `${basename(file).replace(/\.ya?ml$/, '')}.lock`);

/**
 * Policies of a local file, the ids that their names mean, and the files that they name; nothing is pinned where there is no lock
 * file, and a file that is not there is absent.
 * @throws {AccessFileError} naming the file that cannot be used, and why.
 */
export function readVersionAt(path: string): FileVersion {
  const lockPath = lockFileOf(path);
  const text = read(path);
  if (text === undefined)
    throw new AccessFileError(
      `${path} is not there: name a file of policies, or write one; packages/access/README.md shows one`,
    );
  const lockText = read(lockPath);
  const file = parsed(path, () => readPolicies(text));
  const named = filesNamed(file).map((one) => [one, read(join(dirname(path), one))] as const);
  return {
    ...{ path, lockPath, sha256: createHash('sha256').update(text).digest('hex') },
    file,
    files: Object.fromEntries(named.flatMap(([one, told]) => (told === undefined ? [] : [[one, told]]))),
    lock: lockText === undefined ? emptyLock : parsed(lockPath, () => readLock(lockText)),
  };
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new AccessFileError(`${path} cannot be read: ${code}`);
  }
}

function parsed<T>(path: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof AccessFileError)) throw error;
    throw new AccessFileError(`${path} cannot be used:\n${error.message.replaceAll(/^/gm, '  ')}`);
  }
}
