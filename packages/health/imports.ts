import type { Db } from '@tripline/db/database';
import type { ImportCounts, ImportProgress } from '@tripline/db/tables/remediations';

/** Field docs: migrations/0005_remediations.sql. Times are RFC 3339. */
export type Import = {
  workspace: string;
  requestedAt: string;
  imported: { at: string; counts: ImportCounts } | null;
  failed: { at: string; reason: string } | null;
  /** Null while nobody has begun, and once it ended. */
  progress: ImportProgress | null;
};

/** Every import that was ever asked for, for `tripline doctor`. */
export async function readImports(db: Db): Promise<Import[]> {
  const rows = await db.query.selectFrom('imports').selectAll().orderBy('workspace').execute();
  return rows.map((row) => ({
    workspace: row.workspace,
    requestedAt: row.requested_at.toISOString(),
    imported: row.imported_at && row.counts && { at: row.imported_at.toISOString(), counts: row.counts },
    failed: row.failed_at && { at: row.failed_at.toISOString(), reason: row.failed_reason ?? '' },
    progress: row.progress,
  }));
}
