import type { Entity } from '@tripline/contracts/finding';
import type { Silence } from '@tripline/contracts/silence';
import type { ClientBase } from 'pg';
import { entityName, joiningKinds, joiningWindowMs, joins, type OpenIncident } from './join-incidents.ts';
import { findingOf, type KnownFinding, type RuleVerdict } from './verdicts.ts';

/**
 * Reads existing findings, and the incidents that a finding may join or a retraction concerns, locked in a fixed order.
 * One statement, to keep the latency of findings low.
 */
export async function readAndLock(
  client: ClientBase,
  verdicts: readonly RuleVerdict[],
): Promise<{ known: Map<string, KnownFinding>; locked: string[]; silences: Silence[] }> {
  const ids = verdicts.map(findingOf);
  const findings = verdicts.flatMap((verdict) => ('finding' in verdict ? [verdict.finding] : []));
  const changes = verdicts.flatMap((verdict) => ('change' in verdict ? [verdict.change] : []));
  const workspaces = new Map(findings.map(({ id, workspace }) => [id, workspace]));
  const entities = [...findings, ...changes.map(({ findingId: id, entities = [] }) => ({ id, entities }))].flatMap(
    ({ id: finding, entities }) =>
      entities
        .filter(joins)
        .map(({ kind, id, key }) => ({ finding, workspace: workspaces.get(finding), kind, entity: id, key })),
  );
  const times = [...findings.map(({ detectedAt }) => Date.parse(detectedAt)), ...changes.map(({ atMs }) => atMs)];
  const earliestMs = Math.min(...times, 8.64e15);
  const { rows } = await client.query<{
    known: (KnownFinding & { id: string })[];
    locked: string[];
    silences: { [K in keyof Silence]: Silence[K] | null }[];
  }>({
    name: 'verdicts-known',
    text: `WITH known AS MATERIALIZED (
       SELECT id, incident, withdrawn_at IS NOT NULL AS retracted, severity, unproven, excepted IS NOT NULL AS excepted,
         silenced_by IS NOT NULL AS silenced, pages,
         superseded_by AS "supersededBy", json_build_object('workspace', workspace, 'rule', rule, 'subject', subject,
           'title', title, 'confidence', confidence, 'entities', entities) AS facts
       FROM findings
       WHERE id = ANY (ARRAY(SELECT json_array_elements_text($1::json)))
       -- Whoever tells what still stands after a silence gives it an incident.
       ORDER BY id FOR NO KEY UPDATE
     ), w AS (
       SELECT coalesce(w.workspace, k.facts ->> 'workspace') AS workspace, w.kind, w.entity, w.key
       FROM json_to_recordset($2::json) AS w(finding text, workspace text, kind text, entity text, key text)
       LEFT JOIN known k ON k.id = w.finding
       UNION
       -- What is told to nobody may come to join one after all.
       SELECT k.facts ->> 'workspace', e.kind, e.id, e.key
       FROM known k, json_to_recordset(k.facts -> 'entities') AS e(kind text, id text, key text)
       WHERE k.incident IS NULL AND e.kind = ANY (ARRAY(SELECT json_array_elements_text($5::json)))
     ), locked AS (
       SELECT id FROM incidents WHERE id = ANY (ARRAY(
         SELECT incident FROM known WHERE incident IS NOT NULL
         UNION
         SELECT i.id FROM w
           -- As isSameEntity has it: by key where both have one, else by name.
           JOIN LATERAL (
             SELECT e.incident FROM incident_entities e
             WHERE e.workspace = w.workspace AND e.kind = w.kind AND e.entity = w.entity AND (e.key IS NULL OR w.key IS NULL)
             UNION
             SELECT e.incident FROM incident_entities e
             WHERE e.workspace = w.workspace AND e.kind = w.kind AND e.key = w.key
           ) e ON true
           JOIN incidents i ON i.id = e.incident AND ${lastVerdict} >= to_timestamp($3::float8 / 1000)))
       ORDER BY id FOR UPDATE
     )
     SELECT (SELECT coalesce(json_agg(known), '[]') FROM known) AS known,
       (SELECT coalesce(json_agg(id), '[]') FROM locked) AS locked,
       (SELECT coalesce(json_agg(s ORDER BY s.created_at, s.id), '[]') FROM silences s
        WHERE s.expired_at IS NULL AND s.until > to_timestamp($4::float8 / 1000)) AS silences`,
    values: [
      JSON.stringify(ids),
      JSON.stringify(entities),
      Math.min(...times, 8.64e15 / 1000) - joiningWindowMs,
      earliestMs,
      JSON.stringify(joiningKinds),
    ],
  });
  const { known, locked, silences } = rows[0]!;
  return {
    known: new Map(known.map(({ id, ...finding }) => [id, finding])),
    locked,
    silences: silences.map(withoutNulls),
  };
}

function withoutNulls(row: object): Silence {
  const given = Object.entries(row).filter(([, value]) => value !== null);
  return Object.fromEntries(given) as Silence;
}

/** Rows of former versions lack the column's value. */
const lastVerdict = 'coalesce(i.last_verdict_at, i.updated_at)';

type IncidentRow = Omit<OpenIncident, 'entities' | 'changed' | 'id'> & { id: string; entities: Entity[] };

/** Read after locking, so that acts of people meanwhile are included. */
export async function readIncidents(client: ClientBase, ids: readonly string[]): Promise<OpenIncident[]> {
  const { rows } = await client.query<IncidentRow>(
    `SELECT i.id, i.workspace, i.state, i.severity, coalesce(i.page_severity, i.severity) AS "pageSeverity", i.title, i.version,
       i.resolution,
       coalesce(i.resolved_by->>'via' = 'tripline', false) AS "resolvedByUs",
       substr(i.id, 5)::bigint AS ordinal,
       extract(epoch FROM i.opened_at)::float8 * 1000 AS "openedMs",
       extract(epoch FROM ${lastVerdict})::float8 * 1000 AS "lastVerdictMs",
       extract(epoch FROM i.resolved_at)::float8 * 1000 AS "resolvedMs",
       i.page_generation AS "pageGeneration", i.acknowledged_severity AS "acknowledgedSeverity",
       i.acknowledged_generation AS "acknowledgedGeneration", f.standing, f.paging, f.total,
       (SELECT coalesce(json_agg(json_strip_nulls(json_build_object('kind', e.kind, 'id', e.entity, 'key', e.key))), '[]')
        FROM incident_entities e WHERE e.incident = i.id) AS entities
     FROM incidents i, LATERAL (
       SELECT coalesce(sum(count), 0)::int AS total, coalesce(json_object_agg(severity, standing), '{}') AS standing,
         coalesce(json_object_agg(severity, paging), '{}') AS paging FROM (
         SELECT severity, count(*), count(*) FILTER (WHERE withdrawn_at IS NULL AND superseded_by IS NULL) AS standing,
           count(*) FILTER (WHERE pages AND withdrawn_at IS NULL AND superseded_by IS NULL) AS paging
         FROM findings WHERE incident = i.id GROUP BY severity) AS each
     ) f WHERE i.id IN (SELECT json_array_elements_text($1::json))`,
    [JSON.stringify(ids)],
  );
  return rows.map(({ entities, ...row }) => ({
    ...row,
    entities: new Map(entities.map((entity) => [entityName(row.workspace, entity), entity])),
    changed: false,
  }));
}
