import type { Severity } from '@tripline/contracts/finding';
import type { IncidentState } from '@tripline/contracts/incident';
import type { ChannelName, MessageKind, Mode } from '@tripline/contracts/notification';
import type { Db } from '@tripline/db/database';
import type { MessagesTables } from '@tripline/db/tables/messages';
import type { Selectable } from 'kysely';

/** What one channel was sent of one incident, or of one digest's incidents, and what is being sent: a row of `told`. */
export type Notification = {
  id: number;
  /** Null for a digest. */
  incident: string | null;
  /** The incident's version reported last; 0 before the first message. Rises when it was sent, and when it was given up. */
  version: number;
  /** The incident's state reported last; null before the first message. */
  state: IncidentState | null;
  /** Id of the last of incident_events that was reported; 0 before the first. */
  lastEvent: number;
  createdAt: Date;
  sentAt: Date | null;
  reference: Readonly<Record<string, string>> | undefined;
  /** The digest that reports the incident, and the severity that it reported. */
  digest: number | null;
  digestSeverity: Severity | null;
  /** What was about to be sent. */
  intent: string | null;
  /** Number of consecutive calls that failed. */
  failures: number;
  /** The incident's page generation reported last, and those of older alerts that are, or may be, open still. */
  generation: number;
  superseded: readonly number[];
};
type NotificationRow = Selectable<MessagesTables['told']>;

/**
 * A claim on a notification: only its holder may send. It expires, so that a crash blocks nobody for long. `intended`:
 * the intent that was noted together with the claim.
 */
export type Claim = { notification: Notification; by: string; intended?: MessageKind };

/** What a message leaves behind in `told`. Absent fields stay as they are. */
type Progress = {
  version: number;
  state?: IncidentState;
  lastEvent?: number;
  reference?: Readonly<Record<string, string>>;
  generation?: number;
  superseded?: readonly number[];
};

export type SentMessage = {
  kind: MessageKind;
  mode: Mode;
  body: Record<string, unknown>;
  possiblyRepeated: boolean;
};

/** Where an incident is to be reported. */
type Place = { incident: string; channel: ChannelName; mode: Mode };

function toNotification(row: NotificationRow): Notification {
  const { id, incident, version, state, digest, intent, failures, generation, superseded } = row;
  return {
    ...{ id, incident, version, state, digest, intent, failures, generation, superseded },
    lastEvent: row.story,
    createdAt: row.created_at,
    sentAt: row.told_at,
    digestSeverity: row.severity,
    reference: referenceOf(row),
  };
}

/** What Slack and PagerDuty name stands in columns of its own, which former versions read; the rest in `reference`. */
function referenceOf({ channel, ts, dedup_key, reference }: NotificationRow): Notification['reference'] {
  if (channel !== null && ts !== null) return { channel, ts };
  return dedup_key === null ? (reference ?? undefined) : { dedupKey: dedup_key };
}

/**
 * Claims the notification of (incident, channel) for `forMs`, making its row where there is none. Undefined: another
 * worker has it, and compares again when done. `first`: the intent to note where the row is new, which saves a
 * statement. Without it, nothing is lost when a crash of Postgres loses the claim, so the commit does not wait for the
 * disk.
 */
export async function claimNotification(
  db: Db,
  { incident, channel, mode }: Place,
  by: string,
  forMs: number,
  first?: MessageKind,
): Promise<Claim | undefined> {
  const { rows } = await db.pool.query<NotificationRow & { made: boolean }>({
    name: 'notification-claim',
    text: `INSERT INTO told AS t (incident, sink, mode, claimed_by, claimed_until, due_at, intent)
      VALUES ($1, $2, $3, $4::uuid, now() + $5 * interval '1 ms', now() + $5 * interval '1 ms', $6)
      ON CONFLICT (incident, sink) DO UPDATE SET
        claimed_by = CASE WHEN ${free} THEN excluded.claimed_by ELSE t.claimed_by END,
        claimed_until = CASE WHEN ${free} THEN excluded.claimed_until ELSE t.claimed_until END,
        due_at = CASE WHEN ${free} THEN excluded.due_at ELSE now() END
      -- A row that was there bears the lock of this statement.
      RETURNING *, t.xmax = 0 AS made, CASE WHEN t.xmax <> 0 OR t.intent IS NULL THEN ${withoutDisk} END`,
    values: [incident, channel, mode, by, forMs, first ?? null],
  });
  const { made, ...row } = rows[0]!;
  if (row.claimed_by !== by) return undefined;
  const notification = toNotification(row);
  if (!made || first === undefined) return { notification, by };
  return { notification: { ...notification, intent: null }, by, intended: first };
}

