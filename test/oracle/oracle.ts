import { type Entity, type Severity, severities } from '@tripline/contracts/finding';
import type { Resolution } from '@tripline/contracts/incident';
import type { StreamRecord } from '@tripline/stream/stream';
import {
  isOneThing,
  type Judged,
  judge,
  nameOf,
  type OracleOptions,
  type OracleVerdict,
  type Said,
} from './judging.ts';

/** One partition of a log: its records in order, and the log's time up to which nothing more came. */
export type PartitionLog = { partition: number; records: readonly StreamRecord[]; untilMs: number };

type Silence = { rule: string; subject: string; workspace?: string | undefined; until: string };
export type ReckonOptions = OracleOptions & {
  silences?: readonly Silence[];
  /** Whether an inventory is asked for where a workspace is new. */
  imports?: boolean;
};

type Incident = {
  /** Names of its findings, in the order in which they joined; the first is what it is known by. */
  findings: string[];
  workspace: string;
  state: 'open' | 'resolved';
  resolution: Resolution | null;
  severity: Severity;
  title: string;
  /** Rises with each change that people are told of. */
  version: number;
  /** How often it was reopened. */
  reopened: number;
};

type Open = Incident & { openedMs: number; updatedMs: number; entities: Entity[] };

/** `said` is as it was found; `severity` and the rest, what became of it. */
type Found = {
  said: Said;
  standing: boolean;
  silenced: boolean;
  severity: Severity;
  unproven: boolean;
  lowered: boolean;
  /** A narrower rule supersedes it: nobody is told of it. */
  superseded: boolean;
};

/** All that must have come of a log, whatever broke on the way. */
export type ExpectedOutcome = {
  /** By name: whether it stands. */
  findings: ReadonlyMap<string, Found>;
  incidents: readonly Incident[];
  /** Job keys; an incident goes by the name of its first finding. */
  jobs: ReadonlySet<string>;
  partitions: readonly (Judged & { partition: number; next: number })[];
};

const dayMs = 24 * 3_600_000;
/** Findings join an incident for so long after it was opened. */
const weekMs = 7 * dayMs;
/** And so many of them. */
const mostFindings = 5000;
const joiningKinds = new Set<Entity['kind']>(['user', 'run', 'credential', 'runner', 'commit', 'grant']);

