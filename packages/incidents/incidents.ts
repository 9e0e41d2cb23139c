import type { Entity, Severity } from '@tripline/contracts/finding';
import type { Actor, IncidentEventKind, IncidentState, Resolution } from '@tripline/contracts/incident';
import type { Db } from '@tripline/db/database';
import { addToOutbox } from '@tripline/db/outbox';
import { addNotifyJob } from '@tripline/db/queue';
import type { FindingsTables } from '@tripline/db/tables/findings';
import { inTransaction } from '@tripline/db/transaction';
import { redactText } from '@tripline/runtime/redact';
import type { Selectable } from 'kysely';
import type { PoolClient } from 'pg';
import { actOf } from './acts.ts';
import { type FindingRow, type StoredFinding, toFinding } from './findings.ts';

/** Field docs: migrations/0002_findings.sql and 0018_silences.sql. Times are RFC 3339. */
export type Incident = {
  id: string;
  workspace: string;
  state: IncidentState;
  severity: Severity;
  title: string;
  version: number;
  openedAt: string;
  updatedAt: string;
  /** Counts the pages after the first; each new page is a new alert. */
  pageGeneration: number;
  /** The highest severity among its findings that may page; `none` where none may. */
  pageSeverity: Severity | 'none';
  /** The page generation that was acknowledged; null where none was. */
  answeredGeneration: number | null;
  acknowledged: { at: string; by: Actor } | null;
  resolved: { at: string; by: Actor; resolution: Resolution } | null;
};

export type IncidentEvent = {
  id: number;
  at: string;
  kind: IncidentEventKind;
  actor: Actor;
  detail: Record<string, unknown>;
};

/** An incident with its findings, oldest first, and its history, in order: the newest 1,000 of each. */
export type IncidentDetails = Incident & {
  /** How many findings it has, including those not listed and those retracted. */
  findingCount: number;
  findings: StoredFinding[];
  events: IncidentEvent[];
};

/**
 * The result of a transition. `changed: false`: the incident was in that state already; `incident` says since when and
 * by whom.
 */
export type Transition = { changed: boolean; incident: Incident };

/** The incident does not exist, the transition is not allowed, or a reason is missing. */
export class IncidentError extends Error {
  readonly code = 'INCIDENT';
}

/**
 * open → acknowledged. The first person to acknowledge stays recorded, until it pages again: each page is acknowledged
 * separately.
 * @throws {IncidentError} when it is resolved, or unknown.
 */
export function acknowledge(db: Db, id: string, actor: Actor, reason?: string): Promise<Transition> {
  return transition(db, id, actor, (incident, row) => {
    if (incident.state === 'acknowledged' && isAnswered(row)) return null;
    if (incident.state === 'resolved') throw new IncidentError(`${id} is resolved; reopen it first`);
    return {
      kind: 'acknowledged',
      set: `state = 'acknowledged', acknowledged_at = clock_timestamp(), acknowledged_by = $2::jsonb,
        acknowledged_severity = severity, acknowledged_generation = page_generation`,
      values: [JSON.stringify(actor)],
      detail: {},
      reason,
    };
  });
}

/**
 * open or acknowledged → resolved. The first resolution stays. `reason`: required for `false` and `accepted`, so that
 * it can be understood later.
 * @throws {IncidentError} when it is unknown, or a reason is missing.
 */
export function resolve(
  db: Db,
  id: string,
  resolution: Resolution,
  actor: Actor,
  reason?: string,
): Promise<Transition> {
  return transition(db, id, actor, (incident) => {
    if (incident.state === 'resolved') return null;
    if (resolution !== 'true' && !reason?.trim()) throw new IncidentError(`say why ${id} is resolved as ${resolution}`);
    return {
      kind: 'resolved',
      set: `state = 'resolved', resolved_at = clock_timestamp(), resolved_by = $2::jsonb, resolution = $3`,
      values: [JSON.stringify(actor), resolution],
      detail: { resolution },
      reason,
    };
  });
}

/** resolved → open, and no longer acknowledged. @throws {IncidentError} when it is unknown. */
export function reopen(db: Db, id: string, actor: Actor, reason?: string): Promise<Transition> {
  return transition(db, id, actor, (incident) => {
    if (incident.state !== 'resolved') return null;
    return { kind: 'reopened', set: reopened, values: [], detail: {}, reason };
  });
}

const reopened = `state = 'open', acknowledged_at = NULL, acknowledged_by = NULL, acknowledged_severity = NULL,
  acknowledged_generation = NULL, resolved_at = NULL, resolved_by = NULL, resolution = NULL`;

/** Longest reason kept, in characters. */
const longestReason = 2000;
/** How many findings an act names at most, the newest. */
const namedFindings = 100;

