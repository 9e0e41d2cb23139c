import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createJoining, type OpenIncident } from '@tripline/db/join-incidents';
import { createEngine } from '@tripline/engine/engine';
import { configureRule } from '@tripline/engine/settings';
import { createKept, runBatch, toRecords } from '@tripline/rules/test-kit';
import { systemClock } from '@tripline/runtime/clock';
import { loadConfig } from '@tripline/runtime/config';
import { createLogger } from '@tripline/runtime/logger';
import { topics } from '@tripline/stream/contract';
import { connectStream } from '@tripline/stream/open';
import type { Pool } from 'pg';
import { afterAll, expect, test } from 'vitest';
import { minuteMs, rules, someEvents, startMs } from './detector.rules.ts';
import { freshDatabase } from './setup/postgres.ts';

const points = [
  ...['after-read', 'before-fetch', 'after-fetch', 'after-evaluate', 'before-begin', 'after-advance'],
  ...['after-state', 'after-timers', 'after-seen', 'after-findings', 'before-commit', 'after-commit'],
];
const counts = [1, 2, 3, 4, 5];
/** Enough that no run comes to the end before it is killed. */
const events = someEvents(360);
const untilMs = startMs + 1000 * minuteMs;

const children = new Set<ChildProcess>();
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});

/** The detector in a process of its own, made to die the `count`-th time it comes by `point`. */
function startChild(url: string, failpoint: string): ChildProcess {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'detector.child.ts')], {
    env: { PATH: process.env['PATH'], DATABASE_URL: url, FAILPOINT: failpoint },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

/** Lays the log down as if its events had come a minute apart. */
async function layLog(db: Awaited<ReturnType<typeof freshDatabase>>['db'], url: string): Promise<void> {
  const logger = createLogger({ service: 'test', level: 'silent' });
  const stream = connectStream({ config: loadConfig({ DATABASE_URL: url }, '/'), db, logger, clock: systemClock });
  await stream.ensureTopics([
    { topic: topics.events, partitions: 1, retentionMs: 10 ** 12, maxRecordBytes: 100_000 },
    { topic: topics.deadLetters, partitions: 1, retentionMs: 10 ** 12, maxRecordBytes: 100_000 },
  ]);
  await stream.append(
    toRecords({ events }).map(({ topic, key, headers, value }) => ({ topic, key, headers, value: value! })),
  );
  await db.pool.query('UPDATE log SET appended_at_ms = $1 + "offset" * $2', [startMs, minuteMs]);
  await stream.close();
}

/** An incident by what people see of it, named by its findings. */
type Seen = { findings: string[]; state: string; severity: string; version: number; title: string };

/** What a sequential run in memory says must stand at the end. */
function oracle() {
  const configured = rules.map((rule) => configureRule(rule));
  const snapshot = { logTimeMs: 0, engineRows: [], timers: [], seen: [] };
  const engine = createEngine({ rules: configured, learningDays: 0 }, snapshot);
  const { verdicts, lookUps } = runBatch(
    engine,
    { records: toRecords({ events }), caughtUpAtMs: untilMs },
    createKept().read,
  );
  const joining = createJoining([]);
  const incidentOf = new Map<string, OpenIncident>();
  const withdrawn = new Set<string>();
  for (const verdict of verdicts) {
    if (verdict.kind === 'found') incidentOf.set(verdict.finding.id, joining.find(verdict.finding));
    else if (verdict.kind === 'reinstated') {
      const { id } = verdict.finding;
      if (withdrawn.delete(id)) joining.reinstate(incidentOf.get(id)!, verdict.finding);
    } else {
      const { findingId } = verdict.withdrawal;
      if (joining.withdraw(incidentOf.get(findingId)!, verdict.withdrawal)) withdrawn.add(findingId);
    }
  }
  const incidents = [...joining.incidents].map((incident): Seen => {
    const findings = [...incidentOf].filter(([, of]) => of === incident).map(([id]) => id);
    const { state, severity, version, title } = incident;
    return { findings: findings.sort(), state, severity, version, title };
  });
  return standing(
    [...incidentOf.keys()].map((id) => ({ id, withdrawn: withdrawn.has(id) })),
    incidents,
    [
      ...[...incidentOf.keys()].map((id) => `remediate:${id}`),
      ...lookUps.map(({ lookup }) => `look-up:${lookup.id}`),
      ...incidents.flatMap(({ findings }) => [`tell-slack:${findings[0]}`, `tell-pagerduty:${findings[0]}`]),
    ],
    joining.story.length,
  );
}

async function inPostgres(pool: Pool) {
  const findings = await pool.query('SELECT id, withdrawn_at IS NOT NULL AS withdrawn, incident FROM findings');
  const { rows } = await pool.query('SELECT id, state, severity, version, title FROM incidents');
  const nameOf = new Map<string, string>();
  const incidents = rows.map(({ id, ...incident }): Seen => {
    const own = findings.rows.filter((finding) => finding.incident === id).map((finding) => finding.id as string);
    nameOf.set(id, own.sort()[0]!);
    return { findings: own, ...incident };
  });
  const jobs = await pool.query<{ key: string }>('SELECT key FROM graphile_worker.jobs');
  const story = await pool.query('SELECT count(*)::int FROM incident_events');
  return standing(
    findings.rows.map(({ id, withdrawn }) => ({ id, withdrawn })),
    incidents,
    jobs.rows.map(({ key }) => key.replace(/INC-\d+/, (id) => nameOf.get(id)!)),
    story.rows[0].count,
  );
}

function standing(findings: { id: string; withdrawn: boolean }[], incidents: Seen[], jobs: string[], story: number) {
  const byText = (a: object, b: object) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
  return { findings: findings.sort(byText), incidents: incidents.sort(byText), jobs: jobs.sort(), story };
}

test('killed with -9 at 60 points between read and commit, the detector ends where the oracle says', async () => {
  const expected = oracle();
  expect(expected.findings.length).toBeGreaterThan(100);
  expect(expected.findings.filter(({ withdrawn }) => withdrawn).length).toBeGreaterThan(10);
  const all = counts.flatMap((count) => points.map((point) => `detector.${point}:${count}`));
  const lanes = [0, 1].map((lane) => all.filter((_, place) => place % 2 === lane));

  await Promise.all(
    lanes.map(async (failpoints) => {
      const { db, url, close } = await freshDatabase();
      await layLog(db, url);
      for (const failpoint of failpoints) {
        const [code, signal] = await once(startChild(url, failpoint), 'exit');
        expect([failpoint, code, signal]).toEqual([failpoint, null, 'SIGKILL']);
      }
      const position = async () => {
        const { rows } = await db.pool.query(
          'SELECT next::int, (SELECT count(*)::int FROM timers) AS timers FROM positions',
        );
        return rows[0];
      };
      // The log was not at its end when the last one was killed, so every kill came amid work.
      expect((await position()).next).toBeLessThan(events.length);
      const last = startChild(url, '');
      await expect.poll(position, { timeout: 30_000, interval: 50 }).toEqual({ next: events.length, timers: 0 });
      last.kill('SIGKILL');
      await once(last, 'exit');
      expect(await inPostgres(db.pool)).toEqual(expected);
      await close();
    }),
  );
}, 180_000);
