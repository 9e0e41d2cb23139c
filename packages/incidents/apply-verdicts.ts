import type { Exceptable, Excepted } from '@tripline/contracts/exception';
import { type Finding, type Growth, isSurer } from '@tripline/contracts/finding';
import { type Silence, silenceOf } from '@tripline/contracts/silence';
import type { createJoining, OpenIncident } from './join-incidents.ts';
import {
  type FindingChange,
  type FindingInsert,
  type FindingUpdate,
  findingOf,
  type KnownFinding,
  type Retraction,
  type RuleVerdict,
} from './verdicts.ts';

/** How many of each were recorded; verdicts that changed nothing are not counted. */
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
  ...{ found: 0, silenced: 0, retracted: 0, reinstated: 0, proven: 0 },
  ...{ lowered: 0, grown: 0, excepted: 0, superseded: 0 },
};

/** A finding while verdicts are applied to it. */
export type CurrentFinding = Omit<KnownFinding, 'incident'> & { incident: OpenIncident | null };

/** What verdicts are applied to. */
type Against = {
  joining: ReturnType<typeof createJoining>;
  /** Findings that are recorded already, by id; those of the batch are added. */
  findings: Map<string, CurrentFinding>;
  silences: readonly Silence[];
  coveredBy: (finding: Exceptable) => Excepted | undefined;
  mayPage: (finding: Pick<Finding, 'rule' | 'workspace'>) => boolean;
};

/** What is to be written after a batch. Incidents, and the lines of their histories, are in `joining`. */
export type Applied = Pick<Against, 'joining'> & {
  recorded: Recorded;
  inserts: Map<string, FindingInsert>;
  /** By finding, the retraction in its row at the end; null reverts one. */
  retractions: Map<string, Retraction | null>;
  changes: Map<string, FindingUpdate>;
  /** Findings whose responses go through the guard. */
  remediate: Set<string>;
  /** Findings of former batches that were silenced, excepted or superseded, and join an incident after all. */
  lateJoins: Map<string, OpenIncident>;
};

type Applying = Against & Applied;

/**
 * Applies what rules found and retracted, in order, to findings and incidents. No I/O; changes the contents of
 * `against`.
 */
export function applyVerdicts(verdicts: readonly RuleVerdict[], against: Against): Applied {
  const applying: Applying = {
    ...against,
    ...{ recorded: { ...nothingRecorded }, inserts: new Map(), retractions: new Map(), changes: new Map() },
    ...{ remediate: new Set(), lateJoins: new Map() },
  };
  for (const verdict of verdicts) {
    const current = applying.findings.get(findingOf(verdict));
    if ('change' in verdict) applyChange(applying, verdict, current);
    else if (verdict.kind === 'retracted') retract(applying, verdict.retraction, current);
    else if (current === undefined) add(applying, verdict);
    else if (current.retracted) reinstate(applying, verdict, current);
  }
  return applying;
}

type FoundVerdict = Extract<RuleVerdict, { finding: unknown }>;

/** A finding is new: silenced, excepted, superseded, or it joins an incident. */
function add(applying: Applying, verdict: FoundVerdict): void {
  const { joining, findings, silences, coveredBy, mayPage, inserts, remediate, recorded } = applying;
  const { finding, supersededBy = null } = verdict;
  const exception = supersededBy === null ? (coveredBy(finding) ?? null) : null;
  const isHeld = supersededBy !== null || exception !== null;
  const silence = isHeld ? null : (silenceOf(finding, silences) ?? null);
  const pages = mayPage(finding);
  const incident = isHeld || silence !== null ? null : joining.find({ ...finding, pages });
  const { id, severity, unproven = false } = finding;
  const held = { excepted: exception !== null, silenced: silence !== null, supersededBy, pages };
  findings.set(id, { incident, retracted: false, severity, unproven, ...held, facts: finding });
  inserts.set(id, { finding, incident, silence, exception, supersededBy, pages });
  if (incident !== null) remediate.add(id);
  if (supersededBy !== null) recorded.superseded += 1;
  else recorded[exception !== null ? 'excepted' : silence === null ? 'found' : 'silenced'] += 1;
}