/** What a log of several partitions comes to. Nothing crosses workspaces, and a workspace lies in one partition. */
export function reckon(log: readonly PartitionLog[], options: ReckonOptions): ExpectedOutcome {
  const findings = new Map<string, Found>();
  const incidents: Open[] = [];
  const jobs = new Set<string>();
  const partitions = log.map(({ partition, records, untilMs }) => {
    const judged = judge(records, untilMs, options);
    for (const verdict of judged.verdicts) lay(verdict);
    for (const { id } of judged.lookUps) jobs.add(`look-up:${id}`);
    for (const workspace of options.imports ? judged.workspaces : []) {
      if (!workspace.startsWith('tripline-drill-')) jobs.add(`import:${workspace}`);
    }
    return { ...judged, partition, next: (records.at(-1)?.offset ?? -1) + 1 };
  });
  return { findings, incidents, jobs, partitions };

  function lay(verdict: OracleVerdict): void {
    const name = verdict.kind === 'found' ? nameOf(verdict.said) : verdict.name;
    const known = findings.get(name);
    if (verdict.kind === 'grown') {
      if (known?.standing) grow(verdict, known);
    } else if (verdict.kind === 'proven' || verdict.kind === 'lowered') {
      if (known?.standing) change(verdict, known);
    } else if (verdict.kind === 'superseded') {
      if (known?.standing) supersede(verdict, known);
    } else if (verdict.kind === 'retracted') {
      if (!known?.standing) return;
      known.standing = false;
      const incident = incidentOf(name);
      if (incident !== undefined && !known.superseded) leave(incident, verdict.atMs);
    } else if (known === undefined) {
      const { said } = verdict;
      const silenced = (options.silences ?? []).some((silence) => silences(silence, said));
      const { severity } = said;
      const superseded = verdict.superseded === true;
      const fresh = { said, standing: true, severity, unproven: verdict.unproven, lowered: false, superseded };
      findings.set(name, { ...fresh, silenced: silenced && !superseded });
      if (!silenced && !superseded) join(name, said);
    } else if (!known.standing) {
      known.standing = true;
      known.unproven = verdict.unproven;
      const spoke = known.superseded;
      known.superseded = verdict.superseded === true;
      if (known.superseded) return;
      const incident = incidentOf(name);
      if (incident !== undefined) comeBack(name, incident, verdict.said.atMs);
      else if (spoke) reportLate(name, known, verdict.said.atMs);
    }
  }

  function leave(incident: Open, atMs: number): void {
    touch(incident, atMs);
    const stands = (other: string) => findings.get(other)!.standing && !findings.get(other)!.superseded;
    if (incident.findings.some(stands)) return;
    incident.state = 'resolved';
    incident.resolution = 'false';
  }
  function comeBack(name: string, incident: Open, atMs: number): void {
    touch(incident, atMs);
    if (incident.state === 'resolved') {
      Object.assign(incident, { state: 'open', resolution: null, reopened: incident.reopened + 1 });
    }
    jobs.add(`remediate:${name}`);
  }
  /** A finding of which nobody heard yet, as if it were found now. */
  function reportLate(name: string, finding: Found, atMs: number): void {
    const said = { ...finding.said, severity: finding.severity, atMs };
    finding.silenced = (options.silences ?? []).some((silence) => silences(silence, said));
    if (!finding.silenced) join(name, said);
  }
  function supersede({ name, by, atMs }: { name: string; by: string | null; atMs: number }, finding: Found): void {
    finding.superseded = by !== null;
    const incident = incidentOf(name);
    if (by !== null) {
      if (incident !== undefined && incident.state === 'open') leave(incident, atMs);
    } else if (incident === undefined) reportLate(name, finding, atMs);
    else comeBack(name, incident, atMs);
  }

  /** Whoever doubted a finding believes it now, or it falls to low, and its incident to the gravest that still stands. */
  function change(
    { kind, name, atMs }: { kind: 'proven' | 'lowered'; name: string; atMs: number },
    finding: Found,
  ): void {
    const incident = incidentOf(name);
    if (kind === 'lowered') Object.assign(finding, { severity: 'low', lowered: true });
    else finding.unproven = false;
    if (incident === undefined || incident.state === 'resolved' || finding.superseded) return;
    touch(incident, atMs);
    if (kind === 'proven') jobs.add(`remediate:${name}`);
    else {
      const standing = incident.findings
        .map((other) => findings.get(other)!)
        .filter((other) => other.standing && !other.superseded);
      incident.severity = severities.findLast((severity) => standing.some((other) => other.severity === severity))!;
    }
  }

  /** Other things that it is about, or a higher severity, are news to its incident; evidence alone is not. */
  function grow(
    { name, atMs, entities, severity, raised }: Extract<OracleVerdict, { kind: 'grown' }>,
    finding: Found,
  ): void {
    if (raised) finding.lowered = false;
    if (severity !== undefined) finding.severity = severity;
    finding.said = { ...finding.said, entities: [...finding.said.entities, ...entities] };
    const incident = incidentOf(name);
    if (severity === undefined && entities.length === 0) return;
    // What outgrew its silence is told.
    if (incident === undefined && finding.silenced && !finding.superseded) reportLate(name, finding, atMs);
    if (incident === undefined || incident.state === 'resolved' || finding.superseded) return;
    touch(incident, atMs);
    incident.entities.push(...entities);
    if (severity !== undefined && severities.indexOf(severity) > severities.indexOf(incident.severity)) {
      incident.severity = severity;
    }
  }

  function incidentOf(name: string) {
    return incidents.find((incident) => incident.findings.includes(name));
  }

  /** The incident that was last changed, of those open that share an entity and were changed within a day; or a new one. */
  function join(name: string, said: Said): void {
    const shared = said.entities.filter(
      ({ kind, id }) => joiningKinds.has(kind) && !(kind === 'user' && manyActThrough.test(id)),
    );
    const joined = incidents
      .filter(
        ({ workspace, state, openedMs, updatedMs, entities, findings }) =>
          workspace === said.workspace &&
          state === 'open' &&
          Math.abs(said.atMs - updatedMs) <= dayMs &&
          said.atMs - openedMs <= weekMs &&
          findings.length < mostFindings &&
          shared.some((entity) => entities.some((one) => isOneThing(one, entity))),
      )
      // The later opened wins where both changed at once.
      .reduce<Open | undefined>(
        (newest, other) => (newest === undefined || other.updatedMs >= newest.updatedMs ? other : newest),
        undefined,
      );
    jobs.add(`remediate:${name}`);
    if (joined === undefined) {
      const { workspace, severity, title } = said;
      const fresh = { findings: [name], workspace, state: 'open', resolution: null, severity, title } as const;
      const entities = [...said.entities];
      incidents.push({
        ...fresh,
        findings: [name],
        version: 1,
        reopened: 0,
        openedMs: said.atMs,
        updatedMs: said.atMs,
        entities,
      });
      tell(name);
      return;
    }
    touch(joined, said.atMs);
    joined.findings.push(name);
    joined.entities.push(...said.entities);
    if (severities.indexOf(said.severity) > severities.indexOf(joined.severity)) joined.severity = said.severity;
  }

  function touch(incident: Open, atMs: number): void {
    incident.version += 1;
    incident.updatedMs = Math.max(incident.updatedMs, atMs);
  }

  function tell(first: string): void {
    jobs.add(`notify:${first}`);
  }
}

/** Accounts of no single person. */
const manyActThrough = /\[bot\]$|^(web-flow|ghost|github|github-actions|github-merge-queue|dependabot)$/i;

function silences(silence: Silence, said: Said): boolean {
  const { rule, workspace, subject, until } = silence;
  const fits = subject.endsWith('*') ? said.subject.startsWith(subject.slice(0, -1)) : said.subject === subject;
  return (
    rule === said.rule && (workspace ?? said.workspace) === said.workspace && fits && Date.parse(until) > said.atMs
  );
}