const free = '(t.claimed_until IS NULL OR t.claimed_until <= now())';
const withoutDisk = `set_config('synchronous_commit', 'off', true)`;

/** Queues the notification of (incident, channel). One that a digest reports waits with that. */
export async function deferNotification(db: Db, { incident, channel, mode }: Place): Promise<void> {
  const { rows } = await db.pool.query<{ digest: number | null }>({
    name: 'notification-defer',
    text: `INSERT INTO told AS t (incident, sink, mode, due_at) VALUES ($1, $2, $3, now())
      ON CONFLICT (incident, sink) DO UPDATE SET due_at = now() RETURNING digest`,
    values: [incident, channel, mode],
  });
  const { digest } = rows[0]!;
  if (digest !== null) await deferDigest(db, digest);
}

export async function deferDigest(db: Db, digest: number): Promise<void> {
  await db.pool.query('UPDATE told SET due_at = now() WHERE id = $1', [digest]);
}

/** How long a claim lasts: a digest reads all that is grouped in it before each message, seconds in a storm. */
const lasting = (forMs: '$3' | '$4') =>
  `now() + CASE WHEN incident IS NULL THEN 10 ELSE 1 END * ${forMs} * interval '1 ms'`;

/**
 * Claims for `forMs`, a digest for ten times that, what waits longest or, by turns, what came last, so that neither waits
 * behind the other for ever.
 */
export async function claimDue(
  db: Db,
  channel: ChannelName,
  order: 'oldest' | 'newest',
  by: string,
  forMs: number,
): Promise<Claim | undefined> {
  const { rows } = await db.pool.query<NotificationRow>({
    name: `notification-${order}`,
    text: `UPDATE told SET claimed_by = $2::uuid, claimed_until = ${lasting('$3')}, due_at = ${lasting('$3')}
      WHERE id = (SELECT id FROM told t WHERE sink = $1 AND due_at <= now() AND ${free}
        ORDER BY due_at ${order === 'oldest' ? 'ASC' : 'DESC'} LIMIT 1 FOR UPDATE SKIP LOCKED)
      RETURNING *, ${withoutDisk}`,
    values: [channel, by, forMs],
  });
  return rows[0] && { notification: toNotification(rows[0]), by };
}

/**
 * Notes what is about to be sent, null for nothing after all, and renews the claim for as long as it was. False: the
 * claim ran out and somebody else has it; send nothing.
 */
export async function noteIntent(
  db: Db,
  { notification, by }: Claim,
  intent: string | null,
  forMs: number,
): Promise<boolean> {
  const { rowCount } = await db.pool.query({
    name: 'notification-intend',
    text: `UPDATE told SET intent = $3, claimed_until = ${lasting('$4')},
        due_at = CASE WHEN due_at = claimed_until THEN ${lasting('$4')} ELSE due_at END
      WHERE id = $1 AND claimed_by = $2 AND claimed_until > now()`,
    values: [notification.id, by, intent, forMs],
  });
  return rowCount === 1;
}

/** Records a message that was sent: in the history, in the row that the next comparison reads, in the incident's own history. */
export async function recordSent(db: Db, claim: Claim, message: SentMessage, progress: Progress): Promise<Claim> {
  const { channel, ts, dedupKey, ...reference } = progress.reference ?? {};
  const { rows } = await db.pool.query<NotificationRow>({
    name: 'notification-sent',
    text: `WITH sent AS (
        UPDATE told SET mode = $2, version = $3, state = coalesce($4, state), story = greatest(story, $5),
          channel = coalesce($6, channel), ts = coalesce($7, ts), dedup_key = coalesce($8, dedup_key),
          reference = coalesce($15::jsonb, reference),
          generation = coalesce($13, generation), superseded = coalesce($14::int[], superseded),
          told_at = clock_timestamp(), intent = NULL, failures = 0, failure = NULL
        WHERE id = $1 RETURNING *
      ), message AS (
        INSERT INTO messages (incident, telling, sink, kind, mode, version, possibly_repeated, body)
        SELECT incident, id, sink, $9, mode, version, $10, $11::jsonb FROM sent
      ), story AS (
        INSERT INTO incident_events (incident, kind, actor, detail)
        SELECT incident, 'told', $12::jsonb, json_build_object('sink', sink, 'mode', mode) FROM sent
        WHERE incident IS NOT NULL AND $9 IN ('posted', 'trigger')
      ) SELECT * FROM sent`,
    values: [
      claim.notification.id,
      message.mode,
      progress.version,
      progress.state,
      progress.lastEvent ?? 0,
      channel,
      ts,
      dedupKey,
      message.kind,
      message.possiblyRepeated,
      JSON.stringify(message.body),
      JSON.stringify({ via: 'tripline', id: 'notifier', name: 'tripline' }),
      progress.generation ?? null,
      progress.superseded ?? null,
      Object.keys(reference).length === 0 ? null : JSON.stringify(reference),
    ],
  });
  return { notification: toNotification(rows[0]!), by: claim.by };
}

