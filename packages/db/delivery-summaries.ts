import { receiverWorkspace } from '@tripline/contracts/event';
import type { Db } from './database.ts';

/** How many deliveries of a feed were not kept, for one reason. */
export type DeliverySummary = {
  source: string;
  outcome: 'ignored' | 'refused';
  reason: string;
  count: number;
  /** When the last of them came, RFC 3339. */
  lastAt: string;
};

const summaries = `
  FROM trail WHERE workspace = '${receiverWorkspace}' AND event_type = 'dev.cdeventsx.tripline-deliveries.summarized'
    AND fault IS NULL AND appended_at >= $1`;

/** What the receivers ignored and refused since `since`, by the trail; the newest reason first. */
export async function readDeliverySummaries(db: Db, since: Date): Promise<DeliverySummary[]> {
  const { rows } = await db.pool.query<DeliverySummary>(
    `WITH counts AS (
       SELECT json_array_elements(convert_from(value, 'UTF8')::json -> 'tripline.deliveries.counts') AS one ${summaries}
     )
     SELECT one ->> 'source' AS source, one ->> 'outcome' AS outcome, one ->> 'reason' AS reason,
       sum((one ->> 'count')::bigint)::float8 AS count, max(one ->> 'lastAt') AS "lastAt"
     FROM counts GROUP BY 1, 2, 3 ORDER BY max(one ->> 'lastAt') DESC, 1, 2, 3`,
    [since],
  );
  return rows;
}

/**
 * Organisations whose genuine deliveries are ignored since no configured workspace has them, with when the last came; the
 * newest first, at most `limit`.
 */
export async function readUnknownOrganizations(
  db: Db,
  since: Date,
  limit = 20,
): Promise<{ organization: string; lastAt: string }[]> {
  const { rows } = await db.pool.query<{ organization: string; lastAt: string }>(
    `WITH entries AS (
       SELECT json_array_elements(convert_from(value, 'UTF8')::json -> 'tripline.deliveries.recent') AS one ${summaries}
     )
     SELECT one ->> 'organization' AS organization, max(one ->> 'time') AS "lastAt"
     FROM entries
     WHERE one ->> 'reason' = 'unknown-organization' AND one ->> 'genuine' = 'true' AND one ->> 'organization' IS NOT NULL
     GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT $2`,
    [since, limit],
  );
  return rows;
}
