import { alwaysTold, type Entity, type Finding, type Severity, severities } from '@tripline/contracts/finding';
import type { IncidentEventKind, IncidentState, Resolution } from '@tripline/contracts/incident';

/** A finding joins an incident that the log last told of so long before or after it, ms. */
export const joiningWindowMs = 24 * 3_600_000;
/** Nor does one join an incident that was opened so long before it, ms: whoever is busy would have one for ever. */
const longestJoiningMs = 7 * 24 * 3_600_000;
/** Beyond so many findings the history counts instead of naming each: an attacker decides how many there are. */
const toldFindings = 200;
/** As many findings an incident takes; what comes then opens another. Each that joins is held against all of them. */
const mostFindings = 5000;
/** As many things an incident is known by. */
const mostEntities = 500;
/** What puts two findings into one incident. A repository alone does not: too much happens in it. */
export const joiningKinds: readonly Entity['kind'][] = ['user', 'run', 'credential', 'runner', 'commit', 'grant'];

/** An incident while verdicts are laid on it. `id` is null until it is written. */
export type OpenIncident = {
  id: string | null;
  workspace: string;
  state: IncidentState;
  severity: Severity;
  /** The gravest that may page; `none` where none of its findings may. */
  pageSeverity: Severity | 'none';
  title: string;
  version: number;
  openedMs: number;
  /** The log's time of what was last laid on it, ms. */
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

/** Tells the things apart by which an incident is known: of each all names under which it was told. */
export const entityName = (workspace: string, { kind, id, key = '' }: Entity) => `${workspace}\0${kind}\0${id}\0${key}`;
/** Under what an entity is found by those that are the same; see `isSameEntity`. */
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
 * Accounts that many act through say nothing of who acted: what merges for everybody would have everything join. GitHub's
 * apps end in `[bot]`; whoever deleted their account is `ghost`.
 */
const sharedAccounts = new Set(['web-flow', 'ghost', 'github', 'github-actions', 'github-merge-queue', 'dependabot']);
const isShared = ({ kind, id }: Entity) => {
  const name = id.toLowerCase();
  return kind === 'user' && (name.endsWith('[bot]') || sharedAccounts.has(name));
};
/** Nobody looks for an incident by these. */
const forExceptions: ReadonlySet<Entity['kind']> = new Set(['ref', 'workflow', 'address']);
export const joins = (entity: Entity) => joiningKinds.includes(entity.kind) && !isShared(entity);
const isAtLeast = (severity: Severity, other: Severity) => severities.indexOf(severity) >= severities.indexOf(other);

/**
 * Lays verdicts on incidents in memory, one after the other, as if each were committed alone: which incident a finding
 * joins does not depend on how the log is cut into batches.
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
    for (const place of places) {
      for (const incident of byEntity.get(place) ?? []) {
        if (!takes(incident, atMs)) continue;
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
   * Pages again where a finding makes the incident graver, or is as grave as what somebody acknowledged: the page that they
   * answered said less. One that nobody has answered yet rings already, but not of what is always reported. What became
   * critical is nobody's any more. A finding that may not page makes the incident graver and rings nobody.
   */
  function page(
    incident: OpenIncident,
    { id, rule, title, severity, pages = true }: Pick<Finding, 'id' | 'rule' | 'title' | 'severity'> & MayPage,
  ): void {
    const former = incident.severity;
    const rises = !isAtLeast(former, severity);
    if (rises) incident.severity = severity;
    if (!pages) return;
    const pagesMore = incident.pageSeverity === 'none' || !isAtLeast(incident.pageSeverity, severity);
    if (pagesMore) incident.pageSeverity = severity;
    const isAcknowledged = incident.state === 'acknowledged';
    const answered = isAcknowledged && (incident.acknowledgedGeneration ?? 0) === incident.pageGeneration;
    const isAsGrave = answered && isAtLeast(severity, incident.acknowledgedSeverity ?? former);
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
        // What is left may page nobody.
        if (gravest(incident.paging) === undefined) incident.pageSeverity = 'none';
      } else {
        const resolved = { state: 'resolved', resolution: 'false', resolvedMs: retraction.atMs } as const;
        Object.assign(incident, { ...resolved, resolvedByUs: true } satisfies Partial<OpenIncident>);
        history.push({ incident, kind: 'resolved', detail: { resolution: 'false', reason } });
      }
      return true;
    },
    /**
     * A finding that was retracted from `incident` stands again, and reopens what was resolved for want of it. False when
     * a person resolved the incident: what people decided stays.
     */
    reinstate(incident: OpenIncident, severity: Severity, finding: Again): boolean {
      count(incident, severity, 1, finding.pages);
      if (incident.state === 'resolved' && !incident.resolvedByUs) return false;
      touch(incident, Date.parse(finding.detectedAt));
      const detail = { finding: finding.id, rule: finding.rule, title: finding.title, again: true };
      if (incident.state === 'resolved') reopen(incident, detail);
      if (incident.total <= toldFindings) history.push({ incident, kind: 'joined', detail });
      // It stands as it was found first: it makes nothing graver.
      if (isAtLeast(incident.severity, finding.severity)) page(incident, finding);
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
     * A finding of `incident` has more to tell: other things that it is about, or a higher severity, which pages again. What
     * people resolved stays so, unless the severity rose and a finding could still join. False when nobody is told.
     */
    grow(incident: OpenIncident, grown: Grown): boolean {
      const { findingId, rule, title, severity, former, entities, lines, atMs, pages } = grown;
      if (severity !== undefined) {
        count(incident, former, -1, pages);
        count(incident, severity, 1, pages);
      }
      if (incident.state === 'resolved') {
        if (severity === undefined || !takes(incident, atMs)) return false;
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
    /** A finding of `severity` falls to low, and the incident to the gravest that still stands in it. */
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

/** The gravest severity of what stands in an incident; undefined when nothing does. */
function gravest(counts: OpenIncident['standing']): Severity | undefined {
  return severities.findLast((severity) => (counts[severity] ?? 0) > 0);
}
