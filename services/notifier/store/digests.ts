import type { Severity } from '@tripline/contracts/finding';
import type { IncidentState } from '@tripline/contracts/incident';
import type { Mode } from '@tripline/contracts/notification';
import type { Db } from '@tripline/db/database';
import { inTransaction } from '@tripline/db/transaction';
import type { Claim } from './messages.ts';

/** A digest accepts incidents for this long after its start; later ones open the next digest. */
const digestOpenMs = 3_600_000;
/** Incidents grouped per statement: few enough that the planner does not choose a sequential scan. */
const groupedAtOnce = 200;
/** Arbitrary, but used by no other advisory lock of Tripline. */
const groupingLock = 7_261_454;

/**
 * When more than `above` incidents wait for their first message, groups all but the gravest `keep` into the open digest
 * (a new one where none is), which then waits in their stead. Incidents that are being posted, or may have been posted,
 * are left alone. Returns how many were grouped.
 */
export function groupIntoDigest(db: Db, options: { above: number; keep: number; mode: Mode }): Promise<number> {
  const waiting = `t.sink = 'slack' AND t.version = 0 AND t.digest IS NULL AND t.incident IS NOT NULL AND t.told_at IS NULL`;
  return inTransaction(db, async (client) => {
    // Counted first without the lock: there is no storm nearly always. In order of their index (told_waiting), which holds
    // nobody else: statistics know each condition apart, and promise far more. Limits are in the text, where a plan that is
    // made once sees them.
    const count = `SELECT count(*) AS waiting FROM (SELECT FROM told t WHERE ${waiting} ORDER BY t.id LIMIT ${options.above + 1}) AS counted`;
    const storm = async () => (await client.query<{ waiting: number }>(count)).rows[0]!.waiting > options.above;
    if (!(await storm())) return 0;
    await client.query('SELECT pg_advisory_xact_lock($1)', [groupingLock]);
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
    const group = () =>
      client.query(
        `UPDATE told SET digest = $1, due_at = NULL WHERE id = ANY (ARRAY(
           SELECT those.id FROM (
             SELECT t.id, t.incident FROM told t
             WHERE ${waiting} AND t.intent IS NULL AND (t.claimed_until IS NULL OR t.claimed_until <= clock_timestamp())
             ORDER BY t.id LIMIT ${groupedAtOnce + options.keep} FOR UPDATE
           ) AS those CROSS JOIN LATERAL (SELECT severity, opened_at FROM incidents WHERE id = those.incident OFFSET 0) AS i
           ORDER BY array_position(ARRAY['critical', 'high', 'medium', 'low'], i.severity), i.opened_at, those.id
           OFFSET $2))`,
        [digest, options.keep],
      );
    let grouped = 0;
    for (let last = groupedAtOnce; last === groupedAtOnce; grouped += last) last = (await group()).rowCount ?? 0;
    if (grouped > 0) await client.query('UPDATE told SET due_at = now() WHERE id = $1', [digest]);
    return grouped;
  });
}

/** Takes an incident out of its digest: it is more severe than the digest reported, and gets a message of its own. */
export async function splitFromDigest(db: Db, { notification, by }: Claim): Promise<void> {
  await db.pool.query('UPDATE told SET digest = NULL WHERE id = $1 AND claimed_by = $2', [notification.id, by]);
}

/**
 * What a digest reports: counts, most severe or most frequent first, and the most severe incidents that are not
 * resolved.
 */
export type Digest = {
  incidents: number;
  open: number;
  severities: { name: Severity; count: number }[];
  rules: { name: string; count: number }[];
  gravest: { incident: string; title: string; severity: Severity; state: IncidentState }[];
  /**
   * Incidents that it does not report yet, or not at their present version: `longestDelta` at most. One that became
   * more severe is left out: it gets a message of its own, which the digest must not replace.
   */
  news: { incident: string; version: number; state: IncidentState; severity: Severity; generation: number }[];
  /** Those that page again since it reported them, without having become graver; gravest first, `longestPages` at most. */
  pages: { incident: string; title: string; severity: Severity; generation: number }[];
  /** Time since it last reported pages, ms; null before the first. */
  pagedAgoMs: number | null;
};

/** Bounds memory: a digest of more news is sent in several messages. */
const longestDelta = 50_000;
const longestPages = 1000;
/** SQL: the incident is not more severe than the digest reported; otherwise it gets a message of its own. */
const isAsGrave = `(told_severity IS NULL
  OR array_position(ARRAY['critical', 'high', 'medium', 'low'], i.severity)
     >= array_position(ARRAY['critical', 'high', 'medium', 'low'], told_severity))`;
const gravestFirst = `array_position(ARRAY['critical', 'high', 'medium', 'low'], i.severity)`;

/**
 * In one statement, so that all parts are of the same moment. Postgres counts, since an hour's storm does not fit in
 * memory.
 */
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

/** Records that a digest reported its news: every incident has its own line in the history. */
export async function recordDigestNews(
  db: Db,
  claim: Claim,
  mode: Mode,
  news: Readonly<Digest['news']>,
): Promise<void> {
  const { id, reference } = claim.notification;
  await db.pool.query(
    `WITH given AS (SELECT * FROM json_to_recordset($1::json) AS g (incident text, version int, state text, severity text, generation int)),
       moved AS (UPDATE told t SET version = g.version, state = g.state, severity = g.severity, mode = $2, told_at = clock_timestamp(),
           generation = CASE WHEN t.version = 0 THEN g.generation ELSE t.generation END
         FROM given g WHERE t.incident = g.incident AND t.digest = $3 AND t.version < g.version
         RETURNING t.id, t.incident, t.version)
     INSERT INTO messages (incident, telling, sink, kind, mode, version, body)
     SELECT incident, id, 'slack', 'folded', $2, version, $4::jsonb FROM moved`,
    [JSON.stringify(news), mode, id, JSON.stringify({ digest: id, ...reference })],
  );
}

/** Records that a digest reported pages. */
export async function recordDigestPages(db: Db, claim: Claim, pages: Readonly<Digest['pages']>): Promise<void> {
  await db.pool.query(
    `UPDATE told t SET generation = greatest(t.generation, g.generation)
     FROM json_to_recordset($1::json) AS g (incident text, generation int)
     WHERE t.incident = g.incident AND t.digest = $2`,
    [JSON.stringify(pages), claim.notification.id],
  );
}
