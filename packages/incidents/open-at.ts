import type { Entity, Severity } from '@tripline/contracts/finding';
import type { Db } from '@tripline/db/database';

/** Incidents of a workspace that were open at a time and name one of these things: by its key where both have one, else by its name. */
export async function readOpenAt(
  { pool }: Pick<Db, 'pool'>,
  workspace: string,
  things: readonly Entity[],
  at: Date,
): Promise<{ id: string; severity: Severity }[]> {
  const { rows } = await pool.query<{ id: string; severity: Severity }>(
    `SELECT i.id, i.severity FROM incidents i
     WHERE i.workspace = $1 AND i.opened_at <= $2 AND (i.resolved_at IS NULL OR i.resolved_at > $2)
       AND EXISTS (
         SELECT FROM incident_entities e
         JOIN unnest($3::text[], $4::text[], $5::text[]) AS t (kind, entity, key) ON t.kind = e.kind
         WHERE e.incident = i.id
           AND CASE WHEN e.key IS NULL OR t.key IS NULL THEN e.entity = t.entity ELSE e.key = t.key END)
     ORDER BY i.opened_at, i.id`,
    [workspace, at, things.map(({ kind }) => kind), things.map(({ id }) => id), things.map(({ key }) => key ?? null)],
  );
  return rows;
}
