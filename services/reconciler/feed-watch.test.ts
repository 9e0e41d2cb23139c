import { checkHealth } from '@tripline/health/health';
import { createLogger } from '@tripline/runtime/logger';
import { handClock } from '@tripline/testing/fakes/github-hook';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { makeTrailDays } from '@tripline/trail/trail';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFeedWatch } from './feed-watch.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** A Monday; the trail has partitions about now alone, so the weeks before are written as they were counted. */
const nowMs = Date.now();

let database: Awaited<ReturnType<typeof freshDatabase>>;
let time: ReturnType<typeof handClock>;
let watching: { close: () => Promise<void> };

beforeEach(async () => {
  database = await freshDatabase();
  time = handClock(nowMs);
  await makeTrailDays(database.db.pool, [{ appendedAtMs: nowMs }, { appendedAtMs: nowMs + dayMs }], new Set());
});
afterEach(async () => {
  await watching.close();
  await database.close();
});

function start(config: Partial<Parameters<typeof createFeedWatch>[0]['config']> = {}) {
  watching = createFeedWatch({
    ...{ config: { workspaces: [], ...config }, polls: [], db: database.as('reconciler'), clock: time.clock },
    logger: createLogger({ service: 'test', level: 'silent' }),
  });
}
let offset = 0;
async function hear(id: string, atMs: number): Promise<void> {
  offset += 1;
  await database.db.pool.query(
    `INSERT INTO trail (topic, partition, "offset", appended_at, event_id, event_type, workspace, key, headers, value, hash)
     VALUES ('events', 0, $1, $2, $3, 't', 'acme', 'acme', '{}', NULL, $4)`,
    [offset, new Date(atMs), id, Buffer.alloc(32)],
  );
}
const said = async () =>
  (await database.db.pool.query('SELECT workspace, data FROM outbox ORDER BY id')).rows.map(({ workspace, data }) => [
    workspace,
    data['tripline.feed.name'],
    data['tripline.feed.silence'],
  ]);
const silences = async () =>
  (await checkHealth(database.as('cli'), { workspaces: [] })).filter(({ name }) => name.startsWith('silence'));

test('a feed that usually tells is said to be silent once, shown by doctor, and said to tell again', async () => {
  await hear('github:1', nowMs - hourMs);
  const hours: Record<string, number> = {};
  for (let hour = 0; hour < 35 * 24; hour += 1) hours[Math.floor(nowMs / hourMs) - 1 - hour] = 30;
  await database.db.pool.query(
    `INSERT INTO feed_watch (workspace, feed, begun_at, last_at, counts) VALUES ('acme', 'github', $1, $2, $3)`,
    [new Date(nowMs - 40 * dayMs), new Date(nowMs - 2 * hourMs), JSON.stringify(hours)],
  );
  start();
  await time.move(6 * 60_000);
  expect(await said()).toEqual([]);
  expect(await silences()).toMatchObject([{ state: 'ok' }]);
  await time.move(4 * hourMs);
  await time.move(hourMs);
  expect(await said()).toEqual([['acme', 'github', 'below-usual']]);
  expect(await silences()).toMatchObject([{ name: 'silence of github in acme', state: 'broken' }]);
  await hear('github:2', nowMs + 5 * hourMs);
  await time.move(10 * 60_000);
  expect(await said()).toEqual([
    ['acme', 'github', 'below-usual'],
    ['acme', 'github', 'none'],
  ]);
  expect(await silences()).toMatchObject([{ state: 'ok' }]);
});

test('a new workspace is learned, and no silence of it is known; its stream that never came is said after a day', async () => {
  await hear('github:1', nowMs - hourMs);
  start({ 'github-audit': { tokens: ['a token of the stream'] } });
  await time.move(23 * hourMs);
  expect(await said()).toEqual([]);
  const detail =
    'none of 2 feeds is silent; nothing came since they are watched of github in acme, github-audit in acme';
  expect(await silences()).toMatchObject([{ state: 'ok', detail }]);
  await time.move(2 * hourMs);
  expect(await said()).toEqual([['acme', 'github-audit', 'never-seen']]);
});

test('a polled feed that a person must fix, and deliveries that nobody could make, are said after an hour', async () => {
  const since = new Date(nowMs - 2 * hourMs);
  await database.db.pool.query(
    `INSERT INTO hooks (hook, holder, held_until) VALUES ('org:acme/1', gen_random_uuid(), $1)`,
    [since],
  );
  await database.db.pool.query(
    `INSERT INTO undelivered (hook, guid, attempt, event, first_failed_at, last_failed_at, status_code, due_at)
     VALUES ('org:acme/1', 'g', '1', 'push', $1, $1, 502, $1)`,
    [since],
  );
  const organizations = [{ login: 'acme' }];
  start({ workspaces: [{ id: 'acme', github: { organizations } }] });
  await time.move(6 * 60_000);
  expect(await said()).toEqual([['acme', 'github', 'deliveries-missing']]);
});

test('a webhook that the provider does not know any more is said to be deleted, and to tell again once it is back', async () => {
  await database.db.pool.query(
    `INSERT INTO hooks (hook, holder, held_until, looked_until, failed_at, failed_reason, gone_since)
     VALUES ('org:acme/1', gen_random_uuid(), $1, $1, $1, 'GitHub answered 404', $1)`,
    [new Date(nowMs)],
  );
  start({ workspaces: [{ id: 'acme', github: { organizations: [{ login: 'acme' }] } }] });
  await time.move(10 * 60_000);
  expect(await said()).toEqual([]);
  await time.move(15 * 60_000);
  expect(await said()).toEqual([['acme', 'github', 'hook-deleted']]);
  expect(await silences()).toMatchObject([
    { state: 'broken', detail: expect.stringMatching(/^it has no webhook any more, as the provider answers, since /) },
  ]);
  await database.db.pool.query('UPDATE hooks SET gone_since = NULL');
  await time.move(6 * 60_000);
  expect(await said()).toEqual([
    ['acme', 'github', 'hook-deleted'],
    ['acme', 'github', 'none'],
  ]);
});
