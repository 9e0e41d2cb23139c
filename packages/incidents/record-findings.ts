import type { Exceptable, Excepted } from '@tripline/contracts/exception';
import type { Entity, Evidence, Finding, Severity } from '@tripline/contracts/finding';
import type { Actor } from '@tripline/contracts/incident';
import type { Intent } from '@tripline/contracts/response';
import { describeScope, type Silence, silenceOf } from '@tripline/contracts/silence';
import type { ClientBase } from 'pg';
import {
  createJoining,
  entityName,
  joiningKinds,
  joiningWindowMs,
  joins,
  type OpenIncident,
} from './join-incidents.ts';

/** What a rule said, in the order in which rules said it. */
export type RuleVerdict =
  | { kind: 'found' | 'reinstated'; finding: Finding; supersededBy?: string }
  | { kind: 'retracted'; retraction: { findingId: string; reason: string; atMs: number } }
  | { kind: 'proven' | 'lowered' | 'grown' | 'superseded'; change: FindingChange };
type FindingChange = { findingId: string; rule: string; atMs: number; reason?: string; by?: string | null } & Growth;
/** What a finding has beside what it had; `response` is the whole playbook. */
type Growth = {
  evidence?: Evidence[];
  entities?: Entity[];
  severity?: Severity;
  title?: string;
  summary?: string;
  response?: Intent[];
};

/** How many of each were written; what stood there already counts as none. */
export type Recorded = {
  found: number;
  silenced: number;
  retracted: number;
  reinstated: number;
  proven: number;
  lowered: number;
  grown: number;
  excepted: number;
  superseded: number;
};
export const nothingRecorded: Recorded = {
  ...{
    found: 0,
    silenced: 0,
    retracted: 0,
    reinstated: 0,
    proven: 0,
    lowered: 0,
    grown: 0,
    excepted: 0,
    superseded: 0,
  },
};

const tripline: Actor = { via: 'tripline', id: 'tripline', name: 'tripline' };

type KnownFinding = {
  incident: string | null;
  retracted: boolean;
  severity: Severity;
  unproven: boolean;
  excepted: boolean;
  /** A silence keeps it from being told, or did until it ended. */
  silenced: boolean;
  /** The finding of a narrower rule that speaks for it. */
  supersededBy: string | null;
  /** Whether it may page. */
  pages: boolean;
  /** What exceptions and silences look at. */
  facts: Facts;
};
type Facts = Pick<Finding, 'workspace' | 'rule' | 'subject' | 'title' | 'entities' | 'confidence'>;
/** A finding while verdicts are laid on it. */
type Standing = Omit<KnownFinding, 'incident'> & { incident: OpenIncident | null };
type Retraction = { reason: string; atMs: number };
/** What else becomes of a finding's row. */
type Change = {
  unproven?: boolean;
  lowered?: Retraction;
  growth?: Growth;
  supersededBy?: string | null;
  silence?: Silence;
  exception?: Excepted;
};
type Insert = {
  finding: Finding;
  incident: OpenIncident | null;
  silence: Silence | null;
  exception: Excepted | null;
  supersededBy: string | null;
  pages: boolean;
};

/**
 * Records what a batch found and took back, with the incidents and jobs that follow, in the caller's transaction. The
 * caller has moved its position there already, so nobody else writes findings of these workspaces meanwhile; people may
 * act on incidents, whose rows are locked. A finding that stands there already adds nothing; one that was retracted stands
 * again. `ofConfig`: the silences of tripline.yaml; those that people added are read along. What an exception covers, by `coveredBy`,
 * is kept and told to nobody, and so is what a narrower rule found too, until that is taken back. What may not page, by `mayPage`,
 * is told and rings nobody.
 */
