import type { Severity } from '@tripline/contracts/finding';
import type { IncidentState } from '@tripline/contracts/incident';
import type { Db } from '@tripline/db/database';
import type { MessageKind, MessagesTables, Mode, SinkName } from '@tripline/db/tables/messages';
import { inTransaction } from '@tripline/db/transaction';
import { failpoint } from '@tripline/runtime/failpoint';
import type { Selectable } from 'kysely';

/** What one sink was told of one incident, or of the incidents of one digest, and what is under way. */
export type Telling = Selectable<MessagesTables['told']>;

/**
 * A claim on a telling: whoever holds it may send. It runs out by itself, so that a crash blocks nobody for long.
 * `intended`: what was noted with it as about to be sent, and was not before.
 */
export type Claim = { telling: Telling; by: string; intended?: MessageKind };

/** What a message leaves behind in `told`. Absent fields stay as they are. */
export type Progress = {
  version: number;
  state?: IncidentState;
  story?: number;
  channel?: string;
  ts?: string;
  dedupKey?: string;
  generation?: number;
  superseded?: readonly number[];
};

export type SentMessage = {
  kind: MessageKind;
  mode: Mode;
  body: Record<string, unknown>;
  possiblyRepeated: boolean;
};

type Place = { incident: string; sink: SinkName; mode: Mode };

/**
 * Claims the telling of (incident, sink) for `forMs`, making its row where there is none. Undefined: somebody else has it,
 * and will look again when done. `first`: noted in a row that is made as what is about to be sent, which saves a
 * statement. Otherwise nothing is lost when a crash of Postgres forgets a claim, so its commit waits for no disk.
 */
export async function takeUp(
  db: Db,
  { incident, sink, mode }: Place,
  by: string,
  forMs: number,
  first?: MessageKind,
): Promise<Claim | undefined> {
  const { rows } = await db.pool.query<Telling & { made: boolean }>({
    name: 'told-take-up',
    text: `INSERT INTO told AS t (incident, sink, mode, claimed_by, claimed_until, due_at, intent)
      VALUES ($1, $2, $3, $4::uuid, now() + $5 * interval '1 ms', now() + $5 * interval '1 ms', $6)
      ON CONFLICT (incident, sink) DO UPDATE SET
        claimed_by = CASE WHEN ${free} THEN excluded.claimed_by ELSE t.claimed_by END,
        claimed_until = CASE WHEN ${free} THEN excluded.claimed_until ELSE t.claimed_until END,
        due_at = CASE WHEN ${free} THEN excluded.due_at ELSE now() END
      -- A row that was there bears the lock of this statement.
      RETURNING *, t.xmax = 0 AS made, CASE WHEN t.xmax <> 0 OR t.intent IS NULL THEN ${withoutDisk} END`,
    values: [incident, sink, mode, by, forMs, first ?? null],
  });
  const { made, ...telling } = rows[0]!;
  if (telling.claimed_by !== by) return undefined;
  if (!made || first === undefined) return { telling, by };
  return { telling: { ...telling, intent: null }, by, intended: first };
}

const free = '(t.claimed_until IS NULL OR t.claimed_until <= now())';
const withoutDisk = `set_config('synchronous_commit', 'off', true)`;

/** Has the telling of (incident, sink) wait for its turn. One that was folded waits with its digest. */
export async function park(db: Db, { incident, sink, mode }: Place): Promise<void> {
  const { rows } = await db.pool.query<{ digest: number | null }>({
    name: 'told-park',
    text: `INSERT INTO told AS t (incident, sink, mode, due_at) VALUES ($1, $2, $3, now())
      ON CONFLICT (incident, sink) DO UPDATE SET due_at = now() RETURNING digest`,
    values: [incident, sink, mode],
  });
  const { digest } = rows[0]!;
  if (digest !== null) await parkDigest(db, digest);
}

export async function parkDigest(db: Db, digest: number): Promise<void> {
  await db.pool.query('UPDATE told SET due_at = now() WHERE id = $1', [digest]);
}

