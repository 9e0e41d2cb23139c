import type { LoggedJob } from '@tripline/access/known-run';
import type { Db } from '@tripline/db/database';
import { partitionOf } from '@tripline/stream/partition';
import { topics } from '@tripline/stream/stream';

/** By partition of the log, how far behind the broker's own reading of it the detector is, in ms of the log's time. */
const behindByPartition = `SELECT coalesce(json_object_agg(b.partition, CASE WHEN b.next > coalesce(d.next, 0)
    THEN b.log_time_ms - coalesce(d.log_time_ms, 0) ELSE 0 END), '{}')
  FROM positions b LEFT JOIN positions d
    ON d.consumer = 'detector' AND d.topic = b.topic AND d.partition = b.partition
  WHERE b.consumer = 'broker' AND b.topic = $1`;
type BehindByPartition = Readonly<Record<string, number>>;

/** What the detector told last of the jobs of a run, all attempts, none where it told of no such run; and how far behind it was then. */
export type ToldRun = { jobs: readonly LoggedJob[]; behindMs: number };

/** Columns of {@link toToldRun}; takes the topic, workspace and run as $1, $2, $3. */
export const toldColumns = `(SELECT jobs FROM known_runs WHERE workspace = $2 AND run = $3) AS jobs, (${behindByPartition}) AS behind`;
/**
 * What incidents may name of a job that {@link toldColumns} tells, or of any of them where `checkRunId`, a parameter, is null: rows of kind,
 * entity and key; takes workspace and run as $2, $3.
 */
export const thingsTold = (checkRunId: string) => `SELECT t.kind, t.id, t.key
  FROM known_runs, jsonb_array_elements(jobs) AS told (one), jsonb_to_recordset(told.one->'things') AS t (kind text, id text, key text)
  WHERE workspace = $2 AND run = $3 AND (${checkRunId}::text IS NULL OR told.one->'job'->>'checkRunId' = ${checkRunId})`;
export type ToldRow = { jobs: LoggedJob[] | null; behind: BehindByPartition };
export const toToldRun = ({ jobs, behind }: ToldRow, workspace: string): ToldRun => ({
  jobs: jobs ?? [],
  behindMs: behindOf(workspace, behind),
});

export async function readKnownRun({ pool }: Db, workspace: string, run: string): Promise<ToldRun> {
  const { rows } = await pool.query<ToldRow>({
    name: 'known-run',
    text: `SELECT ${toldColumns}`,
    values: [topics.events, workspace, run],
  });
  return toToldRun(rows[0]!, workspace);
}

/**
 * How far behind what the broker itself has read of the log the detector is where a workspace's events lie, in ms of the log's time;
 * 0 where it is not. Whatever happened meanwhile is not known. Another workspace's flood holds nobody else up.
 */
export async function readBehindMs({ pool }: Db, workspace: string): Promise<number> {
  const { rows } = await pool.query<{ behind: BehindByPartition }>({
    name: 'known-behind',
    text: `SELECT (${behindByPartition}) AS behind`,
    values: [topics.events],
  });
  return behindOf(workspace, rows[0]!.behind);
}

function behindOf(workspace: string, behind: BehindByPartition): number {
  const partitions = Object.keys(behind).reduce((most, partition) => Math.max(most, Number(partition) + 1), 0);
  if (partitions === 0) return 0;
  return Math.max(0, behind[partitionOf(workspace, partitions)] ?? 0);
}
