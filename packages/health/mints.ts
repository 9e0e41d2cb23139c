import type { Check } from '@tripline/contracts/check';
import type { Db } from '@tripline/db/database';

/** What nobody asks for any more says nothing of how it is now. */
const withinMs = 3_600_000;

/** Policies whose credentials a provider makes none of since somebody asked last; jobs that ask again show when that is mended. */
export async function checkMints({ pool }: Pick<Db, 'pool'>): Promise<Check[]> {
  const { rows } = await pool.query<{ policy: string; kind: string; times: number; fault: string }>(
    `SELECT g.policy, c.kind, count(*)::int AS times, (array_agg(c.last_fault ORDER BY g.asked_at DESC))[1] AS fault
     FROM access_credentials c JOIN access_grants g ON g.id = c.grant_id
     WHERE c.minted_at IS NULL AND c.last_fault IS NOT NULL AND g.asked_at > clock_timestamp() - $1 * interval '1 ms'
       AND NOT EXISTS (
         SELECT FROM access_grants later JOIN access_credentials made ON made.grant_id = later.id
         WHERE later.workspace = g.workspace AND later.policy = g.policy AND later.asked_at > g.asked_at
           AND made.kind = c.kind AND made.minted_at IS NOT NULL)
     GROUP BY g.workspace, g.policy, c.kind ORDER BY g.policy, c.kind`,
    [withinMs],
  );
  return rows.map(({ policy, kind, times, fault }) => ({
    name: `grants by ${policy}`,
    state: 'broken',
    detail: `no ${kind} credential could be made, ${times === 1 ? 'once' : `${times} times`} within the last hour: ${fault}`,
    remedy:
      'do as it says; where its provider was away, there is nothing to do here (`minter` says whether it still is). The next job that asks shows whether it is mended, and an hour without one ends this',
  }));
}
