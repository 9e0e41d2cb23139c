import { type FreshDatabase, freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listFindings, readFinding } from './findings.ts';
import { readIncident } from './incidents.ts';

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
  await database.db.pool.query(
    `INSERT INTO incidents (id, workspace, severity, title) VALUES ('INC-1', 'acme', 'high', 'a title')`,
  );
});
afterAll(() => database.close());

const evidence = [
  { eventId: 'e1', eventType: 'pipeline-run.started', time: '2026-11-23T10:00:00Z', what: 'ran', url: 'https://x/1' },
];

/** Finding number n: an hour younger than n - 1; every third is silenced, every fourth retracted. */
async function insert(n: number, rule: string, workspace: string): Promise<string> {
  const id = String(n).padStart(64, '0');
  await database.db.query
    .insertInto('findings')
    .values({
      id,
      incident: n % 3 === 0 ? null : 'INC-1',
      silenced_by: n % 3 === 0 ? 'a silence' : null,
      rule,
      workspace,
      subject: 'acme/app',
      occasion: String(n),
      severity: 'high',
      confidence: 'medium',
      title: `finding ${n}`,
      summary: 'what happened',
      deciding_event: 'e1',
      occurred_at: new Date('2026-11-23T10:00:00Z'),
      detected_at: new Date('2026-11-23T10:00:01Z'),
      recorded_at: new Date(Date.parse('2026-11-23T00:00:00Z') + n * 3_600_000),
      evidence: JSON.stringify(evidence),
      entities: JSON.stringify([{ kind: 'user', id: 'ada' }]),
      response: JSON.stringify([
        { action: 'stop-run', provider: 'github', instance: 'github.com', repository: 'acme/app', runId: '7' },
      ]),
      remedy: JSON.stringify(['look']),
      silence: 'silences: …',
      attack: ['T1195'],
      attack_version: '19',
      owasp: ['CICD-SEC-4'],
      withdrawn_at: n % 4 === 0 ? new Date('2026-11-23T12:00:00Z') : null,
      withdrawn_reason: n % 4 === 0 ? 'reviewed after all' : null,
    })
    .execute();
  return id;
}
const numbers = (found: { occasion: string }[]) => found.map(({ occasion }) => Number(occasion));

test('a finding is read as it was written, with what became of it', async () => {
  const id = await insert(1, 'rule-a', 'acme');
  expect(await readFinding(database.db, id)).toEqual({
    id,
    rule: 'rule-a',
    severity: 'high',
    confidence: 'medium',
    workspace: 'acme',
    subject: 'acme/app',
    occasion: '1',
    title: 'finding 1',
    summary: 'what happened',
    decidingEvent: 'e1',
    occurredAt: '2026-11-23T10:00:00.000Z',
    detectedAt: '2026-11-23T10:00:01.000Z',
    recordedAt: '2026-11-23T01:00:00.000Z',
    evidence,
    entities: [{ kind: 'user', id: 'ada' }],
    response: [{ action: 'stop-run', provider: 'github', instance: 'github.com', repository: 'acme/app', runId: '7' }],
    remedy: ['look'],
    silence: 'silences: …',
    attack: ['T1195'],
    attackVersion: '19',
    owasp: ['CICD-SEC-4'],
    incident: 'INC-1',
    silencedBy: null,
    excepted: null,
    supersededBy: null,
    lowered: null,
    retracted: null,
  });
  expect(await readFinding(database.db, 'f'.repeat(64))).toBeUndefined();
});

test('findings come newest first, by rule, workspace, incident, time and number', async () => {
  await insert(2, 'rule-b', 'acme');
  await insert(3, 'rule-a', 'umbrella');
  await insert(4, 'rule-a', 'acme');
  const { db } = database;
  expect(numbers(await listFindings(db))).toEqual([4, 3, 2, 1]);
  expect(numbers(await listFindings(db, { rule: 'rule-a' }))).toEqual([4, 3, 1]);
  expect(numbers(await listFindings(db, { workspace: 'umbrella' }))).toEqual([3]);
  expect(numbers(await listFindings(db, { incident: 'INC-1' }))).toEqual([4, 2, 1]);
  expect(numbers(await listFindings(db, { since: new Date('2026-11-23T03:00:00Z') }))).toEqual([4, 3]);
  expect(numbers(await listFindings(db, { standing: true }))).toEqual([3, 2, 1]);
  expect(numbers(await listFindings(db, { limit: 1 }))).toEqual([4]);
  const [retracted, silenced] = await listFindings(db);
  expect(retracted!.retracted).toEqual({ at: '2026-11-23T12:00:00.000Z', reason: 'reviewed after all' });
  expect(silenced).toMatchObject({ incident: null, silencedBy: 'a silence' });
});

test('an incident is read with its findings, oldest first', async () => {
  expect(numbers((await readIncident(database.db, 'INC-1'))!.findings)).toEqual([1, 2, 4]);
  expect(await readIncident(database.db, 'INC-2')).toBeUndefined();
});
