import type { Finding } from '@tripline/contracts/finding';
import { createEngine } from '@tripline/engine/engine';
import type { ConfiguredRule } from '@tripline/engine/settings';
import { createJoining, type OpenIncident } from '@tripline/incidents/join-incidents';
import type { RuleVerdict } from '@tripline/incidents/verdicts';
import type { StreamRecord } from '@tripline/stream/stream';
import { createKept, runBatch } from '@tripline/testing/timeline/play';
import type { Pool } from 'pg';

/** An incident by what people see of it, named by its findings. */
type Seen = { findings: string[]; state: string; severity: string; version: number; title: string };

/** What stands when a log has been judged, in an order of its own: two of them can be compared. */
export type Standing = {
  findings: { id: string; retracted: boolean }[];
  incidents: Seen[];
  /** Keys of the jobs that were left, incidents named by their first finding. */
  jobs: string[];
  /** Lines of the incidents’ histories. */
  history: number;
};

/** What must stand after `records`: one engine that judges each partition of the log in memory, in order, undisturbed. */
export function whatMustStand(log: {
  records: readonly StreamRecord[];
  rules: readonly ConfiguredRule[];
  learningDays: number;
  /** The log's time up to which timers fire. */
  untilMs: number;
}): Standing {
  const judged = new Map<string, Judged>();
  const jobs: string[] = [];
  let history = 0;
  const incidents: OpenIncident[] = [];
  for (const records of Map.groupBy(log.records, ({ partition }) => partition).values()) {
    const snapshot = { logTimeMs: 0, engineRows: [], timers: [], dedup: [] };
    const engine = createEngine({ rules: log.rules, learningDays: log.learningDays }, snapshot);
    const { verdicts, lookUps } = runBatch(engine, { records, caughtUpAtMs: log.untilMs }, createKept().read);
    jobs.push(...lookUps.map(({ lookup }) => `look-up:${lookup.id}`));
    const joining = createJoining([]);
    for (const verdict of verdicts) lay(verdict, judged, joining);
    incidents.push(...joining.incidents);
    history += joining.history.length;
  }
  const seen = incidents.map((incident): Seen => {
    const findings = [...judged].filter(([, one]) => one.incident === incident).map(([id]) => id);
    const { state, severity, version, title } = incident;
    return { findings: findings.sort(), state, severity, version, title };
  });
  for (const [id, { incident }] of judged) if (incident !== null) jobs.push(`remediate:${id}`);
  jobs.push(...seen.map(({ findings }) => `notify:${findings[0]}`));
  const findings = [...judged].map(([id, { retracted }]) => ({ id, retracted }));
  return inOrder({ findings, incidents: seen, jobs, history });
}

/** A finding while verdicts are laid on it; without an incident while a narrower rule has spoken for it from the beginning. */
type Judged = {
  incident: OpenIncident | null;
  retracted: boolean;
  supersededBy: string | null;
  /** As it has grown. */
  finding: Finding;
};

