import type { Check } from '@tripline/contracts/check';
import type { Db } from '@tripline/db/database';

/** A provider that does not answer for a moment is no matter for people. */
const leftAliveAfterMs = 60_000;
/** So long nobody need tell of an end; from then on it is shown that none came. */
const quietMs = 600_000;

/** What the broker gave to jobs, and whether it dies as it should. Nothing where it never gave any. */
export async function checkGrants({ pool }: Pick<Db, 'pool'>): Promise<Check[]> {
  const { rows } = await pool.query<{
    given: boolean;
    live: number;
    left_alive: number;
    unopenable: number;
    seal_fault: string | null;
    kinds: string[] | null;
    fault: string | null;
    longest_ms: number | null;
    quiet_ms: number | null;
  }>(
    `SELECT EXISTS (SELECT FROM access_grants) AS given,
       count(*) FILTER (WHERE c.state = 'live')::int AS live,
       count(*) FILTER (WHERE late)::int AS left_alive,
       count(*) FILTER (WHERE c.state = 'live' AND c.last_fault IS NOT NULL)::int AS unopenable,
       min(c.last_fault) FILTER (WHERE c.state = 'live') AS seal_fault,
       array_agg(DISTINCT c.kind) FILTER (WHERE late) AS kinds,
       (array_agg(c.last_fault ORDER BY g.ending_at) FILTER (WHERE late AND c.last_fault IS NOT NULL))[1] AS fault,
       extract(epoch FROM clock_timestamp() - min(g.asked_at) FILTER (WHERE c.state = 'live'))::float8 * 1000 AS longest_ms,
       extract(epoch FROM clock_timestamp() - (SELECT max(heard_at) FROM access_ends))::float8 * 1000 AS quiet_ms
     FROM access_credentials c JOIN access_grants g ON g.id = c.grant_id,
       LATERAL (SELECT c.state IN ('ending', 'stuck') AND c.dead_at IS NULL
         AND g.ending_at < clock_timestamp() - $1 * interval '1 ms' AS late) AS l
     WHERE c.state NOT IN ('dead', 'lost')`,
    [leftAliveAfterMs],
  );
  const { given, live, left_alive: left, kinds, fault, longest_ms: longestMs, quiet_ms: quiet } = rows[0]!;
  if (!given) return [];
  const name = 'grants';
  if (left > 0) {
    const many = left === 1 ? 'one credential is' : `${left} credentials are`;
    const detail = `${many} alive (${kinds!.join(', ')}) a minute after its job ended${fault === null ? '' : `: ${fault}`}`;
    const remedy =
      'see to what its provider says, and that a broker runs; `npx tripline access grants --live` lists them, to be revoked by hand at worst';
    return [{ name, state: 'broken', detail, remedy }];
  }
  const { unopenable, seal_fault: sealFault } = rows[0]!;
  if (unopenable > 0) {
    const detail = `${unopenable === 1 ? 'one credential that a job has' : `${unopenable} credentials that jobs have`} cannot be revoked by a key that is configured: ${sealFault}`;
    const remedy =
      'put the former key back into broker.sealingKeys (TRIPLINE_BROKER_SEALING_KEY), behind the new one, and start the broker anew; where it is lost, they end by themselves within an hour';
    return [{ name, state: 'broken', detail, remedy }];
  }
  const alive =
    live === 1 ? 'one credential is alive, of a job that runs' : `${live} credentials are alive, of jobs that run`;
  const detail = live === 0 ? 'nothing that was given is alive' : alive;
  const isQuiet = longestMs !== null && longestMs > quietMs && (quiet === null || quiet > quietMs);
  if (!isQuiet) return [{ name, state: 'ok', detail }];
  const remedy =
    'where jobs end meanwhile, see that workflow_job and workflow_run deliveries arrive: `npx tripline events`';
  return [{ name, state: 'ok', detail: `${detail}; no end of any job was received for ten minutes`, remedy }];
}
