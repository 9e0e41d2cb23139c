import type { Db } from '@tripline/db/database';
import { inTransaction } from '@tripline/db/transaction';
import { forgetPrompts, promptKeptMs } from './approvals.ts';
import { keptMs } from './ends.ts';
import { forgetLinks } from './links.ts';
import { forgetPasskeys } from './passkeys.ts';

/** Grants at once: whoever ends one meanwhile waits for no longer transaction. */
const atOnce = 1000;

/**
 * Deletes what is of no more use: tokens that expired, ends of which no job can ask any more, what people proved long ago, and grants
 * that ended `grantsKeptMs` ago and of which nothing is alive. What its provider did not say is dead stays, however old it is. So do
 * requests of people, once nothing more is done about them.
 */
export async function forget(db: Db, { nowMs, grantsKeptMs }: { nowMs: number; grantsKeptMs: number }): Promise<void> {
  // A token is refused by its own expiry a little later than it says, since clocks differ.
  await db.pool.query('DELETE FROM access_spent WHERE expires_at < $1', [new Date(nowMs - 3_600_000)]);
  await db.pool.query('DELETE FROM access_ends WHERE heard_at < $1', [new Date(nowMs - keptMs)]);
  await forgetPrompts(db, nowMs - promptKeptMs);
  await forgetLinks(db, nowMs - promptKeptMs);
  await forgetPasskeys(db, nowMs - promptKeptMs);
  for (let gone = atOnce; gone === atOnce; ) gone = await forgetGrants(db, nowMs - grantsKeptMs);
  // An approval is found by its request's id: whoever writes that anew, as the command line may, must find none. Nobody is asked after its end.
  const requestsKeptMs = Math.max(grantsKeptMs, promptKeptMs);
  for (let gone = atOnce; gone === atOnce; ) gone = await forgetRequests(db, nowMs - requestsKeptMs);
}

/** @returns how many it deleted, at most `atOnce`. Replicas may do so at once. */
async function forgetGrants(db: Db, endedBeforeMs: number): Promise<number> {
  return inTransaction(db, async (client) => {
    const { rows } = await client.query<{ id: string }>(
      `SELECT id FROM access_grants g
       WHERE ending_at < $1
         AND NOT EXISTS (SELECT FROM access_credentials c WHERE c.grant_id = g.id AND c.state NOT IN ('dead', 'lost'))
       ORDER BY ending_at LIMIT $2 FOR UPDATE SKIP LOCKED`,
      [new Date(endedBeforeMs), atOnce],
    );
    const grants = rows.map(({ id }) => id);
    await client.query('DELETE FROM access_credentials WHERE grant_id = ANY ($1)', [grants]);
    await client.query('DELETE FROM access_grants WHERE id = ANY ($1)', [grants]);
    return grants.length;
  });
}

/** With what was asked, answered and ended of them. What is still open or stands is kept. @returns how many it deleted, at most `atOnce`. */
async function forgetRequests(db: Db, overBeforeMs: number): Promise<number> {
  return inTransaction(db, async (client) => {
    const { rows } = await client.query<{ request: string }>(
      `SELECT request FROM access_rights WHERE over_at < $1 AND state IN ('ended', 'denied', 'expired')
       ORDER BY over_at LIMIT $2 FOR UPDATE SKIP LOCKED`,
      [new Date(overBeforeMs), atOnce],
    );
    const requests = [rows.map(({ request }) => request)];
    await client.query(
      'DELETE FROM access_extension_answers a USING access_extensions x WHERE a.extension = x.id AND x.request = ANY ($1)',
      requests,
    );
    await client.query('DELETE FROM access_extensions WHERE request = ANY ($1)', requests);
    await client.query('DELETE FROM access_request_ends WHERE request = ANY ($1)', requests);
    await client.query('DELETE FROM access_rights WHERE request = ANY ($1)', requests);
    await client.query('DELETE FROM access_requests WHERE id = ANY ($1)', requests);
    return rows.length;
  });
}
