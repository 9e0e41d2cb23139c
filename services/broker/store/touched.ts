import { type Severity, severities } from '@tripline/contracts/finding';
import type { Db } from '@tripline/db/database';

/** A grant of whose things an open incident names some. */
export type Touched = {
  grant: string;
  workspace: string;
  /** From which one on an incident ends it. */
  severity: Severity;
  incidents: readonly string[];
  /** Those of its things that are named. */
  things: readonly { kind: string; id: string; key: string }[];
};

/** Live grants that may end by an incident. @param usual the severity where a policy says none; then what was opened before does not count. */
export async function readTouched(db: Db, usual: Severity): Promise<Touched[]> {
  const { rows } = await db.pool.query<Touched>({
    name: 'access-touched',
    text: `SELECT g.id AS grant, g.workspace, coalesce(g.incident_severity, $1) AS severity,
        array_agg(DISTINCT i.id) AS incidents,
        jsonb_agg(DISTINCT jsonb_build_object('kind', e.kind, 'id', e.entity, 'key', e.key)) AS things
      FROM access_grants g
      JOIN incidents i ON i.workspace = g.workspace AND i.state <> 'resolved'
        AND (g.incident_severity IS NOT NULL OR i.opened_at >= g.asked_at)
        AND array_position($2::text[], i.severity) >= array_position($2::text[], coalesce(g.incident_severity, $1))
      JOIN incident_entities e ON e.incident = i.id AND e.key = ANY (g.things)
      WHERE g.ending_at IS NULL AND g.on_incident = 'atOnce' GROUP BY g.id`,
    values: [usual, severities],
  });
  return rows;
}
