import type { Db } from '@tripline/db/database';
import { addToOutbox } from '@tripline/db/outbox';
import { inTransaction } from '@tripline/db/transaction';
import type { HourCounts } from '../usual-rate.ts';

/** How much a feed tells a workspace. Times in ms. Field docs: migrations/*_feed_watch.sql. */
export type Watched = {
  workspace: string;
  feed: string;
  begunMs: number;
  lastMs: number | null;
  counts: HourCounts;
  silent: Silent | null;
};
export type Silent = {
  silence: 'below-usual' | 'deliveries-missing' | 'never-seen' | 'not-readable' | 'hook-deleted';
  sinceMs: number;
};

/** Workspaces of which the trail has anything, by jumps along its index; Tripline's own and drills are left to the caller. */
export async function workspacesInTrail(db: Db, most: number): Promise<string[]> {
  const { rows } = await db.pool.query<{ workspace: string }>(
    `WITH RECURSIVE known AS (
       SELECT (SELECT min(workspace) FROM trail) AS workspace, 1 AS nth
       UNION ALL
       SELECT (SELECT min(t.workspace) FROM trail t WHERE t.workspace > known.workspace), nth + 1
       FROM known WHERE known.workspace IS NOT NULL AND nth < $1)
     SELECT workspace FROM known WHERE workspace IS NOT NULL`,
    [most],
  );
  return rows.map(({ workspace }) => workspace);
}

/** Has a row for each feed of the workspace. Answers what is known of them. */
export async function watch(
  db: Db,
  { workspace, feeds, nowMs }: { workspace: string; feeds: readonly string[]; nowMs: number },
): Promise<Watched[]> {
  await db.pool.query(
    `INSERT INTO feed_watch (workspace, feed, begun_at) SELECT $1, f, $3 FROM unnest($2::text[]) AS f ON CONFLICT DO NOTHING`,
    [workspace, feeds, new Date(nowMs)],
  );
  const { rows } = await db.pool.query<{
    feed: string;
    begun_at: Date;
    last_at: Date | null;
    counts: Record<string, number>;
    silence: Silent['silence'] | null;
    silent_since: Date | null;
  }>(`SELECT * FROM feed_watch WHERE workspace = $1 AND feed = ANY ($2)`, [workspace, feeds]);
  return rows.map((row) => ({
    ...{ workspace, feed: row.feed, begunMs: row.begun_at.getTime(), lastMs: row.last_at?.getTime() ?? null },
    counts: row.counts,
    silent: row.silence === null ? null : { silence: row.silence, sinceMs: row.silent_since!.getTime() },
  }));
}

/** Events of a workspace in the trail after `afterMs`, by feed and hour, with the append time of the newest. */
export async function countAfter(
  db: Db,
  { workspace, afterMs }: { workspace: string; afterMs: number },
): Promise<{ feed: string; hour: number; events: number; lastMs: number }[]> {
  const { rows } = await db.pool.query<{ feed: string; hour: number; events: number; last: Date }>(
    `SELECT split_part(event_id, ':', 1) AS feed, floor(extract(epoch FROM appended_at) / 3600)::int AS hour,
            count(*)::int AS events, max(appended_at) AS last
     FROM trail WHERE workspace = $1 AND appended_at > $2 AND event_id IS NOT NULL GROUP BY 1, 2`,
    [workspace, new Date(afterMs)],
  );
  return rows.map(({ last, ...row }) => ({ ...row, lastMs: last.getTime() }));
}

/**
 * Keeps what was counted, and what became of a silence: with it, one transaction, goes the event that says so. Another process
 * that counted the same meanwhile has moved `lastMs`, and nothing is kept.
 */
export function keepWatched(db: Db, before: Watched, after: Watched): Promise<boolean> {
  const { workspace, feed } = before;
  return inTransaction(db, async (client) => {
    const { rowCount } = await client.query(
      `UPDATE feed_watch SET last_at = $3, counts = $4, silence = $5, silent_since = $6
       WHERE workspace = $1 AND feed = $2 AND last_at IS NOT DISTINCT FROM $7 AND silence IS NOT DISTINCT FROM $8`,
      [
        ...[workspace, feed, after.lastMs === null ? null : new Date(after.lastMs), JSON.stringify(after.counts)],
        ...[after.silent?.silence ?? null, after.silent === null ? null : new Date(after.silent.sinceMs)],
        ...[before.lastMs === null ? null : new Date(before.lastMs), before.silent?.silence ?? null],
      ],
    );
    if (rowCount !== 1) return false;
    const isSame = before.silent?.silence === after.silent?.silence && before.silent?.sinceMs === after.silent?.sinceMs;
    if (isSame) return true;
    const said = (silence: Silent['silence'] | 'none', sinceMs: number) => ({
      id: `feed:${workspace}:${feed}:${silence}:${sinceMs}`,
      type: 'dev.cdeventsx.tripline-feed.silent' as const,
      workspace,
      data: {
        ...{ 'tripline.feed.name': feed, 'tripline.feed.silence': silence },
        'tripline.feed.silent_since': new Date(sinceMs).toISOString(),
      },
    });
    await addToOutbox(client, [
      ...(before.silent === null ? [] : [said('none', before.silent.sinceMs)]),
      ...(after.silent === null ? [] : [said(after.silent.silence, after.silent.sinceMs)]),
    ]);
    return true;
  });
}

/** Since when polled feeds cannot be read, by feed and target; those that limit the rate are left out. */
export async function failingPolls(
  db: Db,
): Promise<{ feed: string; target: string; sinceMs: number; isFinal: boolean }[]> {
  const { rows } = await db.pool.query<{ feed: string; target: string; since: Date; kind: string }>(
    `SELECT feed, target, failing_since AS since, failed_kind AS kind FROM feed_polls
     WHERE failing_since IS NOT NULL AND failed_kind <> 'rate-limited'`,
  );
  return rows.map(({ since, kind, ...row }) => ({ ...row, sinceMs: since.getTime(), isFinal: kind === 'give-up' }));
}

/** Webhooks with deliveries that GitHub could not make, and since when. */
export async function hooksMissing(db: Db): Promise<{ hook: string; sinceMs: number }[]> {
  const { rows } = await db.pool.query<{ hook: string; since: Date }>(
    'SELECT hook, min(first_failed_at) AS since FROM undelivered WHERE made_at IS NULL GROUP BY hook',
  );
  return rows.map(({ hook, since }) => ({ hook, sinceMs: since.getTime() }));
}

/** Webhooks that GitHub does not know any more, and since when. */
export async function hooksGone(db: Db): Promise<{ hook: string; sinceMs: number }[]> {
  const { rows } = await db.pool.query<{ hook: string; since: Date }>(
    'SELECT hook, gone_since AS since FROM hooks WHERE gone_since IS NOT NULL',
  );
  return rows.map(({ hook, since }) => ({ hook, sinceMs: since.getTime() }));
}
