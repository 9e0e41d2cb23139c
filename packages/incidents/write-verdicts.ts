import type { Entity, Finding } from '@tripline/contracts/finding';
import type { Actor } from '@tripline/contracts/incident';
import { describeScope, type Silence } from '@tripline/contracts/silence';
import { queueOnce } from '@tripline/db/queue';
import type { ClientBase } from 'pg';
import type { Applied } from './apply-verdicts.ts';
import type { FindingUpdate, Retraction } from './verdicts.ts';

const tripline: Actor = { via: 'tripline', id: 'tripline', name: 'tripline' };

/**
 * Writes incidents with their entities, findings, the history, and the queue entries that follow. Each changed incident
 * is reported; every reported finding goes through the guard. One statement, since each round trip delays the response.
 */
export async function writeVerdicts(
  client: ClientBase,
  { joining, inserts, retractions, changes, remediate, lateJoins }: Applied,
): Promise<void> {
  const changed = [...joining.incidents].filter((incident) => incident.changed);
  if (changed.length === 0 && inserts.size + retractions.size + changes.size === 0) return;
  const placeOf = new Map(changed.map((incident, place) => [incident, place]));
  const incidents = changed.map((incident, place) => ({
    ...incident,
    place,
    pageSeverity: incident.pageSeverity === incident.severity ? null : incident.pageSeverity,
    entities: namedApart([...incident.entities.values()]),
  }));
  const findings = [...inserts.values()].map(({ finding, incident, silence, exception, supersededBy, pages }) => {
    const retraction = retractions.get(finding.id);
    const retracted = retraction ? { atMs: retraction.atMs, retractedReason: retraction.reason } : {};
    const { lowered, ...rest } = changedBy(changes.get(finding.id), finding);
    return {
      ...rest,
      loweredAtMs: lowered?.atMs,
      loweredReason: lowered?.reason,
      place: incident === null ? null : placeOf.get(incident)!,
      silencedBy: silence === null ? null : nameOfSilence(silence),
      silenceId: silence === null ? null : (silence.id ?? nameOfSilence(silence)),
      silencedUntil: silence?.until,
      ...{ supersededBy, pages },
      excepted: exception && { owner: exception.owner, reason: exception.reason, until: exception.until },
      ...retracted,
    };
  });
  const known = [...new Set([...retractions.keys(), ...changes.keys()])].filter((id) => !inserts.has(id));
  const marks = known.map((id) => {
    const { unproven, lowered, growth, supersededBy, silence, exception } = changes.get(id) ?? {};
    const { evidence = [], entities = [], response = [], ...grown } = growth ?? {};
    const change = { unproven, loweredAtMs: lowered?.atMs, loweredReason: lowered?.reason };
    const joined = lateJoins.get(id);
    Object.assign(change, { evidence, entities, response, ...grown, ...(joined && { place: placeOf.get(joined)! }) });
    if (supersededBy !== undefined) Object.assign(change, { speaks: true, supersededBy });
    if (exception !== undefined) {
      const { owner, reason, until } = exception;
      Object.assign(change, { excepted: { owner, reason, until } });
    }
    if (silence !== undefined) {
      const name = nameOfSilence(silence);
      Object.assign(change, { silencedBy: name, silenceId: silence.id ?? name, silencedUntil: silence.until });
    }
    // Marked without `atMs` and `reason`, the finding stands again.
    return { id, ...retractions.get(id), marked: retractions.has(id), ...change };
  });
  const history = joining.history.map(({ incident, kind, detail }, line) => ({
    ...{ line, place: placeOf.get(incident)!, kind, detail },
  }));
  // An existing row fails the transaction on purpose: `known` was read for all of these workspaces.
  await client.query({
    name: 'verdicts-write',
    text: writeSql,
    values: [
      JSON.stringify(tripline),
      JSON.stringify(incidents),
      JSON.stringify(findings),
      JSON.stringify(marks),
      JSON.stringify(history),
      JSON.stringify([...remediate]),
    ],
  });
}

/** How a silence is named beside the finding that it silenced. */
const nameOfSilence = (silence: Silence) =>
  `${silence.id ?? describeScope(silence)} until ${new Date(silence.until).toISOString()}: ${silence.reason}`;

/** One row per entity: where two entities of an incident have the same name, the second is named by its key. */
function namedApart(entities: readonly Entity[]): Entity[] {
  const names = new Set<string>();
  return entities.map((entity) => {
    const { kind, id, key } = entity;
    const isFirst = !names.has(`${kind} ${id}`);
    names.add(`${kind} ${id}`);
    return isFirst || key === undefined ? entity : { kind, id: key, key };
  });
}

