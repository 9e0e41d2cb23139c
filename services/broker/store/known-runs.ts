import type { LoggedJob } from '@tripline/access/known-run';
import type { Db } from '@tripline/db/database';
import { partitionOf } from '@tripline/stream/partition';
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
 * How far behind what the broker itself has read of the log the detector is where a workspace's events lie, in ms of the log's time;
 * 0 where it is not. Whatever happened meanwhile is not known. Another workspace's flood holds nobody else up.
 */
export async function readBehindMs({ pool }: Db, workspace: string): Promise<number> {
  const { rows } = await pool.query<{ partition: number; behind: number }>({
    name: 'known-behind',
    text: `SELECT b.partition, CASE WHEN b.next > coalesce(d.next, 0)
        THEN (b.log_time_ms - coalesce(d.log_time_ms, 0))::float8 ELSE 0 END AS behind
      FROM positions b LEFT JOIN positions d
        ON d.consumer = 'detector' AND d.topic = b.topic AND d.partition = b.partition
      WHERE b.consumer = 'broker' AND b.topic = $1`,
    values: [topics.events],
  });
  const partitions = rows.reduce((most, { partition }) => Math.max(most, partition + 1), 0);
  if (partitions === 0) return 0;
  const own = partitionOf(workspace, partitions);
  return Math.max(0, rows.find(({ partition }) => partition === own)?.behind ?? 0);
}
