import {
  alwaysTold,
  type Entity,
  type Finding,
  isAsGraveAs,
  type Severity,
  severities,
} from '@tripline/contracts/finding';
import type { IncidentEventKind, IncidentState, Resolution } from '@tripline/contracts/incident';
import { ofOurOwnDelay } from './open-at.ts';

/** A finding joins an incident whose last verdict is at most this long before or after it by the log's time, ms. */
export const joiningWindowMs = 24 * 3_600_000;
/**
 * No finding joins an incident that was opened longer than this before it, ms: a busy account would have one for ever.
 */
const longestJoiningMs = 7 * 24 * 3_600_000;
/** Beyond this number of findings the history counts instead of naming each: an attacker decides how many there are. */
const toldFindings = 200;
/**
 * Most findings of an incident; the next one opens another incident. Each joining finding is compared with all of them.
 */
const mostFindings = 5000;
/** Most entities by which an incident is found. */
const mostEntities = 500;
/**
 * Kinds of entities by which findings join an incident. A repository alone does not suffice: too much happens in it.
 */
export const joiningKinds: readonly Entity['kind'][] = ['user', 'run', 'credential', 'runner', 'commit', 'grant'];

/** An incident while verdicts are applied to it. `id` is null until it is written. */
export type OpenIncident = {
  id: string | null;
  workspace: string;
  state: IncidentState;
  severity: Severity;
  /** The highest severity that may page; `none` where none of its findings may. */
  pageSeverity: Severity | 'none';
  title: string;
  version: number;
  openedMs: number;
  /** The log's time of the last verdict that was applied to it, ms. */
  lastVerdictMs: number;
  resolution: Resolution | null;
  resolvedMs: number | null;
  /** Tripline resolved it, since nothing in it stood any more. */
  resolvedByUs: boolean;
  /** Findings that are not retracted, by their severity; and how many there are in all. */
  standing: Partial<Record<Severity, number>>;
  /** Of those, the ones that may page. */
  paging: Partial<Record<Severity, number>>;
  total: number;
  /** See migrations/0018_silences.sql. */
  pageGeneration: number;
  acknowledgedSeverity: Severity | null;
  acknowledgedGeneration: number | null;
  /** In the order of opening. */
  ordinal: number;
  entities: Map<string, Entity>;
  changed: boolean;
};

/** What a finding is joined by. */
type Joining = Pick<Finding, 'id' | 'rule' | 'title' | 'severity' | 'workspace' | 'entities' | 'detectedAt'> & MayPage;

/** Absent: the finding may page. */
type MayPage = { pages?: boolean };

/** A finding that stands again. */
type Again = Pick<Finding, 'id' | 'rule' | 'title' | 'severity' | 'detectedAt'> & MayPage;

/** What a finding has more; `severity` where it rose from `former`. `lines`: of evidence, how many are new. */
export type Grown = {
  findingId: string;
  rule: string;
  title: string;
  former: Severity;
  severity?: Severity;
  entities: readonly Entity[];
  lines: number;
  atMs: number;
} & MayPage;

export type HistoryLine = { incident: OpenIncident; kind: IncidentEventKind; detail: Record<string, unknown> };

/** Identifies an entity of an incident, with the name under which it was reported. */
export const entityName = (workspace: string, { kind, id, key = '' }: Entity) => `${workspace}\0${kind}\0${id}\0${key}`;
/** Index names under which an equal entity is found; see `isSameEntity`. */
function indexedBy(workspace: string, { kind, id, key }: Entity): string[] {
  const name = (form: string, text: string) => `${form}\0${workspace}\0${kind}\0${text}`;
  return key === undefined ? [name('name alone', id)] : [name('key', key), name('name beside a key', id)];
}
function lookedUpBy(workspace: string, { kind, id, key }: Entity): string[] {
  const name = (form: string, text: string) => `${form}\0${workspace}\0${kind}\0${text}`;
  const other = key === undefined ? name('name beside a key', id) : name('key', key);
  return [name('name alone', id), other];
}
/**
 * Shared accounts do not identify who acted: by an account that merges for everybody, everything would join. GitHub's
 * apps end in `[bot]`; deleted accounts are `ghost`.
 */