/** Lays one verdict on findings and incidents, where nothing is silenced or excepted. */
function lay(verdict: RuleVerdict, judged: Map<string, Judged>, joining: ReturnType<typeof createJoining>): void {
  if ('finding' in verdict) {
    const { finding, supersededBy = null } = verdict;
    const one = judged.get(finding.id);
    if (one === undefined) {
      const incident = supersededBy === null ? joining.find(finding) : null;
      judged.set(finding.id, { incident, retracted: false, supersededBy, finding });
    } else if (one.retracted) {
      one.retracted = false;
      if (supersededBy === null && one.incident === null) one.incident = joining.find(toldAt(one, finding.detectedAt));
      else if (supersededBy === null) joining.reinstate(one.incident!, one.finding.severity, finding);
      one.supersededBy = supersededBy;
    }
    return;
  }
  const one = judged.get(verdict.kind === 'retracted' ? verdict.retraction.findingId : verdict.change.findingId)!;
  const { severity } = one.finding;
  const told = one.supersededBy === null ? one.incident : null;
  if (verdict.kind === 'retracted') {
    if (told === null || joining.retract(told, severity, verdict.retraction)) one.retracted = true;
    return;
  }
  const { findingId, rule, atMs, reason = '', by = null } = verdict.change;
  if (verdict.kind === 'superseded') {
    if (by !== null && told !== null) joining.retract(told, severity, { findingId, reason, atMs });
    one.supersededBy = by;
    const detectedAt = new Date(atMs).toISOString();
    if (by === null && one.incident === null) one.incident = joining.find(toldAt(one, detectedAt));
    else if (by === null) joining.reinstate(one.incident!, severity, { ...one.finding, rule, detectedAt });
  } else if (verdict.kind === 'proven') {
    if (told !== null) joining.prove(told, { findingId, atMs });
  } else if (verdict.kind === 'lowered') {
    if (told !== null) joining.lower(told, severity, { findingId, reason, atMs });
    one.finding = { ...one.finding, severity: 'low' };
  } else {
    const { title = '', entities = [], evidence = [], severity: risen } = verdict.change;
    const grown = { findingId, rule, title, entities, lines: evidence.length, atMs, former: severity };
    const tells = risen !== undefined || entities.length > 0;
    if (tells && told !== null) joining.grow(told, { ...grown, ...(risen && { severity: risen }) });
    one.finding = {
      ...one.finding,
      ...(risen && { severity: risen }),
      ...(title !== '' && { title }),
      entities: [...one.finding.entities, ...entities],
    };
  }
}

/** A finding that is told only now. */
const toldAt = ({ finding }: Judged, detectedAt: string): Finding => ({ ...finding, detectedAt });

/** What stands in a database whose jobs nobody has taken. */
export async function whatStands(pool: Pool): Promise<Standing> {
  const findings = await pool.query('SELECT id, withdrawn_at IS NOT NULL AS retracted, incident FROM findings');
  const { rows } = await pool.query('SELECT id, state, severity, version, title FROM incidents');
  const nameOf = new Map<string, string>();
  const incidents = rows.map(({ id, ...incident }): Seen => {
    const own = findings.rows.filter((finding) => finding.incident === id).map((finding) => finding.id as string);
    nameOf.set(id, own.sort()[0]!);
    return { findings: own, ...incident };
  });
  const jobs = await pool.query<{ key: string }>(
    "SELECT key FROM graphile_worker.jobs UNION ALL SELECT purpose || ':' || item FROM queue",
  );
  const history = await pool.query('SELECT count(*)::int FROM incident_events');
  return inOrder({
    findings: findings.rows.map(({ id, retracted }) => ({ id, retracted })),
    incidents,
    jobs: jobs.rows.map(({ key }) => (key ?? 'of a dead worker').replace(/INC-\d+/, (id) => nameOf.get(id)!)),
    history: history.rows[0].count,
  });
}

function inOrder({ findings, incidents, jobs, history }: Standing): Standing {
  const byText = (a: object, b: object) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
  return { findings: findings.sort(byText), incidents: incidents.sort(byText), jobs: jobs.sort(), history };
}

/** What is in one and not in the other, a line each. */
export function differences(actual: Standing, expected: Standing): string[] {
  return [
    ...setDifferences('finding', actual.findings, expected.findings),
    ...setDifferences('incident', actual.incidents, expected.incidents),
    ...setDifferences('job', actual.jobs, expected.jobs),
    ...setDifferences('lines of histories', [actual.history], [expected.history]),
  ];
}

/** Compares as multisets: something doubled is a difference too. */
export function setDifferences(what: string, actual: readonly unknown[], expected: readonly unknown[]): string[] {
  const counts = new Map<string, number>();
  const count = (item: unknown, by: number) => {
    const text = typeof item === 'string' ? item : JSON.stringify(item);
    counts.set(text, (counts.get(text) ?? 0) + by);
  };
  for (const item of actual) count(item, 1);
  for (const item of expected) count(item, -1);
  return [...counts].flatMap(([text, surplus]) => {
    if (surplus === 0) return [];
    return [surplus > 0 ? `${what} ${surplus} too many: ${text}` : `${what} ${-surplus} missing: ${text}`];
  });
}
