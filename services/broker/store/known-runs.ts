import type { LoggedJob } from '@tripline/access/known-run';
import type { Db } from '@tripline/db/database';
import { topics } from '@tripline/stream/stream';

/** What the detector told last of the jobs of a run, all attempts; none where it told of no such run. */
export async function readKnownRun({ pool }: Db, workspace: string, run: string): Promise<readonly LoggedJob[]> {
  const { rows } = await pool.query<{ jobs: LoggedJob[] }>({
    name: 'known-run',
    text: 'SELECT jobs FROM known_runs WHERE workspace = $1 AND run = $2',
    values: [workspace, run],
  });
  return rows[0]?.jobs ?? [];
}

/**
 * How far behind what the broker itself has read of the log the detector is, in ms of the log's time; 0 where it is not. Whatever
 * happened meanwhile is not known.
 */
export async function readBehindMs({ pool }: Db): Promise<number> {
  const { rows } = await pool.query<{ behind: number }>({
    name: 'known-behind',
    text: `SELECT coalesce(max(b.log_time_ms - coalesce(d.log_time_ms, 0)), 0)::float8 AS behind
      FROM positions b LEFT JOIN positions d
        ON d.consumer = 'detector' AND d.topic = b.topic AND d.partition = b.partition
      WHERE b.consumer = 'broker' AND b.topic = $1 AND b.next > coalesce(d.next, 0)`,
    values: [topics.events],
  });
  return Math.max(0, rows[0]!.behind);
}