/** How long a claim lasts: a digest reads all that is folded in it before each time it is told, seconds in a storm. */
const lasting = (forMs: '$3' | '$4') =>
  `now() + CASE WHEN incident IS NULL THEN 10 ELSE 1 END * ${forMs} * interval '1 ms'`;

/**
 * Claims for `forMs`, a digest for ten times that, what waits longest or, by turns, what came last, so that neither waits
 * behind the other for ever.
 */
export async function takeUpDue(
  db: Db,
  sink: SinkName,
  turn: 'oldest' | 'newest',
  by: string,
  forMs: number,
): Promise<Claim | undefined> {
  const { rows } = await db.pool.query<Telling>({
    name: `told-${turn}`,
    text: `UPDATE told SET claimed_by = $2::uuid, claimed_until = ${lasting('$3')}, due_at = ${lasting('$3')}
      WHERE id = (SELECT id FROM told t WHERE sink = $1 AND due_at <= now() AND ${free}
        ORDER BY due_at ${turn === 'oldest' ? 'ASC' : 'DESC'} LIMIT 1 FOR UPDATE SKIP LOCKED)
      RETURNING *, ${withoutDisk}`,
    values: [sink, by, forMs],
  });
  return rows[0] && { telling: rows[0], by };
}

/**
 * Notes what is about to be sent, null for nothing after all, and renews the claim for as long as it was. False: the
 * claim ran out and somebody else has it; send nothing.
 */
export async function noteIntent(
  db: Db,
  { telling, by }: Claim,
  intent: string | null,
  forMs: number,
): Promise<boolean> {
  const { rowCount } = await db.pool.query({
    name: 'told-intend',
    text: `UPDATE told SET intent = $3, claimed_until = ${lasting('$4')},
        due_at = CASE WHEN due_at = claimed_until THEN ${lasting('$4')} ELSE due_at END
      WHERE id = $1 AND claimed_by = $2 AND claimed_until > now()`,
    values: [telling.id, by, intent, forMs],
  });
  return rowCount === 1;
}

