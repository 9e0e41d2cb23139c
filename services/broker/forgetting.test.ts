import type { Db } from '@tripline/db/database';
import { endGrants } from '@tripline/db/end-grants';
import { inTransaction } from '@tripline/db/transaction';
import { type Clock, systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { addGrant, grantStates, startMs } from '@tripline/testing/services/broker-grants';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startForgetting } from './forgetting.ts';
import { forget } from './store/forgetting.ts';
import { keepLink } from './store/links.ts';

const dayMs = 24 * 3_600_000;
let fresh: Awaited<ReturnType<typeof freshDatabase>>;
let db: Db;
beforeAll(async () => {
  fresh = await freshDatabase();
  db = fresh.as('broker');
});
afterAll(() => fresh.close());
beforeEach(() => fresh.db.pool.query('TRUNCATE access_credentials, access_grants, access_ends, access_spent'));

async function ended(id: string, daysAgo: number, state = 'dead'): Promise<void> {
  await addGrant(db, { id, keys: { run: id, job: `${id}/job` } });
  const atMs = startMs - daysAgo * dayMs;
  await inTransaction(db, (client) => endGrants(client, { grants: [id] }, { why: 'job-ended', atMs }));
  await db.pool.query(
    `UPDATE access_credentials SET state = $2, dead_at = CASE WHEN $2 = 'dead' THEN now() END, sealed = NULL WHERE grant_id = $1`,
    [id, state],
  );
}

test('what ended long ago is deleted with its credentials; what lives, or may live, stays however old it is', async () => {
  await ended('old', 90.1);
  await ended('lost', 90.1, 'lost');
  await ended('young', 89.9);
  await ended('stuck', 400, 'stuck');
  await addGrant(db, { id: 'live', keys: { run: 'live', job: 'live/job' }, askedAtMs: startMs - 400 * dayMs });
  await forget(db, { nowMs: startMs, grantsKeptMs: 90 * dayMs });
  expect(await grantStates(db)).toEqual({
    live: 'live',
    stuck: 'stuck job-ended',
    young: 'dead job-ended',
  });
});

test('thousands are deleted by index, some at a time', async () => {
  await fresh.db.pool.query(
    `INSERT INTO access_grants (id, workspace, policy, policy_sha256, tier, job_key, run_key, job, until, on_incident, longest_until, ending_at, ending_why)
     SELECT 'g' || n, 'acme', 'deploy', repeat('a', 64), 'production', 'j' || n, 'r' || n, '{}', 'job', 'atOnce', now(), $1, 'job-ended'
     FROM generate_series(1, 2500) n`,
    [new Date(startMs - 91 * dayMs)],
  );
  let pauses = 0;
  const clock: Clock = {
    nowMs: () => startMs,
    pause: async (ms, signal) => {
      pauses += 1;
      // The minute after a start is over at once.
      if (pauses > 1) await systemClock.pause(ms, signal);
    },
  };
  const forgetting = startForgetting(
    { db, clock, logger: createLogger({ service: 'test', level: 'silent' }) },
    90 * dayMs,
  );
  try {
    await expect
      .poll(async () => (await db.pool.query('SELECT FROM access_grants')).rowCount, { timeout: 10_000 })
      .toBe(0);
  } finally {
    await forgetting.close();
  }
  const plan = await inTransaction(db, async (client) => {
    await client.query('SET LOCAL enable_seqscan = off');
    return client.query('EXPLAIN SELECT id FROM access_grants WHERE ending_at < now() ORDER BY ending_at LIMIT 1000');
  });
  expect(JSON.stringify(plan.rows)).toContain('access_grants_by_end');
});

test('tokens that expired and ends of long ago are forgotten, and no others', async () => {
  const daysMs = 24 * 3_600_000;
  const at = (ms: number) => new Date(startMs + ms);
  for (const [sha, expires] of [
    ['a', at(-7_200_000)],
    ['b', at(-60_000)],
  ] as const)
    await db.pool.query('INSERT INTO access_spent VALUES ($1, $2, $3)', ['issuer', sha.repeat(64), expires]);
  for (const [key, heard] of [
    ['old', at(-3.1 * daysMs)],
    ['young', at(-2.9 * daysMs)],
  ] as const)
    await db.pool.query('INSERT INTO access_ends VALUES ($1, $2, $2)', [key, heard]);
  await forget(db, { nowMs: startMs, grantsKeptMs: 90 * dayMs });
  expect((await db.pool.query('SELECT token_sha256 FROM access_spent')).rows).toEqual([
    { token_sha256: 'b'.repeat(64) },
  ]);
  expect((await db.pool.query('SELECT key FROM access_ends')).rows).toEqual([{ key: 'young' }]);
});

