import { checkHealth } from '@tripline/health/health';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { readDeliverySummaries, readUnknownOrganizations } from './delivery-summaries.ts';
import { listReceived, type Received } from './received.ts';
import { addToTrail, makeTrailDays, readTrailHead, type TrailRecord } from './trail.ts';

let fresh: Awaited<ReturnType<typeof freshDatabase>>;
beforeAll(async () => {
  fresh = await freshDatabase();
});
afterAll(() => fresh.close());
afterEach(() => fresh.db.pool.query('TRUNCATE trail, trail_heads, trail_bodies'));

const topic = 'tripline.events';
const startMs = Date.parse('2026-03-01T12:00:00Z');
const hourMs = 3_600_000;
const pushed = 'dev.cdeventsx.tripline-ref.pushed';

/** A record of the trail: number `offset` of its partition, an hour after the one before unless told otherwise. */
function record(offset: number, change: Partial<TrailRecord> & { data?: object; type?: string; id?: string } = {}) {
  const { data = { 'user.name': 'Mona', 'vcs.repository.name': 'acme/app' }, type = pushed, id, ...rest } = change;
  return {
    topic,
    partition: 0,
    offset,
    appendedAtMs: startMs + offset * hourMs,
    key: 'acme',
    headers: { ce_type: type, ce_id: id ?? `github:${rest.partition ?? 0}-${offset}`, ce_workspace: 'acme' },
    value: Buffer.from(JSON.stringify(data)),
    fault: null,
    ...rest,
  } satisfies TrailRecord;
}

function summary(offset: number, recent: object[], counts: object[], change: Partial<TrailRecord> = {}): TrailRecord {
  const type = 'dev.cdeventsx.tripline-deliveries.summarized';
  return {
    ...record(offset, { data: { 'tripline.deliveries.counts': counts, 'tripline.deliveries.recent': recent } }),
    key: '@receiver',
    headers: { ce_type: type, ce_id: `receiver:${offset}`, ce_workspace: '@receiver' },
    ...change,
  };
}

async function write(records: readonly TrailRecord[]): Promise<void> {
  const { pool } = fresh.db;
  await makeTrailDays(pool, records, new Set());
  const client = await pool.connect();
  await client.query('BEGIN');
  const { topic, partition } = records[0]!;
  await addToTrail(client, await readTrailHead(client, topic, partition), records);
  await client.query('COMMIT');
  client.release();
}

const list = (filter: Parameters<typeof listReceived>[1] = {}) => listReceived(fresh.db, filter);
const ids = (received: Received[]) => received.map(({ id }) => id);
const at = (hours: number) => new Date(startMs + hours * hourMs).toISOString();

describe('what was received', () => {
  test('newest first, across partitions and days, at most so many', async () => {
    await write(Array.from({ length: 30 }, (_, offset) => record(offset * 2)));
    await write(
      Array.from({ length: 30 }, (_, offset) =>
        record(offset, { partition: 1, appendedAtMs: startMs + (offset * 2 + 1) * hourMs }),
      ),
    );
    expect(ids(await list({ limit: 4 }))).toEqual(['github:1-29', 'github:0-58', 'github:1-28', 'github:0-56']);
    const all = await list();
    expect(all).toHaveLength(60);
    expect(all.map((one) => one.at)).toEqual(
      all
        .map((one) => one.at)
        .toSorted()
        .reverse(),
    );
    expect(ids(await list({ since: new Date(startMs + 58 * hourMs) }))).toEqual(['github:1-29', 'github:0-58']);
    expect(await list({ since: new Date(startMs + 100 * hourMs) })).toEqual([]);
  });

  test('by who, where and what, also far back and in names of any form', async () => {
    const odd = 'ünï"\\c%_ode';
    await write([
      record(0, { data: { 'user.name': odd, 'vcs.repository.name': 'acme/app' } }),
      record(1, {
        type: 'dev.cdeventsx.tripline-grant.added',
        data: { 'user.name': 'EVE', 'vcs.repository.name': 'b/app' },
      }),
      ...Array.from({ length: 5000 }, (_, nth) => record(nth + 2, { appendedAtMs: startMs + hourMs + nth })),
    ]);
    expect(ids(await list({ actor: odd }))).toEqual(['github:0-0']);
    expect(ids(await list({ actor: 'eve' }))).toEqual(['github:0-1']);
    expect(ids(await list({ type: 'grant' }))).toEqual(['github:0-1']);
    expect(ids(await list({ repository: 'B/App' }))).toEqual(['github:0-1']);
    expect(ids(await list({ repository: 'app', actor: 'eve' }))).toEqual(['github:0-1']);
    expect(await list({ actor: 'ev' })).toEqual([]);
    expect(await list({ repository: 'pp' })).toEqual([]);
    expect(await list({ actor: '%' })).toEqual([]);
    expect(await list({ limit: 5001 })).toHaveLength(5001);
  });

  test('with what became of it: kept, repeated, faulty, ignored, refused', async () => {
    const bodySha = { ce_bodysha256: 'ab'.repeat(32) };
    const told = record(0);
    const again = record(1);
    const named = { source: 'github', outcome: 'ignored', reason: 'unknown-event', genuine: true };
    const stranger = { source: 'github', outcome: 'refused', reason: 'bad-signature', genuine: false };
    await write([
      { ...told, headers: { ...told.headers, ...bodySha } },
      { ...again, headers: { ...again.headers, ...bodySha } },
      record(2, { fault: 'header ce_time is no time', value: Buffer.from([0, 255]) }),
      summary(
        3,
        [
          { ...named, time: at(2.5), delivery: 'd-1', event: 'novelty', organization: 'acme' },
          { ...stranger, time: at(2.25) },
        ],
        [
          { source: 'github', outcome: 'ignored', reason: 'unknown-event', count: 1, lastAt: at(2.5) },
          { source: 'github', outcome: 'refused', reason: 'bad-signature', count: 1000, lastAt: at(2.75) },
        ],
      ),
    ]);
    const short = (await list()).map(({ state, why, count, id, workspace }) => [state, why, count, id, workspace]);
    expect(short).toEqual([
      ['refused', 'bad-signature', 999, null, null],
      ['ignored', 'unknown-event', 1, 'github:d-1', 'acme'],
      ['refused', 'bad-signature', 1, null, null],
      ['faulty', 'header ce_time is no time', 1, 'github:0-2', 'acme'],
      ['repeated', 'github:0-0', 1, 'github:0-1', 'acme'],
      ['kept', null, 1, 'github:0-0', 'acme'],
    ]);
    expect(new Set((await list()).map(({ feed }) => feed))).toEqual(new Set(['github']));
    expect((await list({ type: 'novel' })).map(({ why }) => why)).toEqual(['unknown-event']);
    expect((await list({ actor: 'mona' })).map(({ state }) => state)).toEqual(['repeated', 'kept']);
  });
});

