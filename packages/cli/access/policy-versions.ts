import type { Version } from '@tripline/access/diff';
import { emptyLock, readLock } from '@tripline/access/lock';
import { readPolicies } from '@tripline/access/policy';
import { AccessFileError } from '@tripline/access/yaml';
import { isOurPolicies } from '@tripline/broker/policy-mac';
import { readTaken } from '@tripline/broker/store/policies';
import type { Config } from '@tripline/config/config';
import type { Db } from '@tripline/db/database';
import { readVersion } from './read-files.ts';

/** Policies, since when they are in force, and how that is said: `acme/access@9f2c8d10aa01`. */
export type DatedVersion = Version & { fromMs: number; said: string };

const mostVersions = 1000;

/**
 * Those that a broker took from `broker.policy.repository`, oldest first, the newest `most` of them; each was in force until the next. Empty
 * where it took none.
 */
export async function versionsTaken(
  db: Db,
  { broker: { policy, eventKeys } }: Pick<Config, 'broker'>,
  most = mostVersions,
): Promise<DatedVersion[]> {
  if (policy === undefined || !('repository' in policy)) return [];
  return (await readTaken(db, most)).flatMap(({ mac, takenAt, ...stored }) => {
    const isOfPlace =
      stored.repository === policy.repository && stored.branch === policy.branch && stored.path === policy.path;
    if (!isOfPlace) return [];
    const proof =
      eventKeys === undefined
        ? ' (not proved: set broker.eventKeys)'
        : isOurPolicies(stored, mac, eventKeys)
          ? ''
          : null;
    // Whoever may write the table, and has no key of the broker's, made this one.
    if (proof === null) return [];
    const lock = stored.lock === '' ? emptyLock : orNone(() => readLock(stored.lock));
    const file = orNone(() => readPolicies(stored.policies));
    if (file === undefined || lock === undefined) return [];
    const said = `${policy.repository}@${stored.revision.slice(0, 12)}${proof}`;
    return [{ file, lock, files: stored.files, fromMs: takenAt.getTime(), said }];
  });
}

/** A local file as it is now, taken for what always was in force. */
export function versionOfFile(cwd: string, file: string | undefined): DatedVersion {
  const version = readVersion(cwd, file);
  return { ...version, fromMs: Number.NEGATIVE_INFINITY, said: `${version.path} as it is now` };
}

/** A version of a form that this one does not read any more. */
function orNone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof AccessFileError)) throw error;
    return undefined;
  }
}
