import type { Check } from '@tripline/contracts/check';
import type { Db } from '@tripline/db/database';

/** GitHub may be away for a moment. */
const outlivedAfterMs = 60_000;

/** Rights of people that stand though their time is over, or somebody ended them. Nothing where none stands. */
export async function checkRights({ pool }: Pick<Db, 'pool'>): Promise<Check[]> {
  const { rows } = await pool.query<{ standing: number; over: number; fault: string | null; whose: string | null }>(
    `SELECT count(*)::int AS standing, count(*) FILTER (WHERE is_over)::int AS over,
       (array_agg(last_fault ORDER BY given_until) FILTER (WHERE is_over AND last_fault IS NOT NULL))[1] AS fault,
       (array_agg(grantee || ' on ' || repository ORDER BY given_until) FILTER (WHERE is_over))[1] AS whose
     FROM access_rights r LEFT JOIN access_request_ends e ON e.request = r.request,
       LATERAL (SELECT least(given_until, e.at) < clock_timestamp() - $1 * interval '1 ms' AS is_over) AS o
     WHERE state IN ('giving', 'given', 'ending')`,
    [outlivedAfterMs],
  );
  const { standing, over, fault, whose } = rows[0]!;
  const name = 'rights';
  if (over > 0) {
    const many = over === 1 ? 'one right stands' : `${over} rights stand`;
    const detail = `${many} a minute after its end, at first that of ${whose}${fault === null ? '' : `: ${fault}`}`;
    const remedy =
      'see that a broker runs, and to what GitHub says; at worst take the right away by hand, which is left so';
    return [{ name, state: 'broken', detail, remedy }];
  }
  if (standing === 0) return [];
  const detail = standing === 1 ? 'one person has a right for minutes' : `${standing} rights are given for minutes`;
  return [{ name, state: 'ok', detail }];
}
