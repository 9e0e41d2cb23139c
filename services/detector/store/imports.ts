import type { Db } from '@tripline/db/database';
import { addJob } from '@tripline/db/jobs';
import type { ImportCounts } from '@tripline/db/tables/remediations';
import { inTransaction } from '@tripline/db/transaction';

/** Leaves an import job, with its row, for a workspace that was never imported. Answers whether it did. */
export function requestImport(db: Db, workspace: string): Promise<boolean> {
  return inTransaction(db, async (client) => {
    const { rowCount } = await client.query(
      `INSERT INTO imports AS known (workspace) VALUES ($1)
       ON CONFLICT (workspace) DO UPDATE SET requested_at = clock_timestamp() WHERE known.imported_at IS NULL`,
      [workspace],
    );
    if (rowCount) await addJob(client, 'import-inventory', { workspace }, { key: `import:${workspace}` });
    return rowCount === 1;
  });
}

export async function recordImported(db: Db, workspace: string, counts: ImportCounts): Promise<void> {
  await db.pool.query(
    `INSERT INTO imports (workspace, imported_at, counts) VALUES ($1, clock_timestamp(), $2)
     ON CONFLICT (workspace) DO UPDATE SET imported_at = excluded.imported_at, counts = excluded.counts,
       failed_at = NULL, failed_reason = NULL`,
    [workspace, JSON.stringify(counts)],
  );
}

export async function recordImportFailed(db: Db, workspace: string, reason: string): Promise<void> {
  await db.pool.query(
    `INSERT INTO imports (workspace, failed_at, failed_reason) VALUES ($1, clock_timestamp(), $2)
     ON CONFLICT (workspace) DO UPDATE SET failed_at = excluded.failed_at, failed_reason = excluded.failed_reason`,
    [workspace, reason],
  );
}
