import type { Db } from '@tripline/db/database';
import { redactText } from '@tripline/runtime/redact';
import { sql } from 'kysely';

/** A process that runs its former rules, since the new ones are wrong. */
export type ReloadFault = { process: string; reason: string; since: Date };

/** How often such a process reports again; one that has not for five minutes is gone. */
export const reloadFaultsEveryMs = 60_000;
const reasonLimit = 2000;

/** Records that the new rules or settings of a process are wrong, or still are. */
export async function noteReloadFault(db: Pick<Db, 'pool'>, process: string, reason: string): Promise<void> {
  const kept = redactText(reason).toWellFormed().replaceAll('\0', '').slice(0, reasonLimit).toWellFormed();
  await db.pool.query(
    `INSERT INTO reload_faults AS f (process, reason) VALUES ($1, $2)
     ON CONFLICT (process) DO UPDATE SET reason = excluded.reason, last_at = clock_timestamp()`,
    [process, kept],
  );
}

/** Clears that: the rules are correct now, or the process ends. */
export async function clearReloadFault(db: Pick<Db, 'pool'>, process: string): Promise<void> {
  await db.pool.query('DELETE FROM reload_faults WHERE process = $1', [process]);
}

/** The processes that run former rules at present. */
export async function readReloadFaults(db: Db): Promise<ReloadFault[]> {
  return db.query
    .selectFrom('reload_faults')
    .select(['process', 'reason', 'since'])
    .where(({ eb }) => eb('last_at', '>', sql<Date>`clock_timestamp() - interval '5 minutes'`))
    .orderBy('process')
    .execute();
}
