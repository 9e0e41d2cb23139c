import type { Actor } from '@tripline/contracts/incident';
import type { Db } from '@tripline/db/database';
import { addJob } from '@tripline/db/jobs';
import { addToOutbox } from '@tripline/db/outbox';
import type { ImportCounts, ImportProgress } from '@tripline/db/tables/remediations';
import { inTransaction } from '@tripline/db/transaction';
import { actOf } from '@tripline/incidents/acts';

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

/**
 * Leaves an import job for a workspace, whether it was imported before or not. Who asked is left for the log: what is there
 * by then is known from then on.
 * @returns when it was asked, as the row of the import says it.
 */
export function requestImportAnew(db: Db, workspace: string, by: Actor): Promise<Date> {
  return inTransaction(db, async (client) => {
    const { rows } = await client.query<{ requested_at: Date }>(
      `INSERT INTO imports (workspace) VALUES ($1)
       ON CONFLICT (workspace) DO UPDATE SET requested_at = clock_timestamp(), progress = NULL RETURNING requested_at`,
      [workspace],
    );
    const at = rows[0]!.requested_at;
    await addJob(client, 'import-inventory', { workspace }, { key: `import:${workspace}` });
    const kind = 'inventory-import-asked';
    await addToOutbox(client, [
      actOf(by, { id: `act:${kind}:${workspace}:${at.getTime()}`, workspace, kind, target: workspace }),
    ]);
    return at;
  });
}

/** Says that an import has begun. @returns when it was asked for: its events are known by that. */
export async function beginImport(db: Db, workspace: string): Promise<Date> {
  const { rows } = await db.pool.query<{ requested_at: Date }>(
    `INSERT INTO imports (workspace, progress) VALUES ($1, '{"repositories": 0, "of": 0}')
     ON CONFLICT (workspace) DO UPDATE SET progress = excluded.progress RETURNING requested_at`,
    [workspace],
  );
  return rows[0]!.requested_at;
}

export async function recordImportProgress(db: Db, workspace: string, progress: ImportProgress): Promise<void> {
  await db.pool.query('UPDATE imports SET progress = $2 WHERE workspace = $1', [workspace, JSON.stringify(progress)]);
}

export async function recordImported(db: Db, workspace: string, counts: ImportCounts): Promise<void> {
  await db.pool.query(
    `INSERT INTO imports (workspace, imported_at, counts) VALUES ($1, clock_timestamp(), $2)
     ON CONFLICT (workspace) DO UPDATE SET imported_at = excluded.imported_at, counts = excluded.counts,
       failed_at = NULL, failed_reason = NULL, progress = NULL`,
    [workspace, JSON.stringify(counts)],
  );
}

export async function recordImportFailed(db: Db, workspace: string, reason: string): Promise<void> {
  await db.pool.query(
    `INSERT INTO imports (workspace, failed_at, failed_reason) VALUES ($1, clock_timestamp(), $2)
     ON CONFLICT (workspace) DO UPDATE SET failed_at = excluded.failed_at, failed_reason = excluded.failed_reason,
       progress = NULL`,
    [workspace, reason],
  );
}