type Change = {
  kind: 'acknowledged' | 'resolved' | 'reopened';
  set: string;
  values: unknown[];
  detail: { resolution?: Resolution };
  reason: string | undefined;
};

/** One transaction: lock, decide, change, add to the history, queue notifications, and add the act to the outbox. */
function transition(
  db: Db,
  id: string,
  actor: Actor,
  decide: (incident: Incident, row: IncidentRow) => Change | null,
): Promise<Transition> {
  return inTransaction(db, async (client) => {
    const row = await lockIncident(client, id);
    if (row === undefined) {
      throw new IncidentError(`there is no incident ${id}; \`tripline incidents list\` shows those that are`);
    }
    const before = toIncident(row);
    const change = decide(before, row);
    if (change === null) return { changed: false, incident: before };
    const { kind, detail } = change;
    const said = change.reason?.trim();
    const reason = said ? redactText(said.slice(0, longestReason)) : undefined;
    const updated = await client.query<IncidentRow>(
      `UPDATE incidents SET ${change.set}, version = version + 1, updated_at = clock_timestamp() WHERE id = $1 RETURNING *`,
      [id, ...change.values],
    );
    const incident = toIncident(updated.rows[0]!);
    await addIncidentEvent(client, { incident: id, kind, actor, detail: { ...detail, ...(reason ? { reason } : {}) } });
    await addNotifyJob(client, id);
    const named = await client.query<{ id: string }>(
      'SELECT id FROM findings WHERE incident = $1 ORDER BY detected_at DESC, id LIMIT $2',
      [id, namedFindings],
    );
    const entities = kind === 'acknowledged' ? [] : await entitiesOf(client, id);
    await addToOutbox(client, [
      actOf(actor, {
        id: `act:${id}:${incident.version}`,
        workspace: incident.workspace,
        kind: `incident-${kind}`,
        target: id,
        reason,
        more: {
          ...(detail.resolution ? { 'tripline.act.resolution': detail.resolution } : {}),
          'tripline.act.findings': named.rows.map((finding) => finding.id),
          ...(entities.length > 0 ? { 'tripline.act.entities': entities } : {}),
        },
      }),
    ]);
    return { changed: true, incident };
  });
}

/** How many entities an act names at most. */
const namedEntities = 500;

/** Entities of an incident's newest standing findings, runners first: rules learn from them what was accepted. */
async function entitiesOf(client: Pick<PoolClient, 'query'>, incident: string): Promise<Entity[]> {
  const { rows } = await client.query<Entity>(
    `SELECT DISTINCT entity->>'kind' AS kind, entity->>'id' AS id, entity->>'kind' <> 'runner' AS after
     FROM (SELECT entities FROM findings WHERE incident = $1 AND withdrawn_at IS NULL AND superseded_by IS NULL
           ORDER BY detected_at DESC, id LIMIT $2) f, jsonb_array_elements(f.entities) entity
     ORDER BY after, kind, id LIMIT $3`,
    [incident, namedFindings, namedEntities],
  );
  return rows.map(({ kind, id }) => ({ kind, id }));
}

async function lockIncident(client: Pick<PoolClient, 'query'>, id: string): Promise<IncidentRow | undefined> {
  const { rows } = await client.query<IncidentRow>('SELECT * FROM incidents WHERE id = $1 FOR UPDATE', [id]);
  return rows[0];
}

const tripline: Actor = { via: 'tripline', id: 'tripline', name: 'tripline' };

/**
 * Pages again without a new finding: for a response that failed, was refused, or waits for a place under the cap. In
 * the caller's transaction: raises the version, adds to the history, and queues notifications. The incident is reopened
 * where it is critical, or was resolved as an attack that is now known to continue. Returns false, and does nothing,
 * when a person resolved it as false or accepted.
 */
export async function pageAnew(
  client: Pick<PoolClient, 'query'>,
  id: string,
  detail: { reason: string } & Record<string, unknown>,
): Promise<boolean> {
  const row = await lockIncident(client, id);
  if (row === undefined || (row.state === 'resolved' && row.resolution !== 'true')) return false;
  const isCritical = row.severity === 'critical';
  const generation = row.page_generation + (isAnswered(row) ? 1 : 0);
  const opens = row.state === 'resolved' || (row.state === 'acknowledged' && isCritical);
  await client.query(
    `UPDATE incidents SET ${opens ? `${reopened},` : ''} page_generation = $2, version = version + 1,
       updated_at = clock_timestamp() WHERE id = $1`,
    [id, generation],
  );
  await addIncidentEvent(client, { incident: id, kind: 'paged', actor: tripline, detail: { ...detail, generation } });
  await addNotifyJob(client, id);
  return true;
}

