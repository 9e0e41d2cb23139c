import type { Db } from '@tripline/db/database';
import { inTransaction } from '@tripline/db/transaction';
import type { Proof } from './approvals.ts';
import type { Held } from './requests.ts';

/** More time that somebody asks for, for a right that they have. */
export type Extension = { id: string; forMs: number; reason: string; askedBy: { name: string } };

/** The first that nobody has answered yet. */
export async function readOpenExtension({ pool }: Pick<Db, 'pool'>, request: string): Promise<Extension | undefined> {
  const { rows } = await pool.query<Extension>(
    `SELECT x.id, x.for_ms AS "forMs", x.reason, x.asked_by AS "askedBy" FROM access_extensions x
     LEFT JOIN access_extension_answers a ON a.extension = x.id
     WHERE x.request = $1 AND (a.extension IS NULL OR a.state = 'asked') ORDER BY x.asked_at, x.id LIMIT 1`,
    [request],
  );
  return rows[0];
}

/** Notes what became of it. What was given or denied stays so. */
export async function answerExtension(
  { pool }: Pick<Db, 'pool'>,
  extension: string,
  { state, why, nowMs }: { state: 'asked' | 'denied'; why: string | null; nowMs: number },
): Promise<void> {
  await pool.query(
    `INSERT INTO access_extension_answers AS a (extension, state, why, at) VALUES ($1, $2, $3, $4)
     ON CONFLICT (extension) DO UPDATE SET state = excluded.state, why = excluded.why, at = excluded.at WHERE a.state = 'asked'`,
    [extension, state, why?.slice(0, 2000) ?? null, new Date(nowMs)],
  );
}

/** Moves the end of a right that is claimed, once an extension. */
export async function extendRight(
  db: Db,
  { id, by }: Held,
  of: { extension: string; untilMs: number; approvedBy: Omit<Proof, 'provedAtMs' | 'restsOn'> | null; nowMs: number },
): Promise<void> {
  const { extension, untilMs, approvedBy, nowMs } = of;
  await inTransaction(db, async (client) => {
    const { rowCount } = await client.query(
      `UPDATE access_rights SET given_until = $3, reminded_at = NULL, approved_by = coalesce($4, approved_by)
       WHERE request = $1 AND claimed_by = $2 AND state = 'given'`,
      [id, by, new Date(untilMs), approvedBy === null ? null : JSON.stringify(approvedBy)],
    );
    if (rowCount !== 1) return;
    await client.query(
      `INSERT INTO access_extension_answers (extension, state, approved_by, at) VALUES ($1, 'given', $2, $3)
       ON CONFLICT (extension) DO UPDATE SET state = 'given', approved_by = excluded.approved_by, at = excluded.at`,
      [extension, approvedBy === null ? null : JSON.stringify(approvedBy), new Date(nowMs)],
    );
  });
}

/** Whoever asked when the right ended has nothing to wait for. */
export async function expireExtensions({ pool }: Pick<Db, 'pool'>, request: string, nowMs: number): Promise<void> {
  await pool.query(
    `INSERT INTO access_extension_answers AS a (extension, state, why, at)
     SELECT x.id, 'expired', 'the right ended before', $2 FROM access_extensions x WHERE x.request = $1
     ON CONFLICT (extension) DO UPDATE SET state = 'expired', why = excluded.why, at = excluded.at WHERE a.state = 'asked'`,
    [request, new Date(nowMs)],
  );
}
