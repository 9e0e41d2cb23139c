import type { Severity } from '@tripline/contracts/finding';
import type { Db } from '@tripline/db/database';
import { readState } from '@tripline/detector/state-keeper';
import { readTimers } from '@tripline/detector/store/timers';
import { listFindings, type StoredFinding } from '@tripline/incidents/findings';
import type { StreamRecord } from '@tripline/stream/stream';
import { verifyTrail } from '@tripline/trail/verify-trail';
import { nameOf } from '../oracle/judging.ts';
import type { ExpectedOutcome } from '../oracle/oracle.ts';

/** One thing that is not as the oracle has it. */
export type Difference = { what: string; expected: unknown; actual: unknown };

/** Compares two sets of texts, and says what either lacks. */
export function compare(what: string, expected: Iterable<string>, actual: Iterable<string>): Difference[] {
  const [wanted, had] = [new Set(expected), new Set(actual)];
  const missing = [...wanted].filter((item) => !had.has(item));
  const extra = [...had].filter((item) => !wanted.has(item));
  return missing.length + extra.length === 0 ? [] : [{ what, expected: missing, actual: extra }];
}

/** Compares what the detector left in Postgres and the dead-letter topic. */
export async function checkDetector(
  db: Db,
  outcome: ExpectedOutcome,
  left: { deadLetters: readonly StreamRecord[]; jobs: boolean },
): Promise<Difference[]> {
  const findings = await listFindings(db, { limit: 100_000 });
  const names = new Map(findings.map((finding) => [finding.id, nameOf(finding)]));
  const { rows: incidents } = await db.pool.query(
    'SELECT id, state, resolution, severity, title, version FROM incidents ORDER BY id',
  );
  const ofIncident = new Map<string, string[]>();
  for (const { id, incident } of findings) {
    if (incident !== null) ofIncident.set(incident, [...(ofIncident.get(incident) ?? []), names.get(id)!].sort());
  }
  const { rows: positions } = await db.pool.query(
    `SELECT partition, next FROM positions WHERE consumer = 'detector' ORDER BY partition`,
  );
  const { rows: questions } = await db.pool.query('SELECT workspace, event_id FROM delivery_questions');
  const differences = [
    ...compare(
      'findings',
      [...outcome.findings].map(([name, of]) => describe(name, of)),
      findings.map((finding) => describe(nameOf(finding), became(finding))),
    ),
    ...compare(
      'incidents',
      outcome.incidents.map((incident) =>
        JSON.stringify([
          incident.findings.toSorted(),
          incident.state,
          incident.resolution,
          incident.severity,
          incident.title,
        ]),
      ),
      incidents.map((row) =>
        JSON.stringify([
          ofIncident.get(row.id),
          // The log does not know who acknowledged what.
          row.state === 'acknowledged' ? 'open' : row.state,
          row.resolution,
          row.severity,
          row.title,
        ]),
      ),
    ),
    ...compare(
      'positions',
      outcome.partitions.map(({ partition, next }) => `${partition}: ${next}`),
      positions.map(({ partition, next }) => `${partition}: ${next}`),
    ),
    ...compare(
      'records dead-lettered',
      outcome.partitions.flatMap(({ partition, poison }) => poison.map((name) => `${partition} ${name}`)),
      left.deadLetters.map(({ headers }) =>
        [
          headers['tripline_partition'],
          headers['tripline_timer'] ?? headers['tripline_offset'],
          headers['tripline_rule'],
        ]
          .filter((part) => part !== undefined)
          .join(' '),
      ),
    ),
    ...compare(
      'deliveries asked about',
      outcome.partitions.flatMap(({ questions }) => questions),
      questions.map(({ workspace, event_id }) => `${workspace}\0${event_id}`),
    ),
    ...(await checkState(db, outcome)),
  ];
  if (left.jobs) {
    const { rows: jobs } = await db.pool.query<{ key: string }>(
      "SELECT key FROM graphile_worker.jobs UNION ALL SELECT purpose || ':' || item FROM queue",
    );
    const told = jobs.map(({ key }) => key.replace(/(?<=^remediate:).*/, (id) => names.get(id) ?? id));
    const first = (id: string) => ofIncident.get(id)?.[0] ?? id;
    differences.push(
      ...compare(
        'jobs',
        [...outcome.jobs].map((key) =>
          key.replace(
            /(?<=^notify:).*/,
            (name) => outcome.incidents.find(({ findings: of }) => of[0] === name)!.findings.toSorted()[0]!,
          ),
        ),
        told.map((key) => key.replace(/(?<=^notify:).*/, first)),
      ),
    );
  }
  return differences;
}

type Became = {
  standing: boolean;
  silenced: boolean;
  severity: Severity;
  unproven: boolean;
  lowered: boolean;
  superseded: boolean;
};
const became = (finding: StoredFinding): Became => ({
  standing: finding.retracted === null,
  silenced: finding.silencedBy !== null,
  severity: finding.severity,
  unproven: finding.unproven === true,
  lowered: finding.lowered !== null,
  superseded: finding.supersededBy !== null,
});
const describe = (name: string, { standing, silenced, severity, unproven, lowered, superseded }: Became) =>
  `${name} ${standing ? 'stands' : 'retracted'}, ${severity}${silenced ? ', silenced' : ''}${unproven ? ', unproven' : ''}${lowered ? ', lowered' : ''}${superseded ? ', superseded' : ''}`;