function retract(
  { joining, retractions, recorded }: Applying,
  retraction: Retraction & { findingId: string },
  current: CurrentFinding | undefined,
): void {
  if (current === undefined || current.retracted) return;
  const incident = incidentIn(current);
  if (incident !== null && !joining.retract(incident, current.severity, { ...retraction, pages: current.pages }))
    return;
  current.retracted = true;
  retractions.set(retraction.findingId, retraction);
  recorded.retracted += 1;
}

/** A retracted finding is found again, on the evidence received now. */
function reinstate(applying: Applying, verdict: FoundVerdict, current: CurrentFinding): void {
  const { joining, retractions, remediate, recorded } = applying;
  const { finding, supersededBy = null } = verdict;
  const { id, unproven = false } = finding;
  current.retracted = false;
  retractions.set(id, null);
  if (unproven !== current.unproven) noteChange(applying, id, { unproven });
  current.unproven = unproven;
  const wasSuperseded = current.supersededBy !== null;
  if (supersededBy !== current.supersededBy) noteChange(applying, id, { supersededBy });
  setSuperseded(applying, id, current, supersededBy);
  recorded.reinstated += 1;
  const incident = incidentIn(current);
  const again = { ...finding, pages: current.pages };
  if (incident !== null && joining.reinstate(incident, current.severity, again)) remediate.add(id);
  else if (wasSuperseded && supersededBy === null) report(applying, id, current, Date.parse(finding.detectedAt));
}

/** A change of a finding that is not retracted, applied to its incident and noted for its row. */
function applyChange(
  applying: Applying,
  { kind, change }: RuleVerdict & { change: FindingChange },
  current: CurrentFinding | undefined,
): void {
  if (current === undefined || current.retracted) return;
  if (kind === 'grown') grow(applying, change, current);
  else if (kind === 'superseded') supersede(applying, change, current);
  else if (kind === 'proven') prove(applying, change, current);
  else lower(applying, change, current);
}

/** More evidence alone is recorded without a new report: a second delivery of the same act is no news. */
function grow(
  applying: Applying,
  { findingId, rule, atMs, confidence, ...more }: FindingChange,
  current: CurrentFinding,
): void {
  const { joining, silences, coveredBy, changes, remediate, recorded } = applying;
  // A surer telling of the same is no news to people, and may be sure enough to act upon.
  const isNewlySure = confidence !== undefined && isSurer(confidence, current.facts.confidence);
  const surer = isNewlySure ? { confidence } : {};
  const growth: Growth = { ...more, ...surer };
  const { severity, title = '', entities = [], evidence = [] } = growth;
  recorded.grown += 1;
  const isNews = severity !== undefined || entities.length > 0;
  const { pages, severity: former } = current;
  const grown = { rule, title, entities, lines: evidence.length, atMs, pages, former };
  const incident = incidentIn(current);
  if (isNews && incident !== null && joining.grow(incident, { findingId, ...grown, ...(severity && { severity }) }))
    remediate.add(findingId);
  else if (isNewlySure && incident !== null && incident.state !== 'resolved') remediate.add(findingId);
  if (severity !== undefined) current.severity = severity;
  const { facts } = current;
  current.facts = { ...facts, ...surer, entities: [...facts.entities, ...entities], title: title || facts.title };
  // An exception or a silence covers a finding in its present form: one that outgrows it is reported like a new one.
  if (current.incident === null && current.supersededBy === null) {
    const finding = asFoundAt(current, atMs);
    const isOutgrown = current.excepted
      ? coveredBy(finding) === undefined
      : current.silenced && isNews && silenceOf(finding, silences) === undefined;
    if (isOutgrown) report(applying, findingId, current, atMs);
  }
  const { lowered, ...others } = changes.get(findingId) ?? {};
  const isLow = lowered !== undefined && growth.raised !== true;
  changes.set(findingId, { ...others, ...(isLow && { lowered }), growth: together(others.growth, growth) });
}

