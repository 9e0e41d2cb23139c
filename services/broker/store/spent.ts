import type { Db } from '@tripline/db/database';
import type { Workload } from '@tripline/identity/workload';
import type { JobKeys } from '../keys.ts';

/** So long after its expiry a token is remembered: it is refused for five seconds less. */
const marginMs = 60_000;

/**
 * Spends a token, and says whether it was spent before and whether its job or run is known to have ended. One statement: of any
 * number of requests with one token, at whatever replica, one finds it unspent.
 */
export async function spend(
  { pool }: Pick<Db, 'pool'>,
  { issuer, tokenId, expiresAtMs }: Workload,
  { job, run }: JobKeys,
): Promise<{ isFirst: boolean; hasEnded: boolean }> {
  const { rows } = await pool.query<{ first: boolean; ended: boolean }>({
    name: 'access-spend',
    text: `WITH spent AS (
       INSERT INTO access_spent (issuer, token_sha256, expires_at) VALUES ($1, $2, $3)
       ON CONFLICT DO NOTHING RETURNING 1)
     SELECT EXISTS (SELECT FROM spent) AS first, EXISTS (SELECT FROM access_ends WHERE key = ANY ($4)) AS ended`,
    values: [issuer, tokenId.sha256, new Date(expiresAtMs + marginMs), job === null ? [run] : [job, run]],
  });
  return { isFirst: rows[0]!.first, hasEnded: rows[0]!.ended };
}
