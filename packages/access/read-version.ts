import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Version } from './diff.ts';
import { emptyLock, readLock } from './lock.ts';
import { readPolicies } from './policy.ts';
import { AccessFileError } from './yaml.ts';

/** `sha256`: of the file of policies, in hex. */
export type FileVersion = Version & { path: string; lockPath: string; sha256: string };

/** Beside a file of policies, by its name. */
export const lockFileOf = (file: string): string =>
  join(dirname(file), `${basename(file).replace(/\.ya?ml$/, '')}.lock`);

/**
 * Policies of a local file, and the ids that their names mean; nothing is pinned where there is no lock file.
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
  return {
    ...{ path, lockPath, sha256: createHash('sha256').update(text).digest('hex') },
    file: parsed(path, () => readPolicies(text)),
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