/** A narrower rule supersedes a finding, or no longer does. */
function supersede(
  applying: Applying,
  { findingId, atMs, by = null, rule }: FindingChange,
  current: CurrentFinding,
): void {
  const { joining, remediate, recorded } = applying;
  const wasSuperseded = current.supersededBy !== null;
  const { incident, severity, facts, pages } = current;
  setSuperseded(applying, findingId, current, by);
  if (by !== null) {
    recorded.superseded += 1;
    const reason = `finding ${by.slice(0, 8)} of a narrower rule says the same`;
    if (!wasSuperseded && incident !== null) joining.retract(incident, severity, { findingId, reason, atMs, pages });
  } else if (incident === null) report(applying, findingId, current, atMs);
  else {
    const { title } = facts;
    const again = { id: findingId, rule, title, severity, pages, detectedAt: new Date(atMs).toISOString() };
    if (joining.reinstate(incident, severity, again)) remediate.add(findingId);
  }
  noteChange(applying, findingId, { supersededBy: by });
}

function prove(applying: Applying, change: FindingChange, current: CurrentFinding): void {
  const { joining, remediate, recorded } = applying;
  if (!current.unproven) return;
  current.unproven = false;
  const incident = incidentIn(current);
  if (incident !== null && joining.prove(incident, change)) remediate.add(change.findingId);
  recorded.proven += 1;
  noteChange(applying, change.findingId, { unproven: false });
}

function lower(applying: Applying, change: FindingChange, current: CurrentFinding): void {
  const { findingId, atMs, reason = '' } = change;
  const { joining, changes, recorded } = applying;
  if (changes.get(findingId)?.lowered !== undefined) return;
  const incident = incidentIn(current);
  if (incident !== null) joining.lower(incident, current.severity, { findingId, reason, atMs, pages: current.pages });
  current.severity = 'low';
  recorded.lowered += 1;
  const { raised: _, ...growth } = changes.get(findingId)?.growth ?? {};
  noteChange(applying, findingId, { lowered: { reason, atMs }, growth });
}

/**
 * A finding that was not reported before is reported as if it were found now, unless an exception or a silence covers
 * it.
 */
function report(applying: Applying, id: string, current: CurrentFinding, atMs: number): void {
  const { silences, coveredBy, inserts } = applying;
  const finding = asFoundAt(current, atMs);
  const exception = coveredBy(finding);
  const silence = exception === undefined ? silenceOf(finding, silences) : undefined;
  current.excepted = exception !== undefined;
  current.silenced = silence !== undefined;
  if (exception === undefined && silence === undefined) {
    join(applying, id, current, atMs);
    return;
  }
  const insert = inserts.get(id);
  if (insert !== undefined) Object.assign(insert, { exception: exception ?? null, silence: silence ?? null });
  else noteChange(applying, id, { ...(exception && { exception }), ...(silence && { silence }) });
}

/** A finding that was in no incident joins one after all. */
function join(applying: Applying, id: string, current: CurrentFinding, atMs: number): void {
  const { joining, inserts, lateJoins, remediate } = applying;
  current.excepted = false;
  current.silenced = false;
  current.incident = joining.find({ ...asFoundAt(current, atMs), id, pages: current.pages });
  const insert = inserts.get(id);
  if (insert === undefined) lateJoins.set(id, current.incident);
  else Object.assign(insert, { incident: current.incident, exception: null, silence: null });
  remediate.add(id);
}

function setSuperseded({ inserts }: Applying, id: string, current: CurrentFinding, by: string | null): void {
  current.supersededBy = by;
  const insert = inserts.get(id);
  if (insert !== undefined) insert.supersededBy = by;
}

function noteChange({ changes }: Applying, id: string, change: FindingUpdate): void {
  changes.set(id, { ...changes.get(id), ...change });
}

const asFoundAt = ({ facts, severity }: CurrentFinding, atMs: number) => ({
  ...facts,
  severity,
  detectedAt: new Date(atMs).toISOString(),
});

/** The incident through which a finding is reported; null while a narrower rule supersedes it. */
const incidentIn = ({ incident, supersededBy }: CurrentFinding) => (supersededBy === null ? incident : null);

/** A growth after another one of the same finding. */
function together(before: Growth | undefined, after: Growth): Growth {
  if (before === undefined) return after;
  const evidence = [...(before.evidence ?? []), ...(after.evidence ?? [])];
  const entities = [...(before.entities ?? []), ...(after.entities ?? [])];
  return { ...before, ...after, evidence, entities };
}
