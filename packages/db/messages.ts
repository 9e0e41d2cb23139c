import type { Severity } from '@tripline/contracts/finding';
import type { IncidentState } from '@tripline/contracts/incident';
import { failpoint } from '@tripline/runtime/failpoint';
import type { Selectable } from 'kysely';
import type { PoolClient } from 'pg';
import type { Db } from './database.ts';
import { addIncidentEvent } from './incidents.ts';
import { addJob } from './jobs.ts';
import type { MessageKind, MessagesTables, Mode, SinkName } from './tables/messages.ts';
import { inTransaction } from './transaction.ts';

/** What one sink was told of one incident, or of the incidents of one digest, and what is under way. */
export type Telling = Selectable<MessagesTables['told']>;

/** A claim on a telling: whoever holds it may send. It runs out by itself, so that a crash blocks nobody for long. */
export type Claim = { telling: Telling; by: string };

/** What a message leaves behind in `told`. Absent fields stay as they are. */
export type Progress = {
  version: number;
  state?: IncidentState;
  story?: number;
  channel?: string;
  ts?: string;
  dedupKey?: string;
};

export type SentMessage = {
  kind: MessageKind;
  mode: Mode;
  body: Record<string, unknown>;
  possiblyRepeated: boolean;
};

/** Makes sure that the row for (incident, sink) is there. It counts as waiting until its first message. */
export async function enterTelling(db: Db, incident: string, sink: SinkName, mode: Mode): Promise<Telling> {
  await db.query
    .insertInto('told')
    .values({ incident, sink, mode })
    .onConflict((conflict) => conflict.columns(['incident', 'sink']).doNothing())
    .execute();
  return db.query
    .selectFrom('told')
    .selectAll()
    .where('incident', '=', incident)
    .where('sink', '=', sink)
    .executeTakeFirstOrThrow();
}

/** Claims a telling for `forMs`, or says how long (ms) somebody else's claim still holds. */
export async function claimTelling(
  db: Db,
  id: number,
  by: string,
  forMs: number,
): Promise<Claim | { busyForMs: number }> {
  const { rows } = await db.pool.query<Telling>(
    `UPDATE told SET claimed_by = $2, claimed_until = clock_timestamp() + $3 * interval '1 ms'
     WHERE id = $1 AND (claimed_until IS NULL OR claimed_until <= clock_timestamp()) RETURNING *`,
    [id, by, forMs],
  );
  if (rows[0] !== undefined) return { telling: rows[0], by };
  const busy = await db.pool.query<{ ms: number }>(
    `SELECT greatest(0, extract(epoch FROM claimed_until - clock_timestamp()) * 1000)::int AS ms FROM told WHERE id = $1`,
    [id],
  );
  return { busyForMs: busy.rows[0]?.ms ?? 0 };
}

/** Notes what is about to be sent, and renews the claim. False: the claim ran out and somebody else has it; send nothing. */
export async function noteIntent(db: Db, { telling, by }: Claim, intent: string, forMs: number): Promise<boolean> {
  const { rowCount } = await db.pool.query(
    `UPDATE told SET intent = $3, claimed_until = clock_timestamp() + $4 * interval '1 ms'
     WHERE id = $1 AND claimed_by = $2 AND claimed_until > clock_timestamp()`,
    [telling.id, by, intent, forMs],
  );
  return rowCount === 1;
}

