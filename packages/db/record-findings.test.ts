import type { Finding } from '@tripline/contracts/finding';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { recordFindings, someFinding } from '../../test/faults/recorded-findings.ts';
import { freshDatabase } from '../../test/setup/postgres.ts';
import { acknowledge, listIncidents, readIncident } from './incidents.ts';
import { recordVerdicts } from './record-findings.ts';
import { inTransaction } from './transaction.ts';

let database: Awaited<ReturnType<typeof freshDatabase>>;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.close());

const hourMs = 3_600_000;
/** A finding about `persons`, which the log told `agoMs` ago: a detector may have hours to catch up on. */
function toldAgo(agoMs: number, subject: string, persons: readonly [string, ...string[]]): Finding {
  return {
    ...someFinding(subject, { person: persons[0] }),
    detectedAt: new Date(Date.now() - agoMs).toISOString(),
    entities: persons.map((id) => ({ kind: 'user', id })),
  };
}
async function incidentOf({ id }: Finding): Promise<string> {
  const { rows } = await database.db.pool.query<{ incident: string }>('SELECT incident FROM findings WHERE id = $1', [
    id,
  ]);
  return rows[0]!.incident;
}
const ada = { via: 'cli', id: 'ada', name: 'ada' } as const;

test('what joins or leaves an acknowledged incident leaves it acknowledged', async () => {
  const [first, second] = [toldAgo(3000, 'acknowledged', ['olivia']), toldAgo(2000, 'joins it', ['olivia'])];
  await recordFindings(database.db, [first]);
  const incident = await incidentOf(first);
  await acknowledge(database.db, incident, ada);
  const read = async () => (await listIncidents(database.db, { limit: 1000 })).find(({ id }) => id === incident);

  await recordFindings(database.db, [second]);
  expect(await incidentOf(second)).toBe(incident);
  expect(await read()).toMatchObject({ state: 'acknowledged', version: 3, acknowledged: { by: ada } });

  const withdrawal = (findingId: string) =>
    ({ kind: 'withdrawn', withdrawal: { findingId, reason: 'it was allowed', atMs: Date.now() } }) as const;
  await inTransaction(database.db, (client) => recordVerdicts(client, [withdrawal(first.id)], []));
  expect(await read()).toMatchObject({ state: 'acknowledged', version: 4, acknowledged: { by: ada } });
  await inTransaction(database.db, (client) => recordVerdicts(client, [withdrawal(second.id)], []));
  expect(await read()).toMatchObject({ state: 'resolved', resolved: { resolution: 'false' } });
});

test('a finding joins the incident that the log told of last, whatever was done to others meanwhile', async () => {
  const former = toldAgo(3 * hourMs, 'former', ['grace']);
  const later = toldAgo(2 * hourMs, 'later', ['mallory']);
  await recordFindings(database.db, [former]);
  await recordFindings(database.db, [later]);
  await acknowledge(database.db, await incidentOf(former), ada);

  const both = toldAgo(hourMs, 'both', ['grace', 'mallory']);
  await recordFindings(database.db, [both]);
  expect(await incidentOf(both)).toBe(await incidentOf(later));
});

test('a finding joins what the log told of within a day of it, however late somebody acts', async () => {
  const first = toldAgo(72 * hourMs, 'first of a backlog', ['heidi']);
  await recordFindings(database.db, [first]);
  await acknowledge(database.db, await incidentOf(first), ada);

  const soon = toldAgo(71 * hourMs, 'an hour later in the log', ['heidi']);
  const late = toldAgo(hourMs, 'days later in the log', ['heidi']);
  await recordFindings(database.db, [soon]);
  await recordFindings(database.db, [late]);
  expect(await incidentOf(soon)).toBe(await incidentOf(first));
  expect(await incidentOf(late)).not.toBe(await incidentOf(first));
});

const dayMs = 24 * hourMs;
async function readOf(finding: Finding) {
  const incident = await incidentOf(finding);
  const [listed] = (await listIncidents(database.db, { limit: 1000 })).filter(({ id }) => id === incident);
  return { ...listed!, story: (await readIncident(database.db, incident))! };
}
const graver = (finding: Finding, severity: Finding['severity']): Finding => ({ ...finding, severity });
const kinds = (read: Awaited<ReturnType<typeof readOf>>) => read.story.events.map(({ kind }) => kind);