/** A finding that is to be inserted, with its later changes within the same batch. */
function changedBy(change: FindingUpdate | undefined, finding: Finding): Finding & { lowered?: Retraction } {
  if (change === undefined) return finding;
  const { lowered, growth } = change;
  const { unproven: _, ...whole } = finding;
  const unproven = change.unproven ?? finding.unproven === true;
  const { evidence = [], entities = [], response = [], raised: __, ...grown } = growth ?? {};
  const once = new Set(finding.response.map((step) => JSON.stringify(step)));
  return {
    ...whole,
    ...grown,
    ...(unproven ? { unproven } : {}),
    evidence: [...finding.evidence, ...evidence].sort((a, b) => Date.parse(a.time) - Date.parse(b.time)),
    entities: [...finding.entities, ...entities],
    response: [...finding.response, ...response.filter((step) => !once.has(JSON.stringify(step)))],
    ...(lowered === undefined ? {} : { lowered, severity: 'low', response: [] }),
  };
}

const writeSql = `
WITH numbered AS MATERIALIZED (
  SELECT coalesce(c.id, 'INC-' || nextval('incident_numbers')) AS name, c.*
  FROM json_to_recordset($2::json) AS c(place int, id text, workspace text, state text, severity text, title text,
    version int, "openedMs" float8, "lastVerdictMs" float8, "resolvedMs" float8, resolution text,
    "pageGeneration" int, "pageSeverity" text, entities json)
), changed AS (
  INSERT INTO incidents AS i (id, workspace, state, severity, title, version, opened_at, updated_at, last_verdict_at,
    resolved_at, resolved_by, resolution, page_generation, page_severity, acknowledged_at, acknowledged_by)
  SELECT name, workspace, state, severity, title, version, to_timestamp("openedMs" / 1000),
    to_timestamp("lastVerdictMs" / 1000), to_timestamp("lastVerdictMs" / 1000), to_timestamp("resolvedMs" / 1000),
    CASE WHEN resolution IS NOT NULL THEN $1::jsonb END, resolution, "pageGeneration", "pageSeverity",
    -- The table's checks see what is proposed first; whoever acknowledged stays.
    CASE WHEN state = 'acknowledged' THEN now() END, CASE WHEN state = 'acknowledged' THEN $1::jsonb END
  FROM numbered
  ON CONFLICT (id) DO UPDATE SET
    state = excluded.state, severity = excluded.severity, version = excluded.version,
    updated_at = greatest(i.updated_at, excluded.updated_at), last_verdict_at = excluded.last_verdict_at,
    resolved_at = excluded.resolved_at, resolved_by = excluded.resolved_by, resolution = excluded.resolution,
    page_generation = excluded.page_generation, page_severity = excluded.page_severity,
    -- An incident that opens anew is nobody's.
    acknowledged_at = CASE WHEN excluded.state <> 'open' AND i.state <> 'resolved' THEN i.acknowledged_at END,
    acknowledged_by = CASE WHEN excluded.state <> 'open' AND i.state <> 'resolved' THEN i.acknowledged_by END,
    acknowledged_severity = CASE WHEN excluded.state <> 'open' AND i.state <> 'resolved' THEN i.acknowledged_severity END,
    acknowledged_generation = CASE WHEN excluded.state <> 'open' AND i.state <> 'resolved' THEN i.acknowledged_generation END
), about AS (
  INSERT INTO incident_entities (incident, workspace, kind, entity, key)
  SELECT n.name, n.workspace, e.kind, e.id, e.key
  FROM numbered n, json_to_recordset(n.entities) AS e(kind text, id text, key text)
  ON CONFLICT DO NOTHING
), found AS (
  INSERT INTO findings (id, incident, rule, workspace, subject, occasion, severity, confidence, title, summary,
    deciding_event, occurred_at, detected_at, evidence, entities, response, remedy, silence, attack, attack_version,
    owasp, silenced_by, excepted, superseded_by, withdrawn_at, withdrawn_reason, unproven, lowered_at, lowered_reason,
    pages)
  SELECT f.id, n.name, rule, f.workspace, subject, occasion, f.severity, confidence, f.title, summary,
    "decidingEvent", "occurredAt", "detectedAt", evidence, f.entities, response, remedy, silence, attack,
    "attackVersion", owasp, "silencedBy", excepted, "supersededBy", to_timestamp("atMs" / 1000), "retractedReason",
    coalesce(unproven, false), to_timestamp("loweredAtMs" / 1000), "loweredReason", coalesce(pages, true)
  FROM json_to_recordset($3::json) AS f(place int, id text, rule text, workspace text, subject text,
    occasion text, severity text, confidence text, title text, summary text, "decidingEvent" text,
    "occurredAt" timestamptz, "detectedAt" timestamptz, evidence jsonb, entities jsonb, response jsonb, remedy jsonb,
    silence text, attack text[], "attackVersion" text, owasp text[], "silencedBy" text, excepted jsonb, "supersededBy" text, "atMs" float8,
    "retractedReason" text, unproven boolean, "loweredAtMs" float8, "loweredReason" text,
    pages boolean)
  LEFT JOIN numbered n ON n.place = f.place
), silenced AS (
  -- Told when that is over, as far as it still stands.
  INSERT INTO silenced_findings (finding, workspace, silence, until)
  SELECT f.id, f.workspace, "silenceId", "silencedUntil"
  FROM json_to_recordset($3::json) AS f(id text, workspace text, "silenceId" text, "silencedUntil" timestamptz)
  WHERE "silenceId" IS NOT NULL
  UNION ALL
  SELECT f.id, f.workspace, "silenceId", "silencedUntil"
  FROM json_to_recordset($4::json) AS w(id text, "silenceId" text, "silencedUntil" timestamptz)
  JOIN findings f ON f.id = w.id WHERE "silenceId" IS NOT NULL
  ON CONFLICT (finding) DO UPDATE SET silence = excluded.silence, until = excluded.until
), outgrown AS (
  DELETE FROM silenced_findings WHERE finding IN (
    SELECT w.id FROM json_to_recordset($4::json) AS w(id text, place int) WHERE w.place IS NOT NULL)
), marked AS (
  UPDATE findings f SET
    withdrawn_at = CASE WHEN w.marked THEN to_timestamp(w."atMs" / 1000) ELSE f.withdrawn_at END,
    withdrawn_reason = CASE WHEN w.marked THEN w.reason ELSE f.withdrawn_reason END,
    unproven = coalesce(w.unproven, f.unproven),
    severity = CASE WHEN w."loweredReason" IS NULL THEN coalesce(w.severity, f.severity) ELSE 'low' END,
    confidence = coalesce(w.confidence, f.confidence),
    title = coalesce(w.title, f.title),
    summary = coalesce(w.summary, f.summary),
    -- Steps keep their places: what was planned of them goes by those.
    response = CASE WHEN w."loweredReason" IS NOT NULL THEN '[]' ELSE f.response || coalesce((
      SELECT jsonb_agg(step ORDER BY place) FROM jsonb_array_elements(w.response) WITH ORDINALITY AS steps(step, place)
      WHERE NOT f.response @> jsonb_build_array(step)), '[]') END,
    entities = f.entities || w.entities,
    incident = CASE WHEN w.place IS NULL THEN f.incident ELSE (SELECT name FROM numbered n WHERE n.place = w.place) END,
    excepted = CASE WHEN w.place IS NULL AND w."silencedBy" IS NULL THEN coalesce(w.excepted, f.excepted) END,
    -- What outgrew its silence is told, and acted upon.
    silenced_by = CASE WHEN w.place IS NULL THEN coalesce(w."silencedBy", f.silenced_by) END,
    superseded_by = CASE WHEN w.speaks THEN w."supersededBy" ELSE f.superseded_by END,
    lowered_at = CASE WHEN w.raised THEN NULL ELSE coalesce(f.lowered_at, to_timestamp(w."loweredAtMs" / 1000)) END,
    lowered_reason = CASE WHEN w.raised THEN NULL ELSE coalesce(f.lowered_reason, w."loweredReason") END,
    evidence = CASE WHEN jsonb_array_length(w.evidence) = 0 THEN f.evidence ELSE (
      SELECT jsonb_agg(line ORDER BY (line ->> 'time')::timestamptz, place)
      FROM jsonb_array_elements(f.evidence || w.evidence) WITH ORDINALITY AS lines(line, place)) END
  FROM json_to_recordset($4::json) AS w(id text, reason text, "atMs" float8, marked boolean, unproven boolean,
    "loweredAtMs" float8, "loweredReason" text, evidence jsonb, entities jsonb, response jsonb, severity text, confidence text, title text,
    summary text, raised boolean, place int, speaks boolean, "supersededBy" text, excepted jsonb, "silencedBy" text)
  WHERE f.id = w.id
), story AS (
  INSERT INTO incident_events (incident, kind, actor, detail)
  SELECT n.name, s.kind, $1::jsonb, s.detail
  FROM json_to_recordset($5::json) AS s(line int, place int, kind text, detail jsonb)
  JOIN numbered n ON n.place = s.place ORDER BY s.line
)
-- Nothing stands in it twice.
INSERT INTO queue AS q (purpose, item, due_at)
SELECT 'notify', n.name, clock_timestamp() FROM numbered n
UNION ALL
SELECT 'remediate', finding, clock_timestamp() FROM json_array_elements_text($6::json) AS finding
${queueOnce}`;