const sharedAccounts = new Set(['web-flow', 'ghost', 'github', 'github-actions', 'github-merge-queue', 'dependabot']);
const isShared = ({ kind, id }: Entity) => {
  const name = id.toLowerCase();
  return kind === 'user' && (name.endsWith('[bot]') || sharedAccounts.has(name));
};
/** Whether incidents are searched by this entity. */
const forExceptions: ReadonlySet<Entity['kind']> = new Set(['ref', 'workflow', 'address']);
export const joins = (entity: Entity) => joiningKinds.includes(entity.kind) && !isShared(entity);

/**
 * Applies verdicts to incidents in memory, one after the other, as if each were committed alone: which incident a
 * finding joins does not depend on how the log is divided into batches.
 */
export function createJoining(known: readonly OpenIncident[]) {
  const incidents = new Set(known);
  const history: HistoryLine[] = [];
  const byEntity = new Map<string, Set<OpenIncident>>();
  for (const incident of known) for (const entity of incident.entities.values()) index(incident, entity);
  let ordinal = Math.max(0, ...known.map((incident) => incident.ordinal));

  function index(incident: OpenIncident, entity: Entity): void {
    if (forExceptions.has(entity.kind)) return;
    const name = entityName(incident.workspace, entity);
    if (incident.entities.size >= mostEntities && !incident.entities.has(name)) return;
    incident.entities.set(name, entity);
    if (!joins(entity)) return;
    for (const place of indexedBy(incident.workspace, entity))
      byEntity.set(place, (byEntity.get(place) ?? new Set()).add(incident));
  }

  function takes(incident: OpenIncident, atMs: number): boolean {
    if (Math.abs(atMs - incident.lastVerdictMs) > joiningWindowMs) return false;
    if (atMs - incident.openedMs > longestJoiningMs || incident.total >= mostFindings) return false;
    if (incident.state !== 'resolved') return true;
    return incident.resolution !== 'false' && Math.abs(atMs - incident.resolvedMs!) <= joiningWindowMs;
  }

  function newestFor(finding: Joining, atMs: number): OpenIncident | undefined {
    let newest: OpenIncident | undefined;
    const places = finding.entities.filter(joins).flatMap((entity) => lookedUpBy(finding.workspace, entity));
    // With what was resolved all its findings would count again, and deny, for an outage that is no doing of theirs.
    const reopens = !ofOurOwnDelay.includes(finding.rule);
    for (const place of places) {
      for (const incident of byEntity.get(place) ?? []) {
        if (!takes(incident, atMs) || (incident.state === 'resolved' && !reopens)) continue;
        const isNewer =
          newest === undefined ||
          incident.lastVerdictMs > newest.lastVerdictMs ||
          (incident.lastVerdictMs === newest.lastVerdictMs && incident.ordinal > newest.ordinal);
        if (isNewer) newest = incident;
      }
    }
    return newest;
  }

  function open(finding: Joining, atMs: number): OpenIncident {
    ordinal += 1;
    const { workspace, severity, title } = finding;
    const incident: OpenIncident = {
      id: null,
      workspace,
      state: 'open',
      severity,
      pageSeverity: finding.pages === false ? 'none' : severity,
      title,
      version: 1,
      openedMs: atMs,
      lastVerdictMs: atMs,
      resolution: null,
      resolvedMs: null,
      resolvedByUs: false,
      standing: {},
      paging: {},
      total: 0,
      pageGeneration: 0,
      acknowledgedSeverity: null,
      acknowledgedGeneration: null,
      ordinal,
      entities: new Map(),
      changed: true,
    };
    incidents.add(incident);
    return incident;
  }

  function touch(incident: OpenIncident, atMs: number): void {
    incident.version += 1;
    incident.lastVerdictMs = Math.max(incident.lastVerdictMs, atMs);
    incident.changed = true;
  }

  function count(incident: OpenIncident, severity: Severity, by: 1 | -1, pages = true): void {
    incident.standing[severity] = (incident.standing[severity] ?? 0) + by;
    if (pages) incident.paging[severity] = (incident.paging[severity] ?? 0) + by;
  }

  function reopen(incident: OpenIncident, detail: Record<string, unknown>): void {
    const open = { state: 'open', resolution: null, resolvedMs: null, resolvedByUs: false } as const;
    const nobodys = { acknowledgedSeverity: null, acknowledgedGeneration: null };
    Object.assign(incident, { ...open, ...nobodys } satisfies Partial<OpenIncident>);
    history.push({ incident, kind: 'reopened', detail });
  }

  /**
   * Pages again where a finding raises the incident's severity, or is as severe as what somebody acknowledged: the
   * acknowledged page reported less. A page that nobody has acknowledged still rings, so no new one is needed, except
   * for rules that are always reported. An incident that becomes critical is no longer acknowledged. A finding that may
   * not page raises the severity without a page.
   */
  function page(
    incident: OpenIncident,
    { id, rule, title, severity, pages = true }: Pick<Finding, 'id' | 'rule' | 'title' | 'severity'> & MayPage,
  ): void {
    const former = incident.severity;
    const rises = !isAsGraveAs(former, severity);
    if (rises) incident.severity = severity;
    if (!pages) return;
    const pagesMore = incident.pageSeverity === 'none' || !isAsGraveAs(incident.pageSeverity, severity);
    if (pagesMore) incident.pageSeverity = severity;
    const isAcknowledged = incident.state === 'acknowledged';
    const answered = isAcknowledged && (incident.acknowledgedGeneration ?? 0) === incident.pageGeneration;
    const isAsGrave = answered && isAsGraveAs(severity, incident.acknowledgedSeverity ?? former);
    if (!pagesMore && !isAsGrave && !alwaysTold.has(rule)) return;
    incident.pageGeneration += 1;
    const detail = { finding: id, title, severity, ...(rises ? { former } : {}), generation: incident.pageGeneration };
    history.push({ incident, kind: 'paged', detail });
    if (isAcknowledged && rises && severity === 'critical') {
      const nobodys = { acknowledgedSeverity: null, acknowledgedGeneration: null };
      Object.assign(incident, { state: 'open', ...nobodys } satisfies Partial<OpenIncident>);
    }
  }

  return {
    incidents,
    history,
    find(finding: Joining): OpenIncident {
      const atMs = Date.parse(finding.detectedAt);
      const joined = newestFor(finding, atMs);
      const incident = joined ?? open(finding, atMs);
      const detail = { finding: finding.id, rule: finding.rule, title: finding.title };
      if (joined !== undefined) {
        touch(incident, atMs);
        if (incident.state === 'resolved') reopen(incident, detail);
      }
      count(incident, finding.severity, 1, finding.pages);
      incident.total += 1;
      if (joined === undefined) history.push({ incident, kind: 'opened', detail });
      else if (incident.total <= toldFindings) history.push({ incident, kind: 'joined', detail });
      if (joined !== undefined) page(incident, finding);
      for (const entity of finding.entities) index(incident, entity);
      return incident;
    },
    /** False when the incident is resolved: what people decided stays. */
    retract(
      incident: OpenIncident,
      severity: Severity,
      retraction: { findingId: string; reason: string; atMs: number } & MayPage,
    ): boolean {
      if (incident.state === 'resolved') return false;
      touch(incident, retraction.atMs);
      count(incident, severity, -1, retraction.pages);
      const { findingId, reason } = retraction;
      if (incident.total <= toldFindings) {
        history.push({ incident, kind: 'withdrawn', detail: { finding: findingId, reason } });
      }
      if (gravest(incident.standing) !== undefined) {
        // The remaining findings may not page.
        if (gravest(incident.paging) === undefined) incident.pageSeverity = 'none';
      } else {
        const resolved = { state: 'resolved', resolution: 'false', resolvedMs: retraction.atMs } as const;
        Object.assign(incident, { ...resolved, resolvedByUs: true } satisfies Partial<OpenIncident>);
        history.push({ incident, kind: 'resolved', detail: { resolution: 'false', reason } });
      }
      return true;
    },
    /**
     * A retracted finding of `incident` stands again, and reopens an incident that Tripline resolved because it was
     * retracted. False when a person resolved the incident: people's decisions stay.
     */
    reinstate(incident: OpenIncident, severity: Severity, finding: Again): boolean {
      count(incident, severity, 1, finding.pages);
      if (incident.state === 'resolved' && !incident.resolvedByUs) return false;
      touch(incident, Date.parse(finding.detectedAt));
      const detail = { finding: finding.id, rule: finding.rule, title: finding.title, again: true };
      if (incident.state === 'resolved') reopen(incident, detail);
      if (incident.total <= toldFindings) history.push({ incident, kind: 'joined', detail });
      // It stands with its original severity, so the incident's does not rise.
      if (isAsGraveAs(incident.severity, finding.severity)) page(incident, finding);
      else if (incident.pageSeverity === 'none' && finding.pages !== false) incident.pageSeverity = incident.severity;
      return true;
    },
    /** What a finding rests on is proved. False when the incident is resolved: what people decided stays. */
    prove(incident: OpenIncident, { findingId, atMs }: { findingId: string; atMs: number }): boolean {
      if (incident.state === 'resolved') return false;
      touch(incident, atMs);
      history.push({ incident, kind: 'proven', detail: { finding: findingId } });
      return true;
    },
    /**
     * A finding of `incident` grew: further entities, or a higher severity, which pages again. It reopens an incident that
     * people resolved, however long ago, since nobody has judged what is new: the next credential that a machine takes belongs
     * to the finding of its first. Resolved as false it stays, with what else the finding is about. False when nothing is reported.
     */
    grow(incident: OpenIncident, grown: Grown): boolean {
      const { findingId, rule, title, severity, former, entities, lines, atMs, pages } = grown;
      if (severity !== undefined) {
        count(incident, former, -1, pages);
        count(incident, severity, 1, pages);
      }
      if (incident.state === 'resolved') {
        if (incident.resolution === 'false') return false;
        reopen(incident, { finding: findingId, rule, title });
      }
      touch(incident, atMs);
      const named = entities.map(({ kind, id }) => `${kind} ${id}`);
      const rises = severity === undefined ? {} : { severity, former };
      history.push({ incident, kind: 'grown', detail: { finding: findingId, title, lines, named, ...rises } });
      for (const entity of entities) index(incident, entity);
      if (severity !== undefined)
        page(incident, { id: findingId, rule, title, severity, ...(pages === undefined ? {} : { pages }) });
      return true;
    },
    /** A finding of `severity` falls to low, and the incident to the highest severity of its standing findings. */
    lower(
      incident: OpenIncident,
      severity: Severity,
      { findingId, reason, atMs, pages }: { findingId: string; reason: string; atMs: number } & MayPage,
    ): void {
      count(incident, severity, -1, pages);
      count(incident, 'low', 1, pages);
      if (incident.state === 'resolved') return;
      touch(incident, atMs);
      incident.severity = gravest(incident.standing) ?? 'low';
      incident.pageSeverity = gravest(incident.paging) ?? 'none';
      history.push({ incident, kind: 'lowered', detail: { finding: findingId, reason } });
    },
  };
}

/** The highest severity of an incident's standing findings; undefined when none stands. */
function gravest(counts: OpenIncident['standing']): Severity | undefined {
  return severities.findLast((severity) => (counts[severity] ?? 0) > 0);
}
