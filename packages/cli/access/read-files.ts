import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type FileVersion, readVersionAt } from '@tripline/access/read-version';
import { AccessFileError } from '@tripline/access/yaml';
import { UserError } from '../command.ts';

/** Where policies stand when no file is named. */
export const usualFile = 'access.yaml';
export const hasUsualFile = (cwd: string): boolean => existsSync(resolve(cwd, usualFile));

/**
 * Policies, and the ids that their names mean; nothing is pinned where there is no lock file.
 * @throws {UserError} naming the file that cannot be read, and why.
 */
export function readVersion(cwd: string, named: string = usualFile): FileVersion {
  try {
    return readVersionAt(resolve(cwd, named));
  } catch (error) {
    if (!(error instanceof AccessFileError)) throw error;
    throw new UserError(error.message);
  }
}
