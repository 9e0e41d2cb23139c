import type { Standing } from '@tripline/access/standing';
import type { Db } from '@tripline/db/database';

/** What the log was told of a thing, and when. */
export type ToldStanding = { id: string; row: Standing; sha256: string; toldAt: Date };

/** Takes the look at an organisation where none was begun since `before`: of several brokers one looks. */
export async function claimLook(
  { pool }: Db,
  { organization, workspace, now, before }: { organization: string; workspace: string; now: Date; before: Date },
): Promise<boolean> {
  const { rowCount } = await pool.query(
    `INSERT INTO standing_looks (organization, workspace, looked_at) VALUES ($1, $2, $3)
     ON CONFLICT (organization) DO UPDATE SET workspace = $2, looked_at = $3 WHERE standing_looks.looked_at <= $4`,
    [organization, workspace, now, before],
  );
  return rowCount === 1;
}

/** The look was told to its end; or why it was not, and from when on it counts as begun, so that it is tried again sooner. */
export async function finishLook(
  { pool }: Db,
  organization: string,
  how: { wholeAt: Date } | { fault: string; lookedAt: Date },
): Promise<void> {
  if ('wholeAt' in how)
    await pool.query('UPDATE standing_looks SET whole_at = $2, fault = NULL WHERE organization = $1', [
      organization,
      how.wholeAt,
    ]);
  else
    await pool.query('UPDATE standing_looks SET fault = $2, looked_at = $3 WHERE organization = $1', [
      organization,
      how.fault,
      how.lookedAt,
    ]);
}

export async function readTold({ pool }: Db, organization: string): Promise<Map<string, ToldStanding>> {
  const { rows } = await pool.query<{ id: string; row: Standing; told_sha256: string; told_at: Date }>(
    'SELECT id, row, told_sha256, told_at FROM standing_privileges WHERE organization = $1',
    [organization],
  );
  return new Map(
    rows.map(({ id, row, told_sha256, told_at }) => [id, { id, row, sha256: told_sha256, toldAt: told_at }]),
  );
}

/**
 * What was told of other places of the workspace that nobody has looked at since `before`, where its id begins like one of `covers`: what
 * the settings name otherwise by now, such as by other tiers.
 */
export async function readFormer(
  { pool }: Db,
  of: { organization: string; workspace: string; covers: readonly string[]; before: Date },
): Promise<ToldStanding[]> {
  const { rows } = await pool.query<ToldStanding>(
    `SELECT p.id, p.row, p.told_sha256 AS sha256, p.told_at AS "toldAt"
     FROM standing_privileges p JOIN standing_looks l ON l.organization = p.organization
     WHERE l.workspace = $1 AND l.organization <> $2 AND l.looked_at < $3
       AND EXISTS (SELECT FROM unnest($4::text[]) AS c (beginning) WHERE starts_with(p.id, c.beginning))`,
    [of.workspace, of.organization, of.before, of.covers],
  );
  return rows;
}

/** The former ones among these are of the place that told them last. */
export async function forgetFormer(
  { pool }: Db,
  of: { organization: string; workspace: string; ids: readonly string[]; before: Date },
): Promise<void> {
  await pool.query(
    `DELETE FROM standing_privileges p USING standing_looks l
     WHERE l.organization = p.organization AND l.workspace = $1 AND l.organization <> $2 AND l.looked_at < $3 AND p.id = ANY ($4)`,
    [of.workspace, of.organization, of.before, of.ids],
  );
}

/** Forgets places that nobody has looked at since `before`, with what was told of them. */
export async function forgetPlaces({ pool }: Db, before: Date): Promise<void> {
  await pool.query(
    `DELETE FROM standing_privileges p USING standing_looks l WHERE l.organization = p.organization AND l.looked_at < $1`,
    [before],
  );
  await pool.query(
    `DELETE FROM standing_looks l
     WHERE looked_at < $1 AND NOT EXISTS (SELECT FROM standing_privileges p WHERE p.organization = l.organization)`,
    [before],
  );
}

/** Notes what the log has been told; `gone` is forgotten. */
export async function noteTold(
  { pool }: Db,
  organization: string,
  { told, gone }: { told: readonly ToldStanding[]; gone: readonly string[] },
): Promise<void> {
  await pool.query(
    `INSERT INTO standing_privileges (organization, id, kind, row, told_sha256, told_at)
     SELECT $1, id, row ->> 'kind', row, sha256, told_at
     FROM unnest($2::text[], $3::jsonb[], $4::text[], $5::timestamptz[]) AS told (id, row, sha256, told_at)
     ON CONFLICT (organization, id) DO UPDATE SET row = excluded.row, kind = excluded.kind, told_sha256 = excluded.told_sha256, told_at = excluded.told_at`,
    [
      organization,
      told.map(({ id }) => id),
      told.map(({ row }) => JSON.stringify(row)),
      told.map(({ sha256 }) => sha256),
      told.map(({ toldAt }) => toldAt),
    ],
  );
  await pool.query('DELETE FROM standing_privileges WHERE organization = $1 AND id = ANY($2)', [organization, gone]);
}

/** Environments of all organisations of a workspace, as they were told last. */
export async function readEnvironments({ pool }: Db, workspace: string): Promise<Standing[]> {
  const { rows } = await pool.query<{ row: Standing }>(
    `SELECT p.row FROM standing_privileges p JOIN standing_looks l ON l.organization = p.organization
     WHERE p.kind = 'environment' AND l.workspace = $1`,
    [workspace],
  );
  return rows.map(({ row }) => row);
}
