import type { Entity, Finding } from '@tripline/contracts/finding';
import type { Actor } from '@tripline/contracts/incident';
import type { ClientBase } from 'pg';
import { type AnyJob, addJobs } from './jobs.ts';
import { createJoining, entityName, joiningWindowMs, joins, type OpenIncident } from './join-incidents.ts';

/** An entry of `silences` in tripline.yaml. */
export type Silence = {
  rule: string;
  subject: string;
  workspace?: string | undefined;
  until: string;
  reason: string;
};

/** What a rule said, in the order in which rules said it. */
export type RuleVerdict =
  | { kind: 'found' | 'reinstated'; finding: Finding }
  | { kind: 'withdrawn'; withdrawal: { findingId: string; reason: string; atMs: number } };

/** How many of each were written; what stood there already counts as none. */
export type Recorded = { found: number; silenced: number; withdrawn: number; reinstated: number };

const tripline: Actor = { via: 'tripline', id: 'tripline', name: 'tripline' };

type KnownFinding = { incident: string | null; withdrawn: boolean };
/** A finding while verdicts are laid on it. */
type Standing = { incident: OpenIncident | null; withdrawn: boolean };
type Withdrawal = { reason: string; atMs: number };
type Insert = { finding: Finding; incident: OpenIncident | null; silencedBy: string | null };

/**
 * Records what a batch found and took back, with the incidents and jobs that follow, in the caller's transaction. The
 * caller has moved its position there already, so nobody else writes findings of these workspaces meanwhile; people may
 * act on incidents, whose rows are locked. A finding that stands there already adds nothing; one that was withdrawn stands
 * again.
 */
export async function recordVerdicts(
  client: ClientBase,
  verdicts: readonly RuleVerdict[],
  silences: readonly Silence[],
): Promise<Recorded> {
  const recorded: Recorded = { found: 0, silenced: 0, withdrawn: 0, reinstated: 0 };
  if (verdicts.length === 0) return recorded;
  const known = await readKnown(client, verdicts);
  const joining = createJoining(await lockIncidents(client, verdicts, known));
  const byId = new Map([...joining.incidents].map((incident) => [incident.id, incident]));
  const standing = new Map<string, Standing>();
  for (const [id, { incident, withdrawn }] of known) {
    standing.set(id, { incident: incident === null ? null : byId.get(incident)!, withdrawn });
  }
  const inserts = new Map<string, Insert>();
  /** By finding, what its row says in the end; null takes a withdrawal back. */
  const withdrawals = new Map<string, Withdrawal | null>();
  const remediate = new Set<string>();

  for (const verdict of verdicts) {
    const id = verdict.kind === 'withdrawn' ? verdict.withdrawal.findingId : verdict.finding.id;
    const one = standing.get(id);
    if (verdict.kind === 'withdrawn') {
      const { withdrawal } = verdict;
      if (one === undefined || one.withdrawn) continue;
      if (one.incident !== null && !joining.withdraw(one.incident, withdrawal)) continue;
      one.withdrawn = true;
      withdrawals.set(id, withdrawal);
      recorded.withdrawn += 1;
    } else if (one === undefined) {
      const { finding } = verdict;
      const silencedBy = silenceOf(finding, silences);
      const incident = silencedBy === null ? joining.find(finding) : null;
      standing.set(id, { incident, withdrawn: false });
      inserts.set(id, { finding, incident, silencedBy });
      if (incident !== null) remediate.add(id);
      recorded[silencedBy === null ? 'found' : 'silenced'] += 1;
    } else if (one.withdrawn) {
      one.withdrawn = false;
      withdrawals.set(id, null);
      if (one.incident !== null && joining.reinstate(one.incident, verdict.finding)) remediate.add(id);
      recorded.reinstated += 1;
    }
  }

  const changed = [...joining.incidents].filter((incident) => incident.changed);
  await writeIncidents(client, changed);
  await insertFindings(client, [...inserts.values()]);
  await markWithdrawn(client, withdrawals);
  await insertStory(client, joining.story);
  await addJobs(client, jobsFor(changed, remediate));
  return recorded;
}

function silenceOf(finding: Finding, silences: readonly Silence[]): string | null {
  const found = silences.find(
    ({ rule, subject, workspace, until }) =>
      rule === finding.rule &&
      (workspace === undefined || workspace === finding.workspace) &&
      (subject.endsWith('*') ? finding.subject.startsWith(subject.slice(0, -1)) : finding.subject === subject) &&
      Date.parse(until) > Date.parse(finding.detectedAt),
  );
  return found === undefined ? null : `${found.rule} on ${found.subject} until ${found.until}: ${found.reason}`;
}