test('prompts, and passkeys and links that count for nothing, are forgotten after 40 days, and no others', async () => {
  const agoMs = (days: number) => new Date(startMs - days * 24 * 3_600_000);
  for (const [id, asked] of [
    ['old', agoMs(40.1)],
    ['young', agoMs(39.9)],
  ] as const)
    await db.pool.query(
      `INSERT INTO access_step_ups (id, workspace, binding, asked, shown, number, state, asked_at, expires_at)
       VALUES ($1, 'acme', $2, $1, '{}', '0815', 'closed', $3, $3)`,
      [id, 'a'.repeat(64), asked],
    );
  const passkey = (id: string, made: Date, more: { confirmed?: Date; denied?: Date }) =>
    db.pool.query(
      `INSERT INTO access_passkeys (id, workspace, confirm_key, instance, account_id, account_name, public_key, counter, made_at,
         confirmed_by, confirmed_at, ended_at)
       VALUES ($1, 'acme', $1, 'github.com', '11', 'ada', '', 0, $2, $3, $4, $5)`,
      [id, made, more.confirmed === undefined ? null : '{}', more.confirmed, more.denied],
    );
  const end = (proof: string, at: Date) =>
    fresh.db.pool.query(`INSERT INTO access_proof_ends VALUES ($1, '{}', 'lost', $2)`, [proof, at]);
  await passkey('counts', agoMs(400), { confirmed: agoMs(400) });
  await passkey('unconfirmed', agoMs(41), {});
  await passkey('waits', agoMs(0.5), {});
  await passkey('denied', agoMs(41), { denied: agoMs(41) });
  await passkey('ended', agoMs(400), { confirmed: agoMs(400) });
  await end('ended', agoMs(41));
  await passkey('ended lately', agoMs(400), { confirmed: agoMs(400) });
  await end('ended lately', agoMs(39));
  const link = (subject: string, made: Date) =>
    keepLink(
      db,
      {
        ...{ workspace: 'acme', instance: 'github.com', account: { id: '11', name: 'ada' } },
        ...{ issuer: 'https://id.acme.example', subject, subjectName: null },
      },
      made.getTime(),
    );
  await link('of long ago', agoMs(41));
  await link('waits', agoMs(0.5));
  await link('counts', agoMs(400));
  await db.pool.query(`UPDATE access_links SET confirmed_by = '{}', confirmed_at = made_at WHERE subject = 'counts'`);
  await forget(db, { nowMs: startMs, grantsKeptMs: 90 * dayMs });
  const idsOf = async (sql: string) => (await db.pool.query<{ id: string }>(sql)).rows.map(({ id }) => id);
  expect(await idsOf('SELECT id FROM access_step_ups')).toEqual(['young']);
  expect(await idsOf('SELECT id FROM access_passkeys ORDER BY id')).toEqual(['counts', 'ended lately', 'waits']);
  expect(await idsOf('SELECT proof AS id FROM access_proof_ends')).toEqual(['ended lately']);
  expect(await idsOf('SELECT subject AS id FROM access_links ORDER BY subject')).toEqual(['counts', 'waits']);
});

/** A request that was answered, extended and ended `daysAgo`, or in whichever state. */
async function request(id: string, daysAgo: number, state = 'ended'): Promise<void> {
  const at = new Date(startMs - daysAgo * dayMs);
  const isOver = ['ended', 'denied', 'expired'].includes(state);
  const { pool } = fresh.db;
  await pool.query(
    `INSERT INTO access_requests (id, workspace, repository, permission, grantee, for_ms, reason, asked_by, asked_at)
     VALUES ($1, 'acme', 'acme/api', 'maintain', 'ada', 60000, 'INC-12', '{"name":"ada"}', $2)`,
    [id, at],
  );
  await pool.query(
    `INSERT INTO access_rights (request, state, due_at, over_at, policy, owner, repository_id, repository, grantee_id, grantee, former, given_until,
       ending_why)
     VALUES ($1, $2, $3, $4, 'fixing', 'acme', '74', 'acme/api', $1, 'ada', 'none', $3, 'by-hand')`,
    [id, state, at, isOver ? at : null],
  );
  await pool.query(`INSERT INTO access_request_ends VALUES ($1, '{"name":"ada"}', $2)`, [id, at]);
  await pool.query(
    `INSERT INTO access_extensions VALUES ($1 || '/more', $1, 60000, 'not done', '{"name":"ada"}', $2)`,
    [id, at],
  );
  await pool.query(`INSERT INTO access_extension_answers VALUES ($1 || '/more', 'given', '{}', NULL, $2)`, [id, at]);
}

test('requests of people that were over long ago are deleted with all that was said of them, and none that stands', async () => {
  await request('old', 90.1);
  await request('denied', 90.1, 'denied');
  await request('expired', 90.1, 'expired');
  await request('young', 89.9);
  await request('given', 400, 'given');
  await request('ending', 400, 'ending');
  await forget(db, { nowMs: startMs, grantsKeptMs: 90 * dayMs });
  const kept = ['ending', 'given', 'young'];
  for (const [table, column, suffix] of [
    ['access_requests', 'id', ''],
    ['access_rights', 'request', ''],
    ['access_request_ends', 'request', ''],
    ['access_extensions', 'id', '/more'],
    ['access_extension_answers', 'extension', '/more'],
  ] as const) {
    const { rows } = await db.pool.query<{ id: string }>(`SELECT ${column} AS id FROM ${table} ORDER BY 1`);
    expect(rows.map(({ id }) => id)).toEqual(kept.map((one) => one + suffix));
  }
  // However short the house keeps things: while a prompt is kept, its request is, whose id it answers.
  await forget(db, { nowMs: startMs - 50 * dayMs, grantsKeptMs: dayMs });
  expect((await db.pool.query('SELECT FROM access_requests')).rowCount).toBe(3);
});
