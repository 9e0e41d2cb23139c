import { createHmac, timingSafeEqual } from 'node:crypto';

/** What the MAC of a stored version covers: all that decides what it gives, and where it came from. */
export type StoredPolicies = {
  repositoryId: string;
  repository: string;
  branch: string;
  path: string;
  revision: string;
  policies: string;
  lock: string;
  reviewed: string;
};

/** The MAC of `key`: whoever may write the table, and has no key, writes no policies. */
export function macOfPolicies(stored: StoredPolicies, key: string): string {
  const { repositoryId, repository, branch, path, revision, policies, lock, reviewed } = stored;
  const covered = [repositoryId, repository, branch, path, revision, policies, lock, reviewed];
  return createHmac('sha256', key)
    .update(`policies of access\n${JSON.stringify(covered)}`)
    .digest('base64');
}

/** Whether one of `keys` made it; several while one is being rotated. */
export function isOurPolicies(stored: StoredPolicies, mac: string, keys: readonly string[]): boolean {
  const given = Buffer.from(mac);
  return keys.some((key) => {
    const expected = Buffer.from(macOfPolicies(stored, key));
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}
