import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Version } from '@tripline/access/diff';
import { type FileVersion, lockFileOf, readVersionAt } from '@tripline/access/read-version';
import { AccessFileError } from '@tripline/access/yaml';

/** Policies in force. `revision`: the commit that they were read at; null where that is a local file. */
export type PoliciesInForce = Version & { sha256: string; revision: string | null };
export type CurrentPolicies = () => PoliciesInForce | { fault: string };

/**
 * The policies of a local file as it is now: a file is edited until its dry runs say what they should. Read again when it or its
 * lock file changes.
 */
export function createLocalPolicies(baseDir: string, file: string, audience: string | undefined): CurrentPolicies {
  const path = resolve(baseDir, file);
  let readAs: string | undefined;
  let current: PoliciesInForce | { fault: string };
  return () => {
    const stamp = [path, lockFileOf(path)].map(stampOf).join();
    if (stamp !== readAs) {
      current = read(path, audience);
      readAs = stamp;
    }
    return current;
  };
}

function read(path: string, audience: string | undefined): PoliciesInForce | { fault: string } {
  try {
    const { file, lock, sha256, files }: FileVersion = readVersionAt(path);
    if (file.audience !== audience)
      return {
        fault: `${path} is for the audience ${file.audience}, and identity.audience is ${audience ?? 'not set'}`,
      };
    return { file, lock, files, sha256, revision: null };
  } catch (error) {
    if (!(error instanceof AccessFileError)) throw error;
    return { fault: error.message };
  }
}

function stampOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? 'none' : `${stat.ino} ${stat.size} ${stat.mtimeMs}`;
}
