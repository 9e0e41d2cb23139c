import type { Pool } from 'pg';
import type { DrillEvent } from './seen.ts';

/**
 * Reads what Tripline did in one workspace; each call returns what is new since the last. One query for all tables, so
 * that the result is of one moment.
 */
export function createLook(pool: Pick<Pool, 'query'>, workspace: string): () => Promise<DrillEvent[]> {
  const known = new Set<string>();
  return async () => {
    const { rows } = await pool.query<{ id: string; item: Omit<DrillEvent, 'atMs'> }>({
      name: 'look-at-drill',
      text: `SELECT 'f' || id AS id, 1 AS rank, recorded_at AS at, json_build_object(
               'what', 'found', 'id', id, 'rule', rule, 'severity', severity, 'confidence', confidence,
               'subject', subject, 'title', title, 'incident', incident, 'decidingEvent', deciding_event) AS item
             FROM findings WHERE workspace = $1
             UNION ALL
             SELECT 'w' || id, 2, withdrawn_at, json_build_object('what', 'retracted', 'finding', id, 'reason', withdrawn_reason)
             FROM findings WHERE workspace = $1 AND withdrawn_at IS NOT NULL
             UNION ALL
             SELECT 'm' || m.id, 3, m.sent_at, json_build_object(
               'what', 'notified', 'channel', m.sink, 'kind', m.kind, 'incident', m.incident, 'dryRun', m.mode = 'dry-run')
             FROM messages m JOIN incidents i ON i.id = m.incident WHERE i.workspace = $1
             UNION ALL
             SELECT 'r' || finding || ordinal || state, 4, coalesce(settled_at, queued_at), json_build_object(
               'what', 'responded', 'finding', finding, 'ordinal', ordinal, 'action', action, 'verdict', verdict, 'state', state,
               'detail', said)
             FROM remediations WHERE workspace = $1 AND (settled_at IS NOT NULL OR state = 'queued')
             ORDER BY rank, at`,
      values: [workspace],
    });
    const atMs = performance.now();
    const fresh = rows.filter(({ id }) => !known.has(id));
    for (const { id } of fresh) known.add(id);
    return fresh.map(({ item }) => ({ ...item, atMs }) as DrillEvent);
  };
}
