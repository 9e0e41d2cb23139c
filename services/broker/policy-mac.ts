import { createHmac, timingSafeEqual } from 'node:crypto';
import type { NamedFiles } from '@tripline/access/files';

/** What the MAC of a stored version covers: all that decides what it gives, and where it came from. */
export type StoredPolicies = {
  repositoryId: string;
  repository: string;
  branch: string;
  path: string;
  revision: string;
  policies: string;
  lock: string;
  /** Of the files that the policies name, by path. */
  files: NamedFiles;
  reviewed: string;
};

/** The MAC of `key`: whoever may write the table, and has no key, writes no policies. */
export function macOfPolicies(stored: StoredPolicies, key: string): string {
  const { repositoryId, repository, branch, path, revision, policies, lock, files, reviewed } = stored;
  const covered = [repositoryId, repository, branch, path, revision, policies, lock, reviewed, ...inOrder(files)];
  return createHmac('sha256', key)
    .update(`policies of access\n${JSON.stringify(covered)}`)
    .digest('base64');
}

/** In one order, whatever the database made of it; nothing where there are none, as versions were covered that had none yet. */
export const inOrder = (files: NamedFiles): [string, string][][] =>
  Object.keys(files).length === 0 ? [] : [Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1))];

/** Whether one of `keys` made it; several while one is being rotated. */
export function isOurPolicies(stored: StoredPolicies, mac: string, keys: readonly string[]): boolean {
  const given = Buffer.from(mac);
  return keys.some((key) => {
    const expected = Buffer.from(macOfPolicies(stored, key));
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}