/** Nothing had to be sent for this version, or it was given up: the row moves on, with the reason where there is one. */
export async function recordSkipped(db: Db, claim: Claim, progress: Progress, failure?: string): Promise<Claim> {
  const { rows } = await db.pool.query<NotificationRow>(
    `UPDATE told SET version = $2, story = greatest(story, $3), intent = NULL, failures = 0, failure = $4,
       superseded = coalesce($5::int[], superseded) WHERE id = $1 RETURNING *`,
    [claim.notification.id, progress.version, progress.lastEvent ?? 0, failure ?? null, progress.superseded ?? null],
  );
  return { notification: toNotification(rows[0]!), by: claim.by };
}

/** A call failed and is to be tried again. `unknown`: it may have been done all the same, so the intent stays noted. */
export async function recordFailure(db: Db, { notification }: Claim, reason: string, unknown: boolean): Promise<void> {
  await db.pool.query(
    `UPDATE told SET failures = failures + 1, failure = $2, intent = CASE WHEN $3 THEN intent END WHERE id = $1`,
    [notification.id, reason, unknown],
  );
}

/** The message no longer exists at Slack: the next message posts the incident again. */
export async function forgetMessage(db: Db, claim: Claim): Promise<Claim> {
  const { rows } = await db.pool.query<NotificationRow>(
    `UPDATE told SET channel = NULL, ts = NULL, reference = NULL, version = 0, intent = NULL WHERE id = $1 RETURNING *`,
    [claim.notification.id],
  );
  return { notification: toNotification(rows[0]!), by: claim.by };
}

/**
 * Releases a claim. `afterMs`: it is due again then; otherwise it stays queued only if a change was noted meanwhile.
 */
export async function releaseClaim(db: Db, { notification, by }: Claim, afterMs?: number): Promise<void> {
  await db.pool.query({
    name: 'notification-release',
    text: `UPDATE told SET claimed_by = NULL, claimed_until = NULL,
        due_at = CASE WHEN $3::float8 IS NOT NULL THEN now() + $3 * interval '1 ms'
                      WHEN due_at = claimed_until THEN NULL ELSE due_at END
      WHERE id = $1 AND claimed_by = $2 RETURNING ${withoutDisk}`,
    values: [notification.id, by, afterMs ?? null],
  });
}

/** Queues again what was given up within the last day: a restart may come with the cause fixed. */
export async function retryGivenUp(db: Db): Promise<void> {
  await db.pool.query(
    `UPDATE told SET version = 0, failure = NULL, due_at = now() FROM incidents i
     WHERE told.incident = i.id AND told.failure IS NOT NULL AND told.version = i.version AND i.updated_at > clock_timestamp() - interval '1 day'`,
  );
}

/** Id of the Slack channel in which an incident was reported; undefined where it was not, or the incident is unknown. */
export async function readSlackChannel(db: Db, incident: string): Promise<string | undefined> {
  const { rows } = await db.pool.query<{ channel: string | null }>(
    `SELECT channel FROM told WHERE incident = $1 AND sink = 'slack'`,
    [incident],
  );
  return rows[0]?.channel ?? undefined;
}

export type StoredMessage = Selectable<MessagesTables['messages']>;

/** What was sent of an incident, oldest first. */
export function listMessages(
  db: Db,
  filter: { incident?: string; channel?: ChannelName } = {},
): Promise<StoredMessage[]> {
  let query = db.query.selectFrom('messages').selectAll().orderBy('id');
  if (filter.incident !== undefined) query = query.where('incident', '=', filter.incident);
  if (filter.channel !== undefined) query = query.where('sink', '=', filter.channel);
  return query.execute();
}