export async function recordVerdicts(
  client: ClientBase,
  verdicts: readonly RuleVerdict[],
  ofConfig: readonly Silence[],
  coveredBy: (finding: Exceptable) => Excepted | undefined = () => undefined,
  mayPage: (finding: Pick<Finding, 'rule' | 'workspace'>) => boolean = () => true,
): Promise<Recorded> {
  const recorded: Recorded = { ...nothingRecorded };
  if (verdicts.length === 0) return recorded;
  const { known, locked, silences } = await readAndLock(client, verdicts);
  const allSilences = [...silences, ...ofConfig];
  const joining = createJoining(locked.length === 0 ? [] : await readIncidents(client, locked));
  const byId = new Map([...joining.incidents].map((incident) => [incident.id, incident]));
  const standing = new Map<string, Standing>();
  for (const [id, { incident, ...one }] of known) {
    const own = incident === null ? null : byId.get(incident);
    // Its silence ended while we waited for it.
    if (own === undefined) throw new Error(`finding ${id} joined ${incident} meanwhile; to be recorded anew`);
    standing.set(id, { ...one, incident: own });
  }
  const inserts = new Map<string, Insert>();
  /** By finding, what its row says in the end; null takes a retraction back. */
  const retractions = new Map<string, Retraction | null>();
  const changes = new Map<string, Change>();
  const remediate = new Set<string>();
  /** Findings that are told after all, since no exception covers what they became. */
  const toldNow = new Map<string, OpenIncident>();

  for (const verdict of verdicts) {
    const id = findingOf(verdict);
    const one = standing.get(id);
    if ('change' in verdict) {
      if (one === undefined || one.retracted) continue;
      changes.set(id, { ...changes.get(id), ...lay(verdict, one, changes.get(id)) });
    } else if (verdict.kind === 'retracted') {
      const { retraction } = verdict;
      if (one === undefined || one.retracted) continue;
      const incident = incidentIn(one);
      if (incident !== null && !joining.retract(incident, one.severity, { ...retraction, pages: one.pages })) continue;
      one.retracted = true;
      retractions.set(id, retraction);
      recorded.retracted += 1;
    } else if (one === undefined) {
      const { finding, supersededBy = null } = verdict;
      const exception = supersededBy === null ? (coveredBy(finding) ?? null) : null;
      const isHeld = supersededBy !== null || exception !== null;
      const silence = isHeld ? null : (silenceOf(finding, allSilences) ?? null);
      const pages = mayPage(finding);
      const incident = isHeld || silence !== null ? null : joining.find({ ...finding, pages });
      const { severity, unproven = false } = finding;
      const excepted = exception !== null;
      const silenced = silence !== null;
      const of = { severity, unproven, excepted, silenced, supersededBy, pages, facts: finding };
      standing.set(id, { incident, retracted: false, ...of });
      inserts.set(id, { finding, incident, silence, exception, supersededBy, pages });
      if (incident !== null) remediate.add(id);
      if (supersededBy !== null) recorded.superseded += 1;
      else recorded[exception !== null ? 'excepted' : silence === null ? 'found' : 'silenced'] += 1;
    } else if (one.retracted) {
      one.retracted = false;
      retractions.set(id, null);
      // It rests on what was received now.
      const { unproven = false } = verdict.finding;
      if (unproven !== one.unproven) changes.set(id, { ...changes.get(id), unproven });
      one.unproven = unproven;
      const { supersededBy = null } = verdict;
      const spoke = one.supersededBy !== null;
      if (supersededBy !== one.supersededBy) changes.set(id, { ...changes.get(id), supersededBy });
      one.supersededBy = supersededBy;
      const insert = inserts.get(id);
      if (insert !== undefined) insert.supersededBy = supersededBy;
      recorded.reinstated += 1;
      const incident = incidentIn(one);
      const again = { ...verdict.finding, pages: one.pages };
      if (incident !== null && joining.reinstate(incident, one.severity, again)) remediate.add(id);
      else if (spoke && supersededBy === null) tell(id, one, Date.parse(verdict.finding.detectedAt));
    }
  }

  await write(client, { joining, inserts: [...inserts.values()], retractions, changes, remediate, toldNow });
  return recorded;

  /** More evidence alone is kept and told to nobody anew: a second delivery of the same act is no news. */
  function layGrowth({ findingId, rule, atMs, ...growth }: FindingChange, one: Standing): Growth {
    const { severity, title = '', entities = [], evidence = [] } = growth;
    recorded.grown += 1;
    const tells = severity !== undefined || entities.length > 0;
    const lines = evidence.length;
    const { pages, severity: former } = one;
    const told = { findingId, rule, title, entities, lines, atMs, pages, former, ...(severity && { severity }) };
    const incident = incidentIn(one);
    if (tells && incident !== null && joining.grow(incident, told)) remediate.add(findingId);
    if (severity !== undefined) one.severity = severity;
    one.facts = { ...one.facts, entities: [...one.facts.entities, ...entities], title: title || one.facts.title };
    // What an exception or a silence covers is a finding as it is: where it grew past that, it is told like a new one.
    if (one.incident === null && one.supersededBy === null) {
      const finding = { ...one.facts, severity: one.severity, detectedAt: new Date(atMs).toISOString() };
      const isOutgrown = one.excepted
        ? coveredBy(finding) === undefined
        : one.silenced && tells && silenceOf(finding, allSilences) === undefined;
      if (isOutgrown) tell(findingId, one, atMs);
    }
    return growth;
  }

  /** A finding that was told to nobody joins an incident after all. */
  function join(id: string, one: Standing, atMs: number): void {
    one.excepted = false;
    one.silenced = false;
    const detectedAt = new Date(atMs).toISOString();
    one.incident = joining.find({ ...one.facts, id, detectedAt, severity: one.severity, pages: one.pages });
    const insert = inserts.get(id);
    if (insert === undefined) toldNow.set(id, one.incident);
    else Object.assign(insert, { incident: one.incident, exception: null, silence: null });
    remediate.add(id);
  }

  /** Nobody speaks for a finding any more that was told to nobody: as if it were found now. */
  function tell(id: string, one: Standing, atMs: number): void {
    const finding = { ...one.facts, severity: one.severity, detectedAt: new Date(atMs).toISOString() };
    const exception = coveredBy(finding);
    const silence = exception === undefined ? silenceOf(finding, allSilences) : undefined;
    one.excepted = exception !== undefined;
    one.silenced = silence !== undefined;
    if (exception === undefined && silence === undefined) {
      join(id, one, atMs);
      return;
    }
    const insert = inserts.get(id);
    if (insert !== undefined) Object.assign(insert, { exception: exception ?? null, silence: silence ?? null });
    else changes.set(id, { ...changes.get(id), ...(exception && { exception }), ...(silence && { silence }) });
  }

  /** A narrower rule supersedes a finding, or no longer does. */
  function laySuperseded({ findingId, atMs, by = null, rule }: FindingChange, one: Standing): Change {
    const spoke = one.supersededBy !== null;
    const { incident, severity, facts, pages } = one;
    one.supersededBy = by;
    const insert = inserts.get(findingId);
    if (insert !== undefined) insert.supersededBy = by;
    if (by !== null) {
      recorded.superseded += 1;
      const reason = `finding ${by.slice(0, 8)} of a narrower rule says the same`;
      if (!spoke && incident !== null) joining.retract(incident, severity, { findingId, reason, atMs, pages });
    } else if (incident === null) tell(findingId, one, atMs);
    else {
      const { title } = facts;
      const again = { id: findingId, rule, title, severity, pages, detectedAt: new Date(atMs).toISOString() };
      if (joining.reinstate(incident, severity, again)) remediate.add(findingId);
    }
    return { supersededBy: by };
  }

  /** A change of a finding that stands, laid on its incident; answers what it adds to the finding's row. */
  function lay({ kind, change }: RuleVerdict & { change: FindingChange }, one: Standing, before?: Change): Change {
    const { findingId, atMs, reason = '' } = change;
    if (kind === 'grown') return { growth: together(before?.growth, layGrowth(change, one)) };
    if (kind === 'superseded') {
      const superseded = laySuperseded(change, one);
      return { ...changes.get(findingId), ...superseded };
    }
    const incident = incidentIn(one);
    if (kind === 'proven') {
      if (!one.unproven) return {};
      one.unproven = false;
      if (incident !== null && joining.prove(incident, change)) remediate.add(findingId);
      recorded.proven += 1;
      return { unproven: false };
    }
    if (before?.lowered !== undefined) return {};
    if (incident !== null) joining.lower(incident, one.severity, { findingId, reason, atMs, pages: one.pages });
    one.severity = 'low';
    recorded.lowered += 1;
    return { lowered: { reason, atMs } };
  }
}

