import type { Db } from '@tripline/db/database';

/** How far a webhook's deliveries were looked through. Field docs: migrations/*_redelivery.sql. Times in ms. */
export type Look = { lookedUntilMs: number | null; unfinished: { newestMs: number; cursor: string } | null };

/** Proof that this round holds the webhook. */
export type HookHold = { hook: string; holder: string };

/** Another process holds the webhook now. */
export class HookTakenError extends Error {
  readonly code = 'HOOK_TAKEN';
}

/**
 * Leases a webhook that nobody holds at `nowMs`, until `untilMs`. Returns how far its list was read, or null where it
 * is held.
 */
export async function takeHook(
  db: Db,
  { hook, holder }: HookHold,
  { nowMs, untilMs }: { nowMs: number; untilMs: number },
): Promise<Look | null> {
  const { rows } = await db.pool.query<{ looked_until: Date | null; look_newest: Date; look_cursor: string | null }>(
    `INSERT INTO hooks AS known (hook, holder, held_until) VALUES ($1, $2, $4)
     ON CONFLICT (hook) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
       WHERE known.held_until <= $3
     RETURNING looked_until, look_newest, look_cursor`,
    [hook, holder, new Date(nowMs), new Date(untilMs)],
  );
  const row = rows[0];
  if (row === undefined) return null;
  const { look_newest: newest, look_cursor: cursor } = row;
  return {
    lookedUntilMs: row.looked_until?.getTime() ?? null,
    unfinished: cursor === null ? null : { newestMs: newest.getTime(), cursor },
  };
}

/** Renews the lease. @throws {HookTakenError} */
export async function keepHook(db: Db, { hook, holder }: HookHold, untilMs: number): Promise<void> {
  const { rowCount } = await db.pool.query('UPDATE hooks SET held_until = $3 WHERE hook = $1 AND holder = $2', [
    hook,
    holder,
    new Date(untilMs),
  ]);
  if (rowCount !== 1) throw new HookTakenError(`another process holds ${hook}`);
}

/**
 * Ends a round: nobody begins the next one before `untilMs`. `failure` says why it failed, or null; `gone`: since there is no such
 * webhook, as GitHub says. One whose list was never read may be a wrong setting.
 */
export async function leaveHook(
  db: Db,
  { hook, holder }: HookHold,
  end: { nowMs: number; untilMs: number; failure: string | null; gone: boolean },
): Promise<void> {
  await db.pool.query(
    `UPDATE hooks SET held_until = $3, failed_at = $4, failed_reason = $5,
       gone_since = CASE WHEN $5::text IS NULL THEN NULL
         WHEN $6 AND looked_until IS NOT NULL THEN coalesce(gone_since, $4) ELSE gone_since END
     WHERE hook = $1 AND holder = $2`,
    [hook, holder, new Date(end.untilMs), end.failure === null ? null : new Date(end.nowMs), end.failure, end.gone],
  );
}