async function readKnown(client: ClientBase, verdicts: readonly RuleVerdict[]): Promise<Map<string, KnownFinding>> {
  const ids = verdicts.map((verdict) =>
    verdict.kind === 'withdrawn' ? verdict.withdrawal.findingId : verdict.finding.id,
  );
  const { rows } = await client.query<KnownFinding & { id: string }>(
    `SELECT id, incident, withdrawn_at IS NOT NULL AS withdrawn FROM findings
     WHERE id IN (SELECT json_array_elements_text($1::json))`,
    [JSON.stringify(ids)],
  );
  return new Map(rows.map(({ id, ...finding }) => [id, finding]));
}

type IncidentRow = Omit<OpenIncident, 'entities' | 'changed' | 'id'> & { id: string; entities: Entity[] };

/** Incidents that some finding may join or some withdrawal concerns, locked in one order. */
async function lockIncidents(
  client: ClientBase,
  verdicts: readonly RuleVerdict[],
  known: ReadonlyMap<string, KnownFinding>,
): Promise<OpenIncident[]> {
  const findings = verdicts.flatMap((verdict) => (verdict.kind === 'withdrawn' ? [] : [verdict.finding]));
  const entities = findings.flatMap(({ workspace, entities }) =>
    entities.filter(joins).map(({ kind, id }) => ({ workspace, kind, entity: id })),
  );
  const times = findings.map((finding) => Date.parse(finding.detectedAt));
  const concerned = [...known.values()].flatMap(({ incident }) => (incident === null ? [] : [incident]));
  const { rows: locked } = await client.query<{ id: string }>(
    `SELECT id FROM incidents WHERE id IN (SELECT json_array_elements_text($2::json))
       OR (updated_at >= to_timestamp($3::float8 / 1000) AND id IN (
         SELECT e.incident FROM json_to_recordset($1::json) AS w(workspace text, kind text, entity text)
         JOIN incident_entities e ON e.workspace = w.workspace AND e.kind = w.kind AND e.entity = w.entity))
     ORDER BY id FOR UPDATE`,
    [JSON.stringify(entities), JSON.stringify(concerned), Math.min(...times, 8.64e15 / 1000) - joiningWindowMs],
  );
  if (locked.length === 0) return [];
  // Read after the lock is had, so that what people did meanwhile is seen.
  const { rows } = await client.query<IncidentRow>(
    `SELECT i.id, i.workspace, i.state, i.severity, i.title, i.version, i.resolution,
       coalesce(i.resolved_by->>'via' = 'tripline', false) AS "resolvedByUs",
       substr(i.id, 5)::bigint AS ordinal,
       extract(epoch FROM i.opened_at)::float8 * 1000 AS "openedMs",
       extract(epoch FROM i.updated_at)::float8 * 1000 AS "updatedMs",
       extract(epoch FROM i.resolved_at)::float8 * 1000 AS "resolvedMs",
       (SELECT count(*)::int FROM findings f WHERE f.incident = i.id AND f.withdrawn_at IS NULL) AS standing,
       (SELECT coalesce(json_agg(json_build_object('kind', e.kind, 'id', e.entity)), '[]')
        FROM incident_entities e WHERE e.incident = i.id) AS entities
     FROM incidents i WHERE i.id IN (SELECT json_array_elements_text($1::json))`,
    [JSON.stringify(locked.map(({ id }) => id))],
  );
  return rows.map(({ entities, ...row }) => ({
    ...row,
    entities: new Map(entities.map((entity) => [entityName(row.workspace, entity), entity])),
    changed: false,
  }));
}

