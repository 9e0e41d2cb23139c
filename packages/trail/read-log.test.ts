import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type KeptRecord, readLog, type Stretch } from './read-log.ts';
import { addToTrail, makeTrailDays, type TrailRecord } from './trail.ts';

let database: Awaited<ReturnType<typeof freshDatabase>>;
const topic = 'tripline.events';
const midnightMs = Date.parse('2026-03-02T00:00:00Z');
const types = ['dev.cdevents.change.merged', 'dev.cdeventsx.tripline-check.finished'];
/** Of three days, the middle one without records; more than one query's rows, and of odd values some. */
const records = Array.from({ length: 9001 }, (_, offset): TrailRecord => {
  const workspace = offset % 3 === 0 ? 'acme' : 'globex';
  return {
    ...{ topic, partition: 3, offset, fault: null },
    appendedAtMs: midnightMs + (offset - 4500) * 1000 + (offset < 8500 ? 0 : 2 * 86_400_000),
    key: `${workspace} 'ä'`,
    headers: { ce_id: `"ü" ${offset}`, ce_type: types[offset % 2]!, ce_workspace: workspace, z: "it's" },
    value: offset === 17 ? null : Buffer.from([offset & 255, 0, 255, offset >> 8]),
  };
});
/** What cannot be searched for by its type and workspace. */
records[20] = { ...records[20]!, headers: { ce_type: `${types[1]!}\0`, ce_workspace: 'acme' } };
records[21] = { ...records[21]!, headers: { ce_type: types[1]!, ce_workspace: 'ac\ud800me' } };
records[23] = { ...records[23]!, headers: {} };

beforeAll(async () => {
  database = await freshDatabase();
  const { pool } = database.db;
  await makeTrailDays(pool, [records[0]!, records.at(-1)!], new Set());
  const client = await pool.connect();
  await addToTrail(client, null, records);
  await addToTrail(client, null, [{ ...records[5]!, partition: 4 }]);
  client.release();
});
afterAll(() => database.close());

async function read(stretch: Partial<Stretch> = {}): Promise<KeptRecord[]> {
  const [from, to] = [new Date(midnightMs - 86_400_000), new Date(midnightMs + 5 * 86_400_000)];
  const all: KeptRecord[] = [];
  for await (const some of readLog(database.db, { ...{ topic, partition: 3, from, to }, ...stretch })) {
    expect(some.length).toBeGreaterThan(0);
    all.push(...some);
  }
  return all;
}
const kept = (of: readonly TrailRecord[]) => of.map(({ fault: _, ...record }) => record);

test('reads a partition in order, over days, as it was kept', async () => {
  expect(await read()).toEqual(kept(records));
  expect(await read({ partition: 5 })).toEqual([]);
});

test('reads what was taken in from a time on and before another, and one workspace alone', async () => {
  const [from, to] = [new Date(records[100]!.appendedAtMs), new Date(records[4700]!.appendedAtMs)];
  expect(await read({ from, to })).toEqual(kept(records.slice(100, 4700)));
  const globex = records.filter(({ headers }) => headers['ce_workspace'] === 'globex');
  expect(await read({ workspace: 'globex' })).toEqual(kept(globex));
});

test('of types that nobody reads it gives type and workspace alone, unless these cannot be searched for', async () => {
  const read0 = kept(records).map((record) => {
    const { ce_type = '', ce_workspace = '' } = record.headers;
    const isSpared = ce_type === types[1] && ce_workspace.isWellFormed();
    return isSpared ? { ...record, headers: { ce_type, ce_workspace }, value: null } : record;
  });
  expect(await read({ types: new Set([types[0]!, "it's"]) })).toEqual(read0);
  expect(read0.filter(({ value }) => value !== null).length).toBeGreaterThan(4000);
});

test('whoever stops reading leaves the connection to others', async () => {
  const from = new Date(midnightMs - 86_400_000);
  for await (const some of readLog(database.db, { topic, partition: 3, from, to: new Date() })) {
    expect(some[0]?.offset).toBe(0);
    break;
  }
  expect((await database.db.pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
});