/** Records a message that was sent: in the history, in the row that the next comparison reads, in the incident's story. */
export async function recordSent(db: Db, claim: Claim, message: SentMessage, progress: Progress): Promise<Claim> {
  const { rows } = await db.pool.query<Telling>({
    name: 'told-sent',
    text: `WITH sent AS (
        UPDATE told SET mode = $2, version = $3, state = coalesce($4, state), story = greatest(story, $5),
          channel = coalesce($6, channel), ts = coalesce($7, ts), dedup_key = coalesce($8, dedup_key),
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
      claim.telling.id,
      message.mode,
      progress.version,
      progress.state,
      progress.story ?? 0,
      progress.channel,
      progress.ts,
      progress.dedupKey,
      message.kind,
      message.possiblyRepeated,
      JSON.stringify(message.body),
      JSON.stringify({ via: 'tripline', id: 'notifier', name: 'tripline' }),
      progress.generation ?? null,
      progress.superseded ?? null,
    ],
  });
  return { telling: rows[0]!, by: claim.by };
}

/** Nothing had to be sent for this version, or it was given up: the row moves on, with the reason where there is one. */
export async function recordSkipped(db: Db, claim: Claim, progress: Progress, failure?: string): Promise<Claim> {
  const { rows } = await db.pool.query<Telling>(
    `UPDATE told SET version = $2, story = greatest(story, $3), intent = NULL, failures = 0, failure = $4,
       superseded = coalesce($5::int[], superseded) WHERE id = $1 RETURNING *`,
    [claim.telling.id, progress.version, progress.story ?? 0, failure ?? null, progress.superseded ?? null],
  );
  return { telling: rows[0]!, by: claim.by };
}

/** A call failed and is to be tried again. `unknown`: it may have been done all the same, so the intent stays noted. */
export async function recordFailure(db: Db, { telling }: Claim, reason: string, unknown: boolean): Promise<void> {
  await db.pool.query(
    `UPDATE told SET failures = failures + 1, failure = $2, intent = CASE WHEN $3 THEN intent END WHERE id = $1`,
    [telling.id, reason, unknown],
  );
}

/** Slack has the message no more: whatever is told next is posted anew. */
export async function forgetMessage(db: Db, claim: Claim): Promise<Claim> {
  const { rows } = await db.pool.query<Telling>(
    `UPDATE told SET channel = NULL, ts = NULL, version = 0, intent = NULL WHERE id = $1 RETURNING *`,
    [claim.telling.id],
  );
  return { telling: rows[0]!, by: claim.by };
}

/** Gives a claim back. `afterMs`: it is to be taken up again then; otherwise it waits only if somebody asked meanwhile. */
export async function releaseClaim(db: Db, { telling, by }: Claim, afterMs?: number): Promise<void> {
  await db.pool.query({
    name: 'told-release',
    text: `UPDATE told SET claimed_by = NULL, claimed_until = NULL,
        due_at = CASE WHEN $3::float8 IS NOT NULL THEN now() + $3 * interval '1 ms'
                      WHEN due_at = claimed_until THEN NULL ELSE due_at END
      WHERE id = $1 AND claimed_by = $2 RETURNING ${withoutDisk}`,
    values: [telling.id, by, afterMs ?? null],
  });
}

/** Takes up again what was given up within a day: whoever starts the notifier anew may have mended what was wrong. */
export async function retryGivenUp(db: Db): Promise<void> {
  await db.pool.query(
    `UPDATE told SET version = 0, failure = NULL, due_at = now() FROM incidents i
     WHERE told.incident = i.id AND told.failure IS NOT NULL AND told.version = i.version AND i.updated_at > clock_timestamp() - interval '1 day'`,
  );
}

export type Sweepable = { incident: string; sink: SinkName };

/**
 * Incidents that changed within `withinMs`, more than `graceMs` ago, of which a sink was not told and that wait nowhere: a
 * worker died with the job in its hands. Reads `incidents_changed`, so that old incidents cost nothing.
 */
export async function findUntold(db: Db, { graceMs, withinMs }: { graceMs: number; withinMs: number }) {
  const { rows } = await db.pool.query<Sweepable>(
    `SELECT i.id AS incident, s.sink FROM incidents i CROSS JOIN (VALUES ('slack'), ('pagerduty')) AS s (sink)
     LEFT JOIN told t ON t.incident = i.id AND t.sink = s.sink
     LEFT JOIN told d ON d.id = t.digest
     WHERE i.updated_at BETWEEN now() - $2 * interval '1 ms' AND now() - $1 * interval '1 ms'
       AND coalesce(t.version, 0) < i.version AND t.due_at IS NULL AND d.due_at IS NULL
     ORDER BY i.updated_at LIMIT 500`,
    [graceMs, withinMs],
  );
  return rows;
}

/** A digest takes in what comes within this time of its start; what comes later opens the next one. */
const digestOpenMs = 3_600_000;
/** So many are folded a statement: few enough that nothing is worth reading a whole table. */
const foldedAtOnce = 200;
/** Any number that no other advisory lock of ours has. */
const foldLock = 7_261_454;

/**
 * When more than `above` incidents wait for their first message, folds all but the gravest `keep` into the open digest
 * (a new one where none is), which then waits in their stead. Incidents that somebody is posting just now, or that may
 * have been posted, are let be. Answers how many were folded.
 */
export function foldWaiting(db: Db, options: { above: number; keep: number; mode: Mode }): Promise<number> {
  const waiting = `t.sink = 'slack' AND t.version = 0 AND t.digest IS NULL AND t.incident IS NOT NULL AND t.told_at IS NULL`;
  return inTransaction(db, async (client) => {
    // Counted first without the lock: there is no storm nearly always. In order of their index (told_waiting), which holds
    // nobody else: statistics know each condition apart, and promise far more. Limits are in the text, where a plan that is
    // made once sees them.
    const count = `SELECT count(*) AS waiting FROM (SELECT FROM told t WHERE ${waiting} ORDER BY t.id LIMIT ${options.above + 1}) AS counted`;
    const storm = async () => (await client.query<{ waiting: number }>(count)).rows[0]!.waiting > options.above;
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
    const fold = () =>
      client.query(
        `UPDATE told SET digest = $1, due_at = NULL WHERE id = ANY (ARRAY(
           SELECT those.id FROM (
             SELECT t.id, t.incident FROM told t
             WHERE ${waiting} AND t.intent IS NULL AND (t.claimed_until IS NULL OR t.claimed_until <= clock_timestamp())
             ORDER BY t.id LIMIT ${foldedAtOnce + options.keep} FOR UPDATE
           ) AS those CROSS JOIN LATERAL (SELECT severity, opened_at FROM incidents WHERE id = those.incident OFFSET 0) AS i
           ORDER BY array_position(ARRAY['critical', 'high', 'medium', 'low'], i.severity), i.opened_at, those.id
           OFFSET $2))`,
        [digest, options.keep],
      );
    let folded = 0;
    for (let last = foldedAtOnce; last === foldedAtOnce; folded += last) last = (await fold()).rowCount ?? 0;
    failpoint('notifier.fold-after-update');
    if (folded > 0) await client.query('UPDATE told SET due_at = now() WHERE id = $1', [digest]);
    failpoint('notifier.fold-before-commit');
    return folded;
  });
}

/** Takes an incident out of its digest: it became graver than the digest says, and gets a message of its own. */
export async function unfold(db: Db, { telling, by }: Claim): Promise<void> {
  await db.pool.query('UPDATE told SET digest = NULL WHERE id = $1 AND claimed_by = $2', [telling.id, by]);
}

/** What a digest says: counts, gravest or most frequent first, and the gravest incidents that are not resolved. */
export type Digest = {
  incidents: number;
  open: number;
  severities: { name: Severity; count: number }[];
  rules: { name: string; count: number }[];
  gravest: { incident: string; title: string; severity: Severity; state: IncidentState }[];
  /**
   * Incidents of which it was not told yet, or not at their present version: `longestDelta` at most. One that became
   * graver is left out: it has a message of its own to come, which this must not pass for.
   */
  news: { incident: string; version: number; state: IncidentState; severity: Severity; generation: number }[];
  /** Those that page anew since it told of them, without having become graver; gravest first, `longestPages` at most. */
  pages: { incident: string; title: string; severity: Severity; generation: number }[];
  /** For how long it has not told of pages, ms; null before the first. */
  pagedAgoMs: number | null;
};

/** Bounds memory: a digest of more news is told in several goes. */
const longestDelta = 50_000;
const longestPages = 1000;
/** What became graver than the digest says has a message of its own. */
const isAsGrave = `(told_severity IS NULL
  OR array_position(ARRAY['critical', 'high', 'medium', 'low'], i.severity)
     >= array_position(ARRAY['critical', 'high', 'medium', 'low'], told_severity))`;
const gravestFirst = `array_position(ARRAY['critical', 'high', 'medium', 'low'], i.severity)`;

/** In one statement, so that all of it is true at one time. Postgres counts: an hour's storm does not fit in memory. */
export async function readDigest(db: Db, digest: number): Promise<Digest> {
  const { rows } = await db.pool.query<Digest>(
    `WITH folded AS MATERIALIZED (
       SELECT i.id, i.title, i.severity, i.state, i.version, i.opened_at, i.page_generation AS generation,
         t.version AS told, t.severity AS told_severity, t.generation AS told_generation
       FROM told t JOIN incidents i ON i.id = t.incident WHERE t.digest = $1)
     SELECT (SELECT count(*) FROM folded)::int AS incidents,
       (SELECT count(*) FROM folded WHERE state = 'open')::int AS open,
       (SELECT coalesce(json_agg(s), '[]') FROM (SELECT severity AS name, count(*)::int AS count FROM folded i
          GROUP BY severity ORDER BY ${gravestFirst}) s) AS severities,
       (SELECT coalesce(json_agg(r), '[]') FROM (SELECT f.rule AS name, count(DISTINCT f.incident)::int AS count
          FROM folded i JOIN findings f ON f.incident = i.id GROUP BY f.rule ORDER BY 2 DESC, 1 LIMIT 20) r) AS rules,
       (SELECT coalesce(json_agg(g), '[]') FROM (SELECT id AS incident, title, severity, state FROM folded i
          WHERE state <> 'resolved' ORDER BY ${gravestFirst}, opened_at, id LIMIT 10) g) AS gravest,
       (SELECT coalesce(json_agg(n), '[]') FROM (SELECT id AS incident, version, state, severity, generation FROM folded i
          WHERE told < version AND ${isAsGrave} ORDER BY id LIMIT $2) n) AS news,
       (SELECT coalesce(json_agg(p), '[]') FROM (SELECT id AS incident, title, severity, generation FROM folded i
          WHERE told > 0 AND told_generation < generation AND state <> 'resolved' AND ${isAsGrave}
          ORDER BY ${gravestFirst}, opened_at, id LIMIT $3) p) AS pages,
       (SELECT extract(epoch FROM clock_timestamp() - max(sent_at)) * 1000 FROM messages
          WHERE telling = $1 AND incident IS NULL AND kind = 'broadcast')::float8 AS "pagedAgoMs"`,
    [digest, longestDelta, longestPages],
  );
  return rows[0]!;
}

/** Records that a digest told its news: every incident has its own line in the history. */
export async function recordFolded(db: Db, claim: Claim, mode: Mode, news: Digest['news']): Promise<void> {
  const digest = claim.telling;
  await db.pool.query(
    `WITH given AS (SELECT * FROM json_to_recordset($1::json) AS g (incident text, version int, state text, severity text, generation int)),
       moved AS (UPDATE told t SET version = g.version, state = g.state, severity = g.severity, mode = $2, told_at = clock_timestamp(),
           generation = CASE WHEN t.version = 0 THEN g.generation ELSE t.generation END
         FROM given g WHERE t.incident = g.incident AND t.digest = $3 AND t.version < g.version
         RETURNING t.id, t.incident, t.version)
     INSERT INTO messages (incident, telling, sink, kind, mode, version, body)
     SELECT incident, id, 'slack', 'folded', $2, version, $4::jsonb FROM moved`,
    [
      JSON.stringify(news),
      mode,
      digest.id,
      JSON.stringify({ digest: digest.id, channel: digest.channel, ts: digest.ts }),
    ],
  );
}

/** Records that a digest told of pages. */
export async function recordFoldedPages(db: Db, claim: Claim, pages: Digest['pages']): Promise<void> {
  await db.pool.query(
    `UPDATE told t SET generation = greatest(t.generation, g.generation)
     FROM json_to_recordset($1::json) AS g (incident text, generation int)
     WHERE t.incident = g.incident AND t.digest = $2`,
    [JSON.stringify(pages), claim.telling.id],
  );
}

/** Id of the channel in which Slack was told of an incident; undefined where it was not, or the incident is unknown. */
export async function readSlackChannel(db: Db, incident: string): Promise<string | undefined> {
  const { rows } = await db.pool.query<{ channel: string | null }>(
    `SELECT channel FROM told WHERE incident = $1 AND sink = 'slack'`,
    [incident],
  );
  return rows[0]?.channel ?? undefined;
}

export type StoredMessage = Selectable<MessagesTables['messages']>;

/** What was told of an incident, oldest first. */
export function listMessages(db: Db, filter: { incident?: string; sink?: SinkName } = {}): Promise<StoredMessage[]> {
  let query = db.query.selectFrom('messages').selectAll().orderBy('id');
  if (filter.incident !== undefined) query = query.where('incident', '=', filter.incident);
  if (filter.sink !== undefined) query = query.where('sink', '=', filter.sink);
  return query.execute();
}