async function writeIncidents(client: ClientBase, incidents: readonly OpenIncident[]): Promise<void> {
  if (incidents.length === 0) return;
  const fresh = incidents.filter(({ id }) => id === null);
  if (fresh.length > 0) {
    const { rows } = await client.query<{ id: string }>(
      `SELECT 'INC-' || nextval('incident_numbers') AS id FROM generate_series(1, $1::int)`,
      [fresh.length],
    );
    for (const [place, incident] of fresh.entries()) incident.id = rows[place]!.id;
  }
  await client.query(
    `INSERT INTO incidents AS i (id, workspace, state, severity, title, version, opened_at, updated_at, resolved_at, resolved_by, resolution)
     SELECT c.id, workspace, c.state, c.severity, c.title, c.version, to_timestamp("openedMs" / 1000), to_timestamp("updatedMs" / 1000),
       to_timestamp("resolvedMs" / 1000), CASE WHEN resolution IS NOT NULL THEN $2::jsonb END, resolution
     FROM json_to_recordset($1::json) AS c(id text, workspace text, state text, severity text, title text, version int,
       "openedMs" float8, "updatedMs" float8, "resolvedMs" float8, resolution text)
     ON CONFLICT (id) DO UPDATE SET
       state = excluded.state, severity = excluded.severity, version = excluded.version, updated_at = excluded.updated_at,
       resolved_at = excluded.resolved_at, resolved_by = excluded.resolved_by, resolution = excluded.resolution,
       -- An incident that was resolved and opens anew is nobody's.
       acknowledged_at = CASE WHEN i.state = 'resolved' THEN NULL ELSE i.acknowledged_at END,
       acknowledged_by = CASE WHEN i.state = 'resolved' THEN NULL ELSE i.acknowledged_by END`,
    [JSON.stringify(incidents), JSON.stringify(tripline)],
  );
  const entities = incidents.flatMap((incident) =>
    [...incident.entities.values()].map(({ kind, id }) => ({
      incident: incident.id,
      workspace: incident.workspace,
      kind,
      entity: id,
    })),
  );
  await client.query(
    `INSERT INTO incident_entities (incident, workspace, kind, entity)
     SELECT incident, workspace, kind, entity
     FROM json_to_recordset($1::json) AS e(incident text, workspace text, kind text, entity text)
     ON CONFLICT DO NOTHING`,
    [JSON.stringify(entities)],
  );
}

async function insertFindings(client: ClientBase, inserts: readonly Insert[]): Promise<void> {
  if (inserts.length === 0) return;
  const rows = inserts.map(({ finding, incident, silencedBy }) => ({ ...finding, incident: incident?.id, silencedBy }));
  // A conflict fails the transaction on purpose: `known` has seen every finding of these workspaces.
  await client.query(
    `INSERT INTO findings (id, incident, rule, workspace, subject, occasion, severity, confidence, title, summary,
       deciding_event, occurred_at, detected_at, evidence, entities, response, remedy, silence, attack, attack_version,
       owasp, silenced_by)
     SELECT id, incident, rule, workspace, subject, occasion, severity, confidence, title, summary,
       "decidingEvent", "occurredAt", "detectedAt", evidence, entities, response, remedy, silence, attack,
       "attackVersion", owasp, "silencedBy"
     FROM json_to_recordset($1::json) AS f(id text, incident text, rule text, workspace text, subject text,
       occasion text, severity text, confidence text, title text, summary text, "decidingEvent" text,
       "occurredAt" timestamptz, "detectedAt" timestamptz, evidence jsonb, entities jsonb, response jsonb, remedy jsonb,
       silence text, attack text[], "attackVersion" text, owasp text[], "silencedBy" text)`,
    [JSON.stringify(rows)],
  );
}

/** Without `atMs` and `reason` the finding stands again. */
async function markWithdrawn(client: ClientBase, withdrawals: ReadonlyMap<string, Withdrawal | null>): Promise<void> {
  if (withdrawals.size === 0) return;
  const rows = [...withdrawals].map(([id, withdrawal]) => ({ id, ...withdrawal }));
  await client.query(
    `UPDATE findings f SET withdrawn_at = to_timestamp(w."atMs" / 1000), withdrawn_reason = w.reason
     FROM json_to_recordset($1::json) AS w(id text, reason text, "atMs" float8)
     WHERE f.id = w.id`,
    [JSON.stringify(rows)],
  );
}

async function insertStory(
  client: ClientBase,
  story: readonly { incident: OpenIncident; kind: string; detail: Record<string, unknown> }[],
): Promise<void> {
  if (story.length === 0) return;
  const rows = story.map(({ incident, kind, detail }, place) => ({ place, incident: incident.id, kind, detail }));
  await client.query(
    `INSERT INTO incident_events (incident, kind, actor, detail)
     SELECT incident, kind, $2::jsonb, detail
     FROM json_to_recordset($1::json) AS s(place int, incident text, kind text, detail jsonb) ORDER BY place`,
    [JSON.stringify(rows), JSON.stringify(tripline)],
  );
}

/** People hear of each changed incident; every finding that they hear of goes through the guard. */
function jobsFor(changed: readonly OpenIncident[], remediate: Iterable<string>): AnyJob[] {
  const jobs: AnyJob[] = [];
  for (const { id } of changed) {
    const payload = { incident: id! };
    jobs.push({ name: 'tell-slack', payload, key: `tell-slack:${id}` });
    jobs.push({ name: 'tell-pagerduty', payload, key: `tell-pagerduty:${id}` });
  }
  for (const finding of remediate) jobs.push({ name: 'remediate', payload: { finding }, key: `remediate:${finding}` });
  return jobs;
}
