import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Version } from '@tripline/access/diff';
import { emptyLock, readLock } from '@tripline/access/lock';
import { readPolicies } from '@tripline/access/policy';
import { AccessFileError } from '@tripline/access/yaml';
import { UserError } from '../command.ts';

/** Where policies stand when no file is named. */
export const usualFile = 'access.yaml';
export const hasUsualFile = (cwd: string): boolean => existsSync(resolve(cwd, usualFile));
/** Beside a file of policies, by its name. */
export const lockFileOf = (file: string): string =>
  join(dirname(file), file.replace(/^.*[/\\]/, '').replace(/\.ya?ml$/, '') + '.lock');

/**
 * Policies, and the ids that their names mean; nothing is pinned where there is no lock file.
 * @throws {UserError} naming the file that cannot be read, and why.
 */
export function readVersion(cwd: string, named: string = usualFile): Version & { path: string; lockPath: string } {
  const path = resolve(cwd, named);
  const lockPath = lockFileOf(path);
  const text = read(path);
  if (text === undefined)
    throw new UserError(
      `${path} is not there: name a file of policies, or write one; packages/access/README.md shows one`,
    );
  const lockText = read(lockPath);
  return {
    ...{ path, lockPath, file: parsed(path, () => readPolicies(text)) },
    lock: lockText === undefined ? emptyLock : parsed(lockPath, () => readLock(lockText)),
  };
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new UserError(`${path} cannot be read: ${code}`);
  }
}

function parsed<T>(path: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof AccessFileError)) throw error;
    throw new UserError(`${path} cannot be used:\n${error.message.replaceAll(/^/gm, '  ')}`);
  }
}