test('a finding that is less grave than what somebody acknowledged pages nobody', async () => {
  const first = graver(toldAgo(3000, 'acknowledged as high', ['peggy']), 'high');
  await recordFindings(database.db, [first]);
  await acknowledge(database.db, await incidentOf(first), ada);
  await recordFindings(database.db, [graver(toldAgo(2000, 'a medium one', ['peggy']), 'medium')]);
  const read = await readOf(first);
  expect(read).toMatchObject({ state: 'acknowledged', severity: 'high', pageGeneration: 0 });
  expect(kinds(read)).not.toContain('paged');
});

test('a finding as grave as what was acknowledged pages anew, once until somebody answers that page', async () => {
  const first = graver(toldAgo(5000, 'high', ['trudy']), 'high');
  await recordFindings(database.db, [first]);
  const incident = await incidentOf(first);
  await acknowledge(database.db, incident, ada);
  for (const subject of ['as grave', 'as grave too']) {
    await recordFindings(database.db, [graver(toldAgo(4000, subject, ['trudy']), 'high')]);
    expect(await readOf(first)).toMatchObject({ state: 'acknowledged', acknowledged: { by: ada }, pageGeneration: 1 });
  }
  const bob = { ...ada, id: 'bob', name: 'bob' };
  expect(await acknowledge(database.db, incident, bob)).toMatchObject({ changed: true });
  expect(await acknowledge(database.db, incident, ada)).toMatchObject({
    changed: false,
    incident: { acknowledged: { by: bob } },
  });
  await recordFindings(database.db, [graver(toldAgo(3000, 'once more', ['trudy']), 'high')]);
  expect(await readOf(first)).toMatchObject({ state: 'acknowledged', pageGeneration: 2 });
});

test('what becomes critical pages anew, and is nobody’s any more', async () => {
  const first = graver(toldAgo(5000, 'medium at first', ['wendy']), 'medium');
  await recordFindings(database.db, [first]);
  await recordFindings(database.db, [graver(toldAgo(4500, 'high while nobody has it', ['wendy']), 'high')]);
  expect(await readOf(first)).toMatchObject({ state: 'open', severity: 'high', pageGeneration: 1 });
  await acknowledge(database.db, await incidentOf(first), ada);
  await recordFindings(database.db, [graver(toldAgo(4000, 'critical', ['wendy']), 'critical')]);
  const read = await readOf(first);
  expect(read).toMatchObject({ state: 'open', severity: 'critical', acknowledged: null, pageGeneration: 2 });
  expect(read.story.events.at(-1)).toMatchObject({ kind: 'paged', detail: { former: 'high', severity: 'critical' } });
});

test('joining ends seven days after an incident was opened, however busy it is', async () => {
  const told = Array.from({ length: 9 }, (_, day) => toldAgo((10 - day) * dayMs, `day ${day}`, ['busy']));
  for (const finding of told) await recordFindings(database.db, [finding]);
  const incidents = await Promise.all(told.map(incidentOf));
  expect(new Set(incidents.slice(0, 8)).size).toBe(1);
  expect(incidents[8]).not.toBe(incidents[7]);
});

test.each(['merge-bot[bot]', 'web-flow', 'github-actions[bot]', 'Ghost'])('%s joins nothing', async (account) => {
  const [first, second] = [toldAgo(3000, `${account} 1`, [account]), toldAgo(2000, `${account} 2`, [account])];
  await recordFindings(database.db, [first]);
  await recordFindings(database.db, [second]);
  expect(await incidentOf(second)).not.toBe(await incidentOf(first));
});

test('growth is counted beyond what the story names', async () => {
  const told = Array.from({ length: 205 }, (_, n) => toldAgo(5000 - n, `one of many ${n}`, ['flood']));
  await recordFindings(database.db, told);
  const read = await readOf(told[0]!);
  expect(read.story.findingCount).toBe(205);
  expect(new Set(await Promise.all([0, 100, 204].map((n) => incidentOf(told[n]!)))).size).toBe(1);
  expect(kinds(read).filter((kind) => kind === 'joined')).toHaveLength(199);
});
