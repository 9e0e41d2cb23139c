import { receiverWorkspace } from '@tripline/contracts/event';
import type { Db } from '@tripline/db/database';

/** How many deliveries of a feed were not kept, for one reason. */
export type DeliverySummary = {
  source: string;
  outcome: 'ignored' | 'refused';
  reason: string;
  count: number;
  /** When the last of them came, RFC 3339. */
  lastAt: string;
};

/**
 * A busy receiver appends a summary each second, and this is read at every poll of `/readyz`: so at most this many of
 * the newest records are read, and the result says how far back that is.
 */
const mostRecords = 2000;

const newest = `newest AS MATERIALIZED (
  SELECT appended_at, value FROM trail
  WHERE workspace = '${receiverWorkspace}' AND event_type = 'dev.cdeventsx.tripline-deliveries.summarized'
    AND fault IS NULL AND appended_at >= $1
  ORDER BY appended_at DESC LIMIT $2
)`;

/** What the receivers ignored and refused since `since`, or since the time that is answered, by the trail; the newest reason first. */
export async function readDeliverySummaries(
  db: Db,
  since: Date,
  limit = mostRecords,
): Promise<{ since: Date; summaries: DeliverySummary[] }> {
  const { rows } = await db.pool.query<DeliverySummary & { reached: Date | null }>(
    `WITH ${newest}, counts AS (
       SELECT json_array_elements(convert_from(value, 'UTF8')::json -> 'tripline.deliveries.counts') AS one FROM newest
     )
     SELECT one ->> 'source' AS source, one ->> 'outcome' AS outcome, one ->> 'reason' AS reason,
       sum((one ->> 'count')::bigint)::float8 AS count, max(one ->> 'lastAt') AS "lastAt",
       (SELECT CASE WHEN count(*) = $2 THEN min(appended_at) END FROM newest) AS reached
     FROM counts GROUP BY 1, 2, 3 ORDER BY max(one ->> 'lastAt') DESC, 1, 2, 3`,
    [since, limit],
  );
  return { since: rows[0]?.reached ?? since, summaries: rows.map(({ reached: _, ...summary }) => summary) };
}

/**
 * Organisations whose genuine deliveries are ignored since no configured workspace has them, with when the last came; the
 * newest first, at most `limit`. Of all records since `since`, only those that hold the reason's name are parsed.
 */
export async function readUnknownOrganizations(
  db: Db,
  since: Date,
  limit = 20,
): Promise<{ organization: string; lastAt: string }[]> {
  const { rows } = await db.pool.query<{ organization: string; lastAt: string }>(
    `WITH told AS MATERIALIZED (
       SELECT value FROM trail
       WHERE workspace = '${receiverWorkspace}' AND event_type = 'dev.cdeventsx.tripline-deliveries.summarized'
         AND fault IS NULL AND appended_at >= $1 AND position('"unknown-organization"'::bytea IN value) > 0
       ORDER BY appended_at DESC LIMIT ${mostRecords}
     ), entries AS (
       SELECT json_array_elements(convert_from(value, 'UTF8')::json -> 'tripline.deliveries.recent') AS one FROM told
     )
     SELECT one ->> 'organization' AS organization, max(one ->> 'time') AS "lastAt"
     FROM entries
     WHERE one ->> 'reason' = 'unknown-organization' AND one ->> 'genuine' = 'true' AND one ->> 'organization' IS NOT NULL
     GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT $2`,
    [since, limit],
  );
  return rows;
}
