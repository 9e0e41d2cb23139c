import type { Db } from '@tripline/db/database';
import type { StoredPolicies } from '../policy-mac.ts';

/** The version that was taken last; undefined before there is one. */
export async function readNewest({ pool }: Db): Promise<(StoredPolicies & { mac: string }) | undefined> {
  const { rows } = await pool.query<StoredPolicies & { mac: string }>(
    `SELECT repository_id AS "repositoryId", repository, branch, path, revision, policies, lock, files, reviewed, mac
     FROM access_policies ORDER BY nth DESC LIMIT 1`,
  );
  return rows[0];
}

/** Versions that were taken, oldest first, each with when: the newest of them, at most `most`. */
export async function readTaken(
  { pool }: Db,
  most: number,
): Promise<(StoredPolicies & { mac: string; takenAt: Date })[]> {
  const { rows } = await pool.query<StoredPolicies & { mac: string; takenAt: Date }>(
    `SELECT repository_id AS "repositoryId", repository, branch, path, revision, policies, lock, files, reviewed, mac, taken_at AS "takenAt"
     FROM access_policies ORDER BY nth DESC LIMIT $1`,
    [most],
  );
  return rows.toReversed();
}

/** Keeps a version, unless another broker has kept just that. */
export async function keepPolicies(
  { pool }: Db,
  { repositoryId, repository, branch, path, revision, policies, lock, files, reviewed }: StoredPolicies,
  { sha256, mac }: { sha256: string; mac: string },
): Promise<void> {
  await pool.query(
    `INSERT INTO access_policies (repository_id, repository, branch, path, revision, policies, lock, reviewed, sha256, mac, files)
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb
     WHERE $10 IS DISTINCT FROM (SELECT mac FROM access_policies ORDER BY nth DESC LIMIT 1)`,
    [repositoryId, repository, branch, path, revision, policies, lock, reviewed, sha256, mac, JSON.stringify(files)],
  );
}

/** Of a commit, as the detector told of it. */
export type StoredHead = { before: string | null; reviewed: 'reviewed' | 'unreviewed' | 'unknown'; why: string };

/** What is known of commits of the policies' repository, by its key. */
export async function readHeads({ pool }: Db, workspace: string, repository: string): Promise<Map<string, StoredHead>> {
  const { rows } = await pool.query<StoredHead & { revision: string }>(
    'SELECT revision, before, reviewed, why FROM known_heads WHERE workspace = $1 AND repository = $2',
    [workspace, repository],
  );
  return new Map(rows.map(({ revision, ...head }) => [revision, head]));
}

/** When anything was told of commits last: another time means that it is worth a look. */
export async function readHeadsMark({ pool }: Db): Promise<string> {
  const { rows } = await pool.query<{ mark: string }>(
    `SELECT coalesce(max(told_at)::text, '') || ' ' || count(*) AS mark FROM known_heads`,
  );
  return rows[0]!.mark;
}

/**
 * What keeps the newest policies from being in force: by `kind` it is known what is to be done. `unreadable`: the repository;
 * `unusable`: what they say.
 */
export type PolicyFault = {
  kind: 'unreadable' | 'unreviewed' | 'review-unknown' | 'other-repository' | 'unusable';
  revision: string | null;
  why: string;
};

/** Says for everybody what keeps the newest from being in force; null: nothing does. */
export async function notePolicyFault({ pool }: Db, place: string, fault: PolicyFault | null): Promise<void> {
  if (fault === null) await pool.query('DELETE FROM access_policy_faults WHERE place = $1', [place]);
  else
    await pool.query(
      `INSERT INTO access_policy_faults (place, revision, fault, kind) VALUES ($1, $2, $3, $4)
       ON CONFLICT (place) DO UPDATE SET revision = excluded.revision, fault = excluded.fault, kind = excluded.kind`,
      [place, fault.revision, fault.why, fault.kind],
    );
}