/** Where people hear of a finding: nowhere while a narrower rule supersedes it. */
const incidentIn = ({ incident, supersededBy }: Standing) => (supersededBy === null ? incident : null);

/** A growth after another one of the same finding. */
function together(before: Growth | undefined, after: Growth): Growth {
  if (before === undefined) return after;
  const evidence = [...(before.evidence ?? []), ...(after.evidence ?? [])];
  const entities = [...(before.entities ?? []), ...(after.entities ?? [])];
  return { ...before, ...after, evidence, entities };
}

function findingOf(verdict: RuleVerdict): string {
  if ('change' in verdict) return verdict.change.findingId;
  return verdict.kind === 'retracted' ? verdict.retraction.findingId : verdict.finding.id;
}

/** How a silence is named beside the finding that it silenced. */
const nameOfSilence = (silence: Silence) =>
  `${silence.id ?? describeScope(silence)} until ${silence.until}: ${silence.reason}`;

/**
 * What is known of the findings already, and the incidents that some finding may join or some retraction concerns, locked
 * in one order. One statement, since findings wait for it.
 */
async function readAndLock(
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

/** Rows of former versions do not say. */
const lastVerdict = 'coalesce(i.last_verdict_at, i.updated_at)';

type IncidentRow = Omit<OpenIncident, 'entities' | 'changed' | 'id'> & { id: string; entities: Entity[] };

/** Read after the lock is had, so that what people did meanwhile is seen. */
async function readIncidents(client: ClientBase, ids: readonly string[]): Promise<OpenIncident[]> {
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

type Written = {
  joining: ReturnType<typeof createJoining>;
  inserts: readonly Insert[];
  retractions: ReadonlyMap<string, Retraction | null>;
  changes: ReadonlyMap<string, Change>;
  remediate: ReadonlySet<string>;
  toldNow: ReadonlyMap<string, OpenIncident>;
};

/**
 * Everything at once: incidents with their entities, findings, the history, and the jobs that follow. People hear of each
 * changed incident; every finding that they hear of goes through the guard. One statement, since each round trip is time
 * in which an attacker goes on.
 */
async function write(
  client: ClientBase,
  { joining, inserts, retractions, changes, remediate, toldNow }: Written,
): Promise<void> {
  const changed = [...joining.incidents].filter((incident) => incident.changed);
  if (changed.length === 0 && inserts.length + retractions.size + changes.size === 0) return;
  const placeOf = new Map(changed.map((incident, place) => [incident, place]));
  const incidents = changed.map((incident, place) => ({
    ...incident,
    place,
    pageSeverity: incident.pageSeverity === incident.severity ? null : incident.pageSeverity,
    entities: namedApart([...incident.entities.values()]),
  }));
  const fresh = new Set(inserts.map(({ finding }) => finding.id));
  const findings = inserts.map(({ finding, incident, silence, exception, supersededBy, pages }) => {
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
  const known = [...new Set([...retractions.keys(), ...changes.keys()])].filter((id) => !fresh.has(id));
  const marks = known.map((id) => {
    const { unproven, lowered, growth, supersededBy, silence, exception } = changes.get(id) ?? {};
    const { evidence = [], entities = [], response = [], ...grown } = growth ?? {};
    const change = { unproven, loweredAtMs: lowered?.atMs, loweredReason: lowered?.reason };
    const told = toldNow.get(id);
    Object.assign(change, { evidence, entities, response, ...grown, ...(told && { place: placeOf.get(told)! }) });
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
  // A finding that stands there already fails the transaction on purpose: `known` has seen all of these workspaces.
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

/** A row an entity: where two things of an incident have had one name, the second is named by its key. */
function namedApart(entities: readonly Entity[]): Entity[] {
  const names = new Set<string>();
  return entities.map((entity) => {
    const { kind, id, key } = entity;
    const isFirst = !names.has(`${kind} ${id}`);
    names.add(`${kind} ${id}`);
    return isFirst || key === undefined ? entity : { kind, id: key, key };
  });
}

/** A finding that is to be inserted, with what became of it within the same batch. */
function changedBy(change: Change | undefined, finding: Finding): Finding & { lowered?: Retraction } {
  if (change === undefined) return finding;
  const { lowered, growth } = change;
  const { unproven: _, ...whole } = finding;
  const unproven = change.unproven ?? finding.unproven === true;
  const { evidence = [], entities = [], response = [], ...grown } = growth ?? {};
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
    title = coalesce(w.title, f.title),
    summary = coalesce(w.summary, f.summary),
    -- Steps keep their places: what was planned of them goes by those.
    response = CASE WHEN w."loweredReason" IS NOT NULL THEN '[]' ELSE f.response || coalesce((
      SELECT jsonb_agg(step ORDER BY place) FROM jsonb_array_elements(w.response) WITH ORDINALITY AS steps(step, place)
      WHERE NOT f.response @> jsonb_build_array(step)), '[]') END,
    entities = f.entities || w.entities,
    incident = CASE WHEN w.place IS NULL THEN f.incident ELSE (SELECT name FROM numbered n WHERE n.place = w.place) END,
    excepted = CASE WHEN w.place IS NULL THEN coalesce(w.excepted, f.excepted) END,
    -- What outgrew its silence is told, and acted upon.
    silenced_by = CASE WHEN w.place IS NULL THEN coalesce(w."silencedBy", f.silenced_by) END,
    superseded_by = CASE WHEN w.speaks THEN w."supersededBy" ELSE f.superseded_by END,
    lowered_at = coalesce(f.lowered_at, to_timestamp(w."loweredAtMs" / 1000)),
    lowered_reason = coalesce(f.lowered_reason, w."loweredReason"),
    evidence = CASE WHEN jsonb_array_length(w.evidence) = 0 THEN f.evidence ELSE (
      SELECT jsonb_agg(line ORDER BY (line ->> 'time')::timestamptz, place)
      FROM jsonb_array_elements(f.evidence || w.evidence) WITH ORDINALITY AS lines(line, place)) END
  FROM json_to_recordset($4::json) AS w(id text, reason text, "atMs" float8, marked boolean, unproven boolean,
    "loweredAtMs" float8, "loweredReason" text, evidence jsonb, entities jsonb, response jsonb, severity text, title text,
    summary text, place int, speaks boolean, "supersededBy" text, excepted jsonb, "silencedBy" text)
  WHERE f.id = w.id
), story AS (
  INSERT INTO incident_events (incident, kind, actor, detail)
  SELECT n.name, s.kind, $1::jsonb, s.detail
  FROM json_to_recordset($5::json) AS s(line int, place int, kind text, detail jsonb)
  JOIN numbered n ON n.place = s.place ORDER BY s.line
), jobs AS (
  SELECT 'notify' AS name, json_build_object('incident', n.name) AS payload, 'notify:' || n.name AS key FROM numbered n
  UNION ALL
  SELECT 'remediate', json_build_object('finding', finding), 'remediate:' || finding
  FROM json_array_elements_text($6::json) AS finding
)
-- All at once, and so by one notification. No key stands in it twice.
SELECT count(*) FROM (
  SELECT array_agg((name, payload, NULL, NULL, NULL, key, NULL, NULL)::graphile_worker.job_spec) AS specs FROM jobs
) AS all_jobs, LATERAL graphile_worker.add_jobs(specs) WHERE specs IS NOT NULL`;
