import type { Severity } from '@tripline/contracts/finding';
import type { Actor, IncidentState, Resolution } from '@tripline/contracts/incident';
import type { Selectable } from 'kysely';
import type { PoolClient } from 'pg';
import type { Db } from './database.ts';
import { type FindingRow, type StoredFinding, toFinding } from './findings.ts';
import { addTellJobs } from './jobs.ts';
import type { FindingsTables, IncidentEventKind } from './tables/findings.ts';
import { inTransaction } from './transaction.ts';

/** Field docs: migrations/0002_findings.sql. Times are RFC 3339. */
export type Incident = {
  id: string;
  workspace: string;
  state: IncidentState;
  severity: Severity;
  title: string;
  version: number;
  openedAt: string;
  updatedAt: string;
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

/** An incident with its findings, oldest first, and all that happened to it, in order. */
export type IncidentStory = Incident & { findings: StoredFinding[]; events: IncidentEvent[] };

/** What a transition did. `changed: false`: it was so already, and `incident` says since when and by whom. */
export type Transition = { changed: boolean; incident: Incident };

/** The incident does not exist, or cannot go from its state to the one asked for. */
export class IncidentError extends Error {
  readonly code = 'INCIDENT';
}

/** open → acknowledged. The first who acknowledges stays named. @throws {IncidentError} when it is resolved, or unknown. */
export function acknowledge(db: Db, id: string, actor: Actor): Promise<Transition> {
  return transition(db, id, actor, (incident) => {
    if (incident.state === 'acknowledged') return null;
    if (incident.state === 'resolved') throw new IncidentError(`${id} is resolved; reopen it first`);
    return {
      kind: 'acknowledged',
      set: `state = 'acknowledged', acknowledged_at = clock_timestamp(), acknowledged_by = $2::jsonb`,
      values: [JSON.stringify(actor)],
      detail: {},
    };
  });
}

/** open or acknowledged → resolved. The first resolution stays. @throws {IncidentError} when it is unknown. */
export function resolve(db: Db, id: string, resolution: Resolution, actor: Actor): Promise<Transition> {
  return transition(db, id, actor, (incident) => {
    if (incident.state === 'resolved') return null;
    return {
      kind: 'resolved',
      set: `state = 'resolved', resolved_at = clock_timestamp(), resolved_by = $2::jsonb, resolution = $3`,
      values: [JSON.stringify(actor), resolution],
      detail: { resolution },
    };
  });
}

/** resolved → open: nobody has it any more. @throws {IncidentError} when it is unknown. */
export function reopen(db: Db, id: string, actor: Actor): Promise<Transition> {
  return transition(db, id, actor, (incident) => {
    if (incident.state !== 'resolved') return null;
    return {
      kind: 'reopened',
      set: `state = 'open', acknowledged_at = NULL, acknowledged_by = NULL, resolved_at = NULL, resolved_by = NULL, resolution = NULL`,
      values: [],
      detail: {},
    };
  });
}

type Change = { kind: IncidentEventKind; set: string; values: unknown[]; detail: Record<string, unknown> };

/** One transaction: lock, decide, change, note it in the story, and leave the jobs that tell people. */
function transition(
  db: Db,
  id: string,
  actor: Actor,
  decide: (incident: Incident) => Change | null,
): Promise<Transition> {
  return inTransaction(db, async (client) => {
    const { rows } = await client.query<IncidentRow>('SELECT * FROM incidents WHERE id = $1 FOR UPDATE', [id]);
    if (rows.length === 0) {
      throw new IncidentError(`there is no incident ${id}; \`tripline incidents list\` shows those that are`);
    }
    const before = toIncident(rows[0]!);
    const change = decide(before);
    if (change === null) return { changed: false, incident: before };
    const updated = await client.query<IncidentRow>(
      `UPDATE incidents SET ${change.set}, version = version + 1, updated_at = clock_timestamp() WHERE id = $1 RETURNING *`,
      [id, ...change.values],
    );
    await addIncidentEvent(client, { incident: id, kind: change.kind, actor, detail: change.detail });
    await addTellJobs(client, id);
    return { changed: true, incident: toIncident(updated.rows[0]!) };
  });
}

/** Adds a line to an incident's story, in the caller's transaction. */
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

/** At most so many findings and lines of the story, the newest: an attacker decides how many there are. */
const longestStory = 1000;

/** In one statement, so that all of it is of one version. */
export async function readIncident(db: Db, id: string): Promise<IncidentStory | undefined> {
  const { rows } = await db.pool.query<IncidentRow & { findings: FindingJson[]; events: EventJson[] }>({
    name: 'read-incident',
    text: `SELECT i.*,
        (SELECT coalesce(json_agg(f), '[]') FROM (
          SELECT * FROM findings WHERE incident = i.id ORDER BY recorded_at DESC, id LIMIT $2) f) AS findings,
        (SELECT coalesce(json_agg(e), '[]') FROM (
          SELECT id, at, kind, actor, detail FROM incident_events WHERE incident = i.id ORDER BY id DESC LIMIT $2) e) AS events
      FROM incidents i WHERE i.id = $1`,
    values: [id, longestStory],
  });
  const row = rows[0];
  if (row === undefined) return undefined;
  return {
    ...toIncident(row),
    findings: row.findings.map(fromJson).reverse(),
    events: row.events.map((event) => ({ ...event, at: new Date(event.at).toISOString() })).reverse(),
  };
}

/** Rows as Postgres writes them into JSON: times are text. */
type FindingJson = Omit<FindingRow, 'occurred_at' | 'detected_at' | 'recorded_at' | 'withdrawn_at'> &
  Record<'occurred_at' | 'detected_at' | 'recorded_at', string> & { withdrawn_at: string | null };
type EventJson = IncidentEvent;

function fromJson({ occurred_at, detected_at, recorded_at, withdrawn_at, ...row }: FindingJson): StoredFinding {
  return toFinding({
    ...row,
    occurred_at: new Date(occurred_at),
    detected_at: new Date(detected_at),
    recorded_at: new Date(recorded_at),
    withdrawn_at: withdrawn_at === null ? null : new Date(withdrawn_at),
  });
}

export type IncidentFilter = { state?: IncidentState; workspace?: string /** 100 when absent. */; limit?: number };

/** Last changed first. */
export async function listIncidents(db: Db, filter: IncidentFilter = {}): Promise<Incident[]> {
  let query = db.query.selectFrom('incidents').selectAll().orderBy('updated_at', 'desc').orderBy('id');
  if (filter.state !== undefined) query = query.where('state', '=', filter.state);
  if (filter.workspace !== undefined) query = query.where('workspace', '=', filter.workspace);
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
    acknowledged: row.acknowledged_at &&
      row.acknowledged_by && { at: row.acknowledged_at.toISOString(), by: row.acknowledged_by },
    resolved: row.resolved_at &&
      row.resolved_by &&
      row.resolution && { at: row.resolved_at.toISOString(), by: row.resolved_by, resolution: row.resolution },
  };
}