test('what was ignored and refused, by reason, and which organisations nobody configured', async () => {
  const entry = (organization: string, hours: number, genuine = true) => ({
    ...{ source: 'github', outcome: 'ignored', reason: 'unknown-organization', genuine },
    ...{ time: at(hours), organization },
  });
  const count = (reason: string, count: number, hours: number) => ({
    ...{ source: 'github', outcome: 'refused', reason, count, lastAt: at(hours) },
  });
  await write([
    summary(0, [entry('long-ago', 0)], [count('bad-signature', 7, 0)]),
    summary(1, [entry('globex', 1), entry('initech', 1)], [count('bad-signature', 2, 1), count('too-deep', 1, 1)]),
    summary(2, [entry('globex', 2), entry('forged', 2, false)], [count('bad-signature', 3, 2)]),
    summary(3, [], [], { value: Buffer.from('no json'), fault: 'no JSON' }),
  ]);
  const since = new Date(startMs + hourMs / 2);
  expect(await readDeliverySummaries(fresh.db, since)).toEqual({
    since,
    summaries: [
      { source: 'github', outcome: 'refused', reason: 'bad-signature', count: 5, lastAt: at(2) },
      { source: 'github', outcome: 'refused', reason: 'too-deep', count: 1, lastAt: at(1) },
    ],
  });
  // Of more records than are read, the newest, and since when.
  expect(await readDeliverySummaries(fresh.db, since, 1)).toEqual({
    since: new Date(startMs + 2 * hourMs),
    summaries: [{ source: 'github', outcome: 'refused', reason: 'bad-signature', count: 3, lastAt: at(2) }],
  });
  expect(await readUnknownOrganizations(fresh.db, since)).toEqual([
    { organization: 'globex', lastAt: at(2) },
    { organization: 'initech', lastAt: at(1) },
  ]);
});

test('doctor shows what was not kept, and is red only where a genuine organisation is nobody’s', async () => {
  const told = async () =>
    (await checkHealth(fresh.db, { workspaces: [] })).filter(({ name }) => /^(deliveries|organization)/.test(name));
  const none = (outcome: 'ignored' | 'refused') => ({
    ...{ name: `deliveries ${outcome}`, state: 'ok', detail: 'none within the last day' },
  });
  expect(await told()).toEqual([none('ignored'), none('refused')]);
  const nowMs = Date.now();
  const lastAt = new Date(nowMs).toISOString();
  const refused = { source: 'github', outcome: 'refused', reason: 'bad-signature', count: 100_000, lastAt };
  const stranger = { source: 'github', outcome: 'refused', reason: 'bad-signature', genuine: false, time: lastAt };
  await write([summary(0, [stranger], [refused], { appendedAtMs: nowMs })]);
  expect(await told()).toEqual([
    none('ignored'),
    {
      ...{ name: 'deliveries refused', state: 'ok' },
      detail: expect.stringMatching(/^within the last day: 100000 bad-signature \(github, last \S+ \S+ UTC\)$/),
      remedy: expect.stringContaining('strangers cause them too'),
    },
  ]);
  const unknown = { source: 'github', outcome: 'ignored', reason: 'unknown-organization' };
  await write([
    summary(
      1,
      [{ ...unknown, genuine: true, time: lastAt, organization: 'globex' }],
      [{ ...unknown, count: 1, lastAt }],
      { appendedAtMs: nowMs },
    ),
  ]);
  expect((await told())[0]).toMatchObject({
    ...{ name: 'organization globex', state: 'broken' },
    remedy: expect.stringContaining('workspaces[].github.organizations'),
  });
});
