import type { Purpose } from '@tripline/contracts/job';
import type { ClientBase, Pool } from 'pg';
import { freeJobsOfTheDead } from './run-jobs.ts';

/** NOTIFY channel, signalled when something was queued; the payload is the purpose. */
export const queueChannel = 'tripline_queue';

/** SQL: notifies for each row that was queued; Postgres merges equal notifications of a transaction. */
const ring = `pg_notify('${queueChannel}', q.purpose)`;

/**
 * The end of an INSERT INTO queue AS q (purpose, item, due_at): an entry that waits is never postponed, and one that is
 * being worked on is worked on once more.
 */
export const queueOnce = `ON CONFLICT (purpose, item) DO UPDATE SET
    due_at = CASE WHEN q.claimed_by IS NULL THEN least(q.due_at, excluded.due_at) ELSE q.due_at END,
    again_at = CASE WHEN q.claimed_by IS NULL THEN NULL ELSE least(q.again_at, excluded.due_at) END
  RETURNING ${ring}`;

/**
 * Queues an item, in the caller's transaction: the entry exists exactly when its cause does. @param afterMs not before.
 */
export async function addToQueue(
  client: Pick<ClientBase, 'query'>,
  purpose: Purpose,
  item: string,
  afterMs = 0,
): Promise<void> {
  await client.query(
    `INSERT INTO queue AS q (purpose, item, due_at) VALUES ($1, $2, clock_timestamp() + $3 * interval '1 ms') ${queueOnce}`,
    [purpose, item, afterMs],
  );
}

/** Queues an item that nothing queued before, by a role that may read nothing of the queue. In the caller's transaction. */
export async function addNewToQueue(client: Pick<ClientBase, 'query'>, purpose: Purpose, item: string): Promise<void> {
  await client.query('INSERT INTO queue (purpose, item, due_at) VALUES ($1, $2, clock_timestamp())', [purpose, item]);
  await client.query('SELECT pg_notify($1, $2)', [queueChannel, purpose]);
}

/** Has the notification channels brought in sync with an incident. To be called with every rise of its version. */
export async function addNotifyJob(client: Pick<ClientBase, 'query'>, incident: string): Promise<void> {
  await addToQueue(client, 'notify', incident);
}

/**
 * A claim or completion that a crash of Postgres loses is only repeated, which handlers tolerate. So its commit does
 * not wait for the disk.
 */
const withoutDisk = `set_config('synchronous_commit', 'off', true)`;

/** A worker's claims on items of one purpose. `by`: the worker; `forMs`: until they expire. */
export type Claimant = { purpose: Purpose; by: string; forMs: number };

/** A claimed item; `failures`: number of consecutive failed attempts. */
export type Claimed = { item: string; failures: number };

/**
 * Claims items that are due, at most `limit`, the longest waiting first.
 * @param inHand items that the worker is handling already, whose claims may have expired.
 */
export async function claimDue(
  pool: Pool,
  { purpose, by, forMs }: Claimant,
  limit: number,
  inHand: readonly string[] = [],
): Promise<Claimed[]> {
  const { rows } = await pool.query<Claimed>({
    name: 'queue-claim',
    text: `WITH due AS MATERIALIZED (
        SELECT item, due_at FROM queue WHERE purpose = $1 AND due_at <= clock_timestamp() AND item <> ALL ($5)
        ORDER BY due_at, item LIMIT $4 FOR UPDATE SKIP LOCKED
      ), claimed AS (
        UPDATE queue q SET claimed_by = $2::uuid, due_at = clock_timestamp() + $3 * interval '1 ms', again_at = NULL
        FROM due WHERE q.purpose = $1 AND q.item = due.item
        RETURNING q.item, q.failures, due.due_at AS since, ${withoutDisk}
      ) SELECT item, failures FROM claimed ORDER BY since, item`,
    values: [purpose, by, forMs, limit, inHand],
  });
  return rows;
}

/** Renews a worker's claims on the items that it is handling, and on no others. */
export async function extendClaims(
  pool: Pool,
  { purpose, by, forMs }: Claimant,
  inHand: readonly string[],
): Promise<void> {
  await pool.query({
    name: 'queue-extend',
    text: `UPDATE queue SET due_at = clock_timestamp() + $3 * interval '1 ms' WHERE purpose = $1 AND claimed_by = $2 AND item = ANY ($4)
      RETURNING ${withoutDisk}`,
    values: [purpose, by, forMs, inHand],
  });
}

/** Removes a completed item, unless it was queued again meanwhile: then it returns true. */
export async function finish(pool: Pool, { purpose, by }: Claimant, item: string): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: 'queue-done',
    text: `DELETE FROM queue WHERE purpose = $1 AND item = $2 AND claimed_by = $3 AND again_at IS NULL RETURNING ${withoutDisk}`,
    values: [purpose, item, by],
  });
  if (rowCount === 1) return false;
  const again = await pool.query(
    `UPDATE queue SET due_at = again_at, again_at = NULL, claimed_by = NULL, failures = 0, failure = NULL
     WHERE purpose = $1 AND item = $2 AND claimed_by = $3 AND again_at IS NOT NULL`,
    [purpose, item, by],
  );
  return again.rowCount === 1;
}

/** Releases an item that failed, for a later attempt. @param failure why, free of secrets. */
export async function giveBack(
  pool: Pool,
  { purpose, by }: Claimant,
  item: string,
  { failure, afterMs }: { failure: string; afterMs: number },
): Promise<void> {
  await pool.query(
    `UPDATE queue SET due_at = least(again_at, clock_timestamp() + $4 * interval '1 ms'), again_at = NULL, claimed_by = NULL,
       failures = failures + 1, failure = $5 WHERE purpose = $1 AND item = $2 AND claimed_by = $3`,
    [purpose, item, by, afterMs, failure],
  );
}

/**
 * Moves jobs of versions before 0090_queue.sql into the queue, those of their dead workers too: during an upgrade,
 * processes of the former version still add them. Returns how many. To be removed with the second release after it.
 */
export async function adoptFormerJobs(pool: Pool, purpose: Purpose): Promise<number> {
  await freeJobsOfTheDead(pool);
  const { rowCount } = await pool.query(
    `WITH former AS MATERIALIZED (
       SELECT array_agg(id) AS ids FROM graphile_worker.jobs WHERE task_identifier = $1 AND locked_at IS NULL
     ), moved AS MATERIALIZED (
       SELECT coalesce(job.payload ->> 'incident', job.payload ->> 'finding') AS item, min(job.run_at) AS due_at
       FROM former, LATERAL graphile_worker.complete_jobs(former.ids) AS job GROUP BY 1
     )
     INSERT INTO queue AS q (purpose, item, due_at) SELECT $1, item, due_at FROM moved WHERE item IS NOT NULL ${queueOnce}`,
    [purpose],
  );
  return rowCount ?? 0;
}
