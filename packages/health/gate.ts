import type { Check } from '@tripline/contracts/check';
import type { Db } from '@tripline/db/database';

/** GitHub may be away for a moment, and a log too. */
const unansweredAfterMs = 60_000;

/** Deployments that wait at the gate though it has something to say, or may say nothing. Nothing where none waits. */
export async function checkGate({ pool }: Pick<Db, 'pool'>): Promise<Check[]> {
  const { rows } = await pool.query<{ waiting: number; failing: number; fault: string | null; where: string | null }>(
    `SELECT count(*)::int AS waiting, count(*) FILTER (WHERE fails)::int AS failing,
       (array_agg(last_fault ORDER BY heard_at) FILTER (WHERE fails))[1] AS fault,
       (array_agg(repository || '#' || run_id || ' to ' || environment ORDER BY heard_at) FILTER (WHERE fails))[1] AS "where"
     FROM access_gates, LATERAL (SELECT last_fault IS NOT NULL
       AND heard_at < clock_timestamp() - $1 * interval '1 ms' AS fails) AS f
     WHERE state = 'open'`,
    [unansweredAfterMs],
  );
  const { waiting, failing, fault, where } = rows[0]!;
  const name = 'gate';
  if (failing > 0) {
    const many = failing === 1 ? 'one deployment waits' : `${failing} deployments wait`;
    const detail = `${many} for an answer that cannot be given, at first ${where}: ${fault}`;
    const remedy = 'do as it says; each is tried again within ten minutes, and a run that is started anew at once';
    return [{ name, state: 'broken', detail, remedy }];
  }
  if (waiting === 0) return [];
  const many = waiting === 1 ? 'one deployment waits' : `${waiting} deployments wait`;
  return [{ name, state: 'ok', detail: `${many} for what is not known yet, or for people` }];
}