/** State of rules and timers, row by row. What facts know shows in what is concluded from them. */
async function checkState(db: Db, outcome: ExpectedOutcome): Promise<Difference[]> {
  const differences: Difference[] = [];
  for (const { partition, state, timers, logTimeMs } of outcome.partitions) {
    const rows = (await readState(db, partition, logTimeMs)).filter(({ rule }) => !/^(fact|subject):/.test(rule));
    const standing = new Set(rows.map(({ workspace, rule, key }) => joinKey(workspace, rule, key)));
    // Between what was asked for and half as long again, a row may be there or not.
    const expected = [...state].filter(([name, { isSure }]) => isSure || standing.has(name));
    const waiting = await readTimers(db.pool, partition);
    differences.push(
      ...compare(
        `state of partition ${partition}`,
        expected.map(([name, { value }]) => `${name} = ${JSON.stringify(value)}`),
        rows.map(({ workspace, rule, key, value }) => `${joinKey(workspace, rule, key)} = ${JSON.stringify(value)}`),
      ),
      ...compare(
        `timers of partition ${partition}`,
        [...timers].map(([name, dueMs]) => `${name} = ${dueMs}`),
        waiting.map(({ workspace, rule, id, dueMs }) => `${joinKey(workspace, rule, id)} = ${dueMs}`),
      ),
    );
  }
  return differences;
}

const joinKey = (...names: string[]) => names.join('\0');

/**
 * What people did to incidents and the events that tell of it: neither without the other. `published`: nothing may wait for
 * the log any more. In the log an event may stand twice, under one id.
 */
export async function checkActs(
  db: Db,
  log: readonly (readonly StreamRecord[])[],
  published: boolean,
): Promise<Difference[]> {
  const { rows: done } = await db.pool.query<{ incident: string }>(
    "SELECT incident FROM incident_events WHERE kind = 'acknowledged' ORDER BY id",
  );
  const { rows: waiting } = await db.pool.query<{ id: string; target: string | null }>(
    `SELECT event_id AS id, data ->> 'tripline.act.target' AS target FROM outbox`,
  );
  const targets = new Map<string, string>();
  for (const { headers, value } of log.flat()) {
    if (headers['ce_type'] !== 'dev.cdeventsx.tripline-act.performed') continue;
    const data = JSON.parse(value!.toString());
    // Scenarios tell of acts that nobody does here: incidents that are resolved.
    if (data['tripline.act.kind'] === 'incident-acknowledged')
      targets.set(headers['ce_id']!, data['tripline.act.target']);
  }
  for (const { id, target } of waiting) if (target !== null) targets.set(id, target);
  return [
    ...compare('acts', numbered(done.map(({ incident }) => incident)), numbered([...targets.values()])),
    ...(published
      ? compare(
          'what waits for the log',
          [],
          waiting.map(({ id }) => id),
        )
      : []),
  ];
}

/** Each text with how often it came before, so that sets of them differ where counts do. */
function numbered(texts: readonly string[]): string[] {
  const before = new Map<string, number>();
  return texts.map((text) => {
    const nth = (before.get(text) ?? 0) + 1;
    before.set(text, nth);
    return `${text} (${nth})`;
  });
}

/** Every record of the log once, in a chain that holds. */
export async function checkTrail(db: Db, log: readonly (readonly StreamRecord[])[]): Promise<Difference[]> {
  const { chains, faults } = await verifyTrail(db.pool);
  return [
    ...compare(
      'the trail’s faults',
      [],
      faults.map(({ what, partition, offset }) => `${partition}/${offset}: ${what}`),
    ),
    ...compare(
      'the trail’s rows',
      log.flatMap((records, partition) => (records.length > 0 ? [`${partition}: ${records.length}`] : [])),
      chains.map(({ partition, rows }) => `${partition}: ${rows}`),
    ),
    ...compare('repeated bodies in the trail', log.flatMap(repeatsOf), await readRepeats(db)),
  ];
}

/** Of one partition's log, the records whose body was received before under another id, and under which. */
function repeatsOf(records: readonly StreamRecord[], partition: number): string[] {
  const first = new Map<string, string>();
  return records.flatMap(({ headers, offset }) => {
    const { ce_id: id, ce_bodysha256: body, ce_type: type, ce_workspace: workspace } = headers;
    if (id === undefined || body === undefined) return [];
    const name = JSON.stringify([workspace, type, body]);
    const told = first.get(name) ?? id;
    first.set(name, told);
    return told === id ? [] : [`${partition}/${offset} repeats ${told}`];
  });
}
async function readRepeats(db: Db): Promise<string[]> {
  const { rows } = await db.pool.query(
    `SELECT partition || '/' || "offset" || ' repeats ' || repeats AS line FROM trail WHERE repeats IS NOT NULL`,
  );
  return rows.map(({ line }) => line);
}