/** Whether a person has acknowledged the newest page: only then is a new one needed. */
function isAnswered(row: IncidentRow): boolean {
  if (row.state === 'resolved') return true;
  return row.state === 'acknowledged' && (row.acknowledged_generation ?? 0) === row.page_generation;
}

/** Adds a line to an incident's history, in the caller's transaction. */
export async function addIncidentEvent(
  client: Pick<PoolClient, 'query'>,
  event: { incident: string; kind: IncidentEventKind; actor: Actor; detail?: Record<string, unknown> },
): Promise<void> {
  await client.query('INSERT INTO incident_events (incident, kind, actor, detail) VALUES ($1, $2, $3, $4)', [
    event.incident,
    event.kind,
    JSON.stringify(event.actor),
    JSON.stringify(event.detail ?? {}),
  ]);
}

/** Most findings and lines of the history that are read, the newest: an attacker decides how many there are. */
const longestHistory = 1000;

/** In one statement, so that all of it is of one version. */
export async function readIncident(db: Db, id: string): Promise<IncidentDetails | undefined> {
  const { rows } = await db.pool.query<
    IncidentRow & { finding_count: number; findings: FindingJson[]; events: EventJson[] }
  >({
    name: 'read-incident',
    text: `SELECT i.*, (SELECT count(*)::int FROM findings WHERE incident = i.id) AS finding_count,
        (SELECT coalesce(json_agg(f), '[]') FROM (
          SELECT * FROM findings WHERE incident = i.id ORDER BY recorded_at DESC, id LIMIT $2) f) AS findings,
        (SELECT coalesce(json_agg(e), '[]') FROM (
          SELECT id, at, kind, actor, detail FROM incident_events WHERE incident = i.id ORDER BY id DESC LIMIT $2) e) AS events
      FROM incidents i WHERE i.id = $1`,
    values: [id, longestHistory],
  });
  const row = rows[0];
  if (row === undefined) return undefined;
  return {
    ...toIncident(row),
    findingCount: row.finding_count,
    findings: row.findings.map(fromJson).reverse(),
    events: row.events.map((event) => ({ ...event, at: new Date(event.at).toISOString() })).reverse(),
  };
}

/** Rows as Postgres writes them into JSON: times are text. */
type FindingJson = Omit<FindingRow, 'occurred_at' | 'detected_at' | 'recorded_at' | 'withdrawn_at' | 'lowered_at'> &
  Record<'occurred_at' | 'detected_at' | 'recorded_at', string> & {
    withdrawn_at: string | null;
    lowered_at: string | null;
  };
type EventJson = IncidentEvent;

function fromJson({
  occurred_at,
  detected_at,
  recorded_at,
  withdrawn_at,
  lowered_at,
  ...row
}: FindingJson): StoredFinding {
  return toFinding({
    ...row,
    occurred_at: new Date(occurred_at),
    detected_at: new Date(detected_at),
    recorded_at: new Date(recorded_at),
    withdrawn_at: withdrawn_at === null ? null : new Date(withdrawn_at),
    lowered_at: lowered_at === null ? null : new Date(lowered_at),
  });
}

export type IncidentFilter = {
  state?: IncidentState;
  workspace?: string;
  /** Only those that changed since. */
  since?: Date;
  /** 100 when absent. */
  limit?: number;
};

/** Last changed first. */
export async function listIncidents(db: Db, filter: IncidentFilter = {}): Promise<Incident[]> {
  let query = db.query.selectFrom('incidents').selectAll().orderBy('updated_at', 'desc').orderBy('id');
  if (filter.state !== undefined) query = query.where('state', '=', filter.state);
  if (filter.workspace !== undefined) query = query.where('workspace', '=', filter.workspace);
  if (filter.since !== undefined) query = query.where('updated_at', '>=', filter.since);
  return (await query.limit(filter.limit ?? 100).execute()).map(toIncident);
}

type IncidentRow = Selectable<FindingsTables['incidents']>;

function toIncident(row: IncidentRow): Incident {
  return {
    id: row.id,
    workspace: row.workspace,
    state: row.state,
    severity: row.severity,
    title: row.title,
    version: row.version,
    openedAt: row.opened_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
    pageGeneration: row.page_generation,
    pageSeverity: row.page_severity ?? row.severity,
    answeredGeneration: row.state === 'acknowledged' ? (row.acknowledged_generation ?? 0) : null,
    acknowledged: row.acknowledged_at &&
      row.acknowledged_by && { at: row.acknowledged_at.toISOString(), by: row.acknowledged_by },
    resolved: row.resolved_at &&
      row.resolved_by &&
      row.resolution && { at: row.resolved_at.toISOString(), by: row.resolved_by, resolution: row.resolution },
  };
}