/** Records a message that was sent: in the history, in the row that the next comparison reads, in the incident's story. */
export function recordSent(db: Db, claim: Claim, message: SentMessage, progress: Progress): Promise<Claim> {
  return inTransaction(db, async (client) => {
    const { telling } = claim;
    const updated = await client.query<Telling>(
      `UPDATE told SET mode = $2, version = $3, state = coalesce($4, state), story = greatest(story, $5),
         channel = coalesce($6, channel), ts = coalesce($7, ts), dedup_key = coalesce($8, dedup_key),
         told_at = clock_timestamp(), intent = NULL, failures = 0, failure = NULL
       WHERE id = $1 RETURNING *`,
      [
        telling.id,
        message.mode,
        progress.version,
        progress.state,
        progress.story ?? 0,
        progress.channel,
        progress.ts,
        progress.dedupKey,
      ],
    );
    failpoint('notifier.record-after-told');
    await client.query(
      `INSERT INTO messages (incident, telling, sink, kind, mode, version, possibly_repeated, body)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [
        telling.incident,
        telling.id,
        telling.sink,
        message.kind,
        message.mode,
        progress.version,
        message.possiblyRepeated,
        JSON.stringify(message.body),
      ],
    );
    if (telling.incident !== null && (message.kind === 'posted' || message.kind === 'trigger')) {
      await addIncidentEvent(client, {
        incident: telling.incident,
        kind: 'told',
        actor: { via: 'tripline', id: 'notifier', name: 'tripline' },
        detail: { sink: telling.sink, mode: message.mode },
      });
    }
    failpoint('notifier.record-before-commit');
    return { ...claim, telling: updated.rows[0]! };
  });
}

/** Nothing had to be sent for this version, or it was given up: the row moves on, with the reason where there is one. */
export async function recordSkipped(db: Db, claim: Claim, progress: Progress, failure?: string): Promise<Claim> {
  const { rows } = await db.pool.query<Telling>(
    `UPDATE told SET version = $2, story = greatest(story, $3), intent = NULL, failures = 0, failure = $4 WHERE id = $1 RETURNING *`,
    [claim.telling.id, progress.version, progress.story ?? 0, failure ?? null],
  );
  return { ...claim, telling: rows[0]! };
}

/** A call failed and is to be tried again. `unknown`: it may have been done all the same, so the intent stays noted. */
export async function recordFailure(db: Db, { telling }: Claim, reason: string, unknown: boolean): Promise<void> {
  await db.pool.query(
    `UPDATE told SET failures = failures + 1, failure = $2, intent = CASE WHEN $3 THEN intent END WHERE id = $1`,
    [telling.id, reason, unknown],
  );
}

export async function releaseClaim(db: Db, { telling, by }: Claim): Promise<void> {
  await db.pool.query('UPDATE told SET claimed_by = NULL, claimed_until = NULL WHERE id = $1 AND claimed_by = $2', [
    telling.id,
    by,
  ]);
}

/** Takes up again what was given up within a day: whoever starts the notifier anew may have mended what was wrong. */
export async function retryGivenUp(db: Db): Promise<void> {
  await db.pool.query(
    `UPDATE told SET version = 0, failure = NULL FROM incidents i
     WHERE told.incident = i.id AND told.failure IS NOT NULL AND told.version = i.version AND i.updated_at > clock_timestamp() - interval '1 day'`,
  );
}

export type Sweepable = { incident: string; sink: SinkName };

/**
 * Incidents that changed within a day, more than `graceMs` ago, and that a sink was not told of, with nobody at it: a
 * worker died with the job in its hands. Reads `incidents_changed`, so that old incidents cost nothing.
 */
export async function findUntold(db: Db, graceMs: number): Promise<Sweepable[]> {
  const { rows } = await db.pool.query<Sweepable>(
    `SELECT i.id AS incident, s.sink FROM incidents i CROSS JOIN (VALUES ('slack'), ('pagerduty')) AS s (sink)
     LEFT JOIN told t ON t.incident = i.id AND t.sink = s.sink
     WHERE i.updated_at BETWEEN clock_timestamp() - interval '1 day' AND clock_timestamp() - $1 * interval '1 ms'
       AND coalesce(t.version, 0) < i.version AND (t.claimed_until IS NULL OR t.claimed_until <= clock_timestamp())
     ORDER BY i.updated_at LIMIT 500`,
    [graceMs],
  );
  return rows;
}

/** One incident of a digest, as the digest tells it. */
export type FoldedIncident = {
  incident: string;
  title: string;
  severity: Severity;
  state: IncidentState;
  version: number;
  toldVersion: number;
  rules: string[];
};

/** A digest takes in what comes within this time of its start; what comes later opens the next one. */
const digestOpenMs = 3_600_000;
/** Any number that no other advisory lock of ours has. */
const foldLock = 7_261_454;

/**
 * When more than `above` incidents wait for their first message, folds all but the gravest `keep` into the open digest
 * (a new one where none is) and leaves the job that tells it. Incidents that somebody is posting just now, or that may
 * have been posted, are let be. Answers how many were folded.
 */
export function foldWaiting(db: Db, options: { above: number; keep: number; mode: Mode }): Promise<number> {
  const waiting = `t.sink = 'slack' AND t.version = 0 AND t.digest IS NULL AND t.incident IS NOT NULL AND t.told_at IS NULL`;
  return inTransaction(db, async (client) => {
    // Counted first without the lock: there is no storm nearly always.
    const count = `SELECT count(*) AS waiting FROM (SELECT 1 FROM told t WHERE ${waiting} LIMIT $1 + 1) AS counted`;
    const storm = async () =>
      (await client.query<{ waiting: number }>(count, [options.above])).rows[0]!.waiting > options.above;
    if (!(await storm())) return 0;
    await client.query('SELECT pg_advisory_xact_lock($1)', [foldLock]);
    if (!(await storm())) return 0;
    const open = await client.query<{ id: number }>(
      `SELECT id FROM told WHERE incident IS NULL AND mode = $1 AND created_at > clock_timestamp() - $2 * interval '1 ms'
       ORDER BY id DESC LIMIT 1`,
      [options.mode, digestOpenMs],
    );
    const digest =
      open.rows[0]?.id ??
      (
        await client.query<{ id: number }>(`INSERT INTO told (sink, mode) VALUES ('slack', $1) RETURNING id`, [
          options.mode,
        ])
      ).rows[0]!.id;
    const folded = await client.query(
      `UPDATE told SET digest = $1 WHERE id IN (
         SELECT t.id FROM told t JOIN incidents i ON i.id = t.incident
         WHERE ${waiting} AND t.intent IS NULL AND (t.claimed_until IS NULL OR t.claimed_until <= clock_timestamp())
         ORDER BY array_position(ARRAY['critical', 'high', 'medium', 'low'], i.severity), i.opened_at, t.id
         OFFSET $2 FOR UPDATE OF t)`,
      [digest, options.keep],
    );
    failpoint('notifier.fold-after-update');
    if ((folded.rowCount ?? 0) > 0) await addDigestJob(client, digest);
    failpoint('notifier.fold-before-commit');
    return folded.rowCount ?? 0;
  });
}

/** Leaves the job that brings a digest in step. A storm of calls is one job. */
export function addDigestJob(client: Pick<PoolClient, 'query'>, digest: number): Promise<void> {
  return addJob(client, 'tell-slack-digest', { digest }, { key: `tell-slack-digest:${digest}` });
}

/** The incidents of a digest, gravest first. */
export async function readFolded(db: Db, digest: number): Promise<FoldedIncident[]> {
  const { rows } = await db.pool.query<FoldedIncident>(
    `SELECT i.id AS incident, i.title, i.severity, i.state, i.version, t.version AS "toldVersion",
       ARRAY(SELECT DISTINCT f.rule FROM findings f WHERE f.incident = i.id ORDER BY f.rule) AS rules
     FROM told t JOIN incidents i ON i.id = t.incident WHERE t.digest = $1
     ORDER BY array_position(ARRAY['critical', 'high', 'medium', 'low'], i.severity), i.opened_at, i.id`,
    [digest],
  );
  return rows;
}

/** Records that a digest told these incidents, each at its version: every one of them has its own line in the history. */
export async function recordFolded(db: Db, claim: Claim, mode: Mode, folded: readonly FoldedIncident[]): Promise<void> {
  const digest = claim.telling;
  await db.pool.query(
    `WITH given AS (SELECT * FROM json_to_recordset($1::json) AS g (incident text, version int, state text)),
       moved AS (UPDATE told t SET version = g.version, state = g.state, mode = $2, told_at = clock_timestamp()
         FROM given g WHERE t.incident = g.incident AND t.digest = $3 AND t.version < g.version
         RETURNING t.id, t.incident, t.version)
     INSERT INTO messages (incident, telling, sink, kind, mode, version, body)
     SELECT incident, id, 'slack', 'folded', $2, version, $4::jsonb FROM moved`,
    [
      JSON.stringify(folded.map(({ incident, version, state }) => ({ incident, version, state }))),
      mode,
      digest.id,
      JSON.stringify({ digest: digest.id, channel: digest.channel, ts: digest.ts }),
    ],
  );
}

export type StoredMessage = Selectable<MessagesTables['messages']>;

/** What was told of an incident, oldest first. */
export function listMessages(db: Db, filter: { incident?: string; sink?: SinkName } = {}): Promise<StoredMessage[]> {
  let query = db.query.selectFrom('messages').selectAll().orderBy('id');
  if (filter.incident !== undefined) query = query.where('incident', '=', filter.incident);
  if (filter.sink !== undefined) query = query.where('sink', '=', filter.sink);
  return query.execute();
}
