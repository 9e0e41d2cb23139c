import type { Db } from '@tripline/db/database';

/** A webhook as `tripline doctor` shows it. */
export type HookState = {
  hook: string;
  lookedUntil: Date | null;
  /** From when on the next look may begin; while one is under way, when its lease ends. */
  dueAt: Date;
  failed: { at: Date; reason: string } | null;
  missing: number;
  oldestMissing: Date | null;
};

export async function readHooks(db: Db): Promise<HookState[]> {
  const { rows } = await db.pool.query(
    `SELECT h.hook, h.looked_until, h.held_until, h.failed_at, h.failed_reason, count(u.guid) AS missing,
            min(u.first_failed_at) AS oldest
     FROM hooks h LEFT JOIN undelivered u ON u.hook = h.hook AND u.made_at IS NULL
     GROUP BY h.hook ORDER BY h.hook`,
  );
  return rows.map((row) => ({
    hook: row.hook,
    lookedUntil: row.looked_until,
    dueAt: row.held_until,
    failed: row.failed_at && { at: row.failed_at, reason: row.failed_reason },
    missing: row.missing,
    oldestMissing: row.oldest,
  }));
}
