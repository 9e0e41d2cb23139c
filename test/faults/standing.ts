import { createEngine } from '@tripline/engine/engine';
import type { ConfiguredRule } from '@tripline/engine/settings';
import { applyVerdicts, type CurrentFinding } from '@tripline/incidents/apply-verdicts';
import { createJoining, type OpenIncident } from '@tripline/incidents/join-incidents';
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
  /** Why a record that only Tripline may write is not believed; all are where it is absent. */
  originFault?: (record: StreamRecord) => string | null;
}): Standing {
  const findings = new Map<string, CurrentFinding>();
  const jobs: string[] = [];
  let history = 0;
  const incidents: OpenIncident[] = [];
  for (const records of Map.groupBy(log.records, ({ partition }) => partition).values()) {
    const snapshot = { logTimeMs: 0, engineRows: [], timers: [], dedup: [] };
    const { rules, learningDays, originFault } = log;
    const engine = createEngine({ rules, learningDays, ...(originFault && { originFault }) }, snapshot);
    const { verdicts, lookUps } = runBatch(engine, { records, caughtUpAtMs: log.untilMs }, createKept().read);
    jobs.push(...lookUps.map(({ lookup }) => `look-up:${lookup.id}`));
    const joining = createJoining([]);
    const nothing = { silences: [], coveredBy: () => undefined, mayPage: () => true };
    applyVerdicts(verdicts, { joining, findings, ...nothing });
    incidents.push(...joining.incidents);
    history += joining.history.length;
  }
  const seen = incidents.map((incident): Seen => {
    const own = [...findings].filter(([, one]) => one.incident === incident).map(([id]) => id);
    const { state, severity, version, title } = incident;
    return { findings: own.sort(), state, severity, version, title };
  });
  for (const [id, { incident }] of findings) if (incident !== null) jobs.push(`remediate:${id}`);
  jobs.push(...seen.map((incident) => `notify:${incident.findings[0]}`));
  const standing = [...findings].map(([id, { retracted }]) => ({ id, retracted }));
  return inOrder({ findings: standing, incidents: seen, jobs, history });
}

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
