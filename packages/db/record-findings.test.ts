import type { Finding } from '@tripline/contracts/finding';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { recordFindings, someFinding } from '../../test/faults/recorded-findings.ts';
import { freshDatabase } from '../../test/setup/postgres.ts';
import { acknowledge, listIncidents } from './incidents.ts';
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
