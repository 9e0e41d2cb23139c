import { createHash } from 'node:crypto';
import type pg from 'pg';

/** One record of the log, with its fault if it cannot be processed. The hash covers everything but `fault`. */
export type TrailRecord = {
  topic: string;
  partition: number;
  offset: number;
  /** The log's append time, ms since the epoch. */
  appendedAtMs: number;
  key: string;
  headers: Record<string, string>;
  value: Buffer | null;
  /** Why no reader can use the record, or null. */
  fault: string | null;
};

/** The end of one log partition's chain. */
export type TrailHead = { lastOffset: number; hash: Buffer };

/** The previous hash of a chain's first row. */
export const chainStart: Buffer = Buffer.alloc(32);

/** pg encodes arrays of more rows than this several times slower. */
const rowsPerInsert = 400;
const dayMs = 86_400_000;

/** Header names in order and no space: the same record always gives the same text. */
export function canonicalHeaders(headers: Record<string, string>): string {
  return JSON.stringify(Object.fromEntries(Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))));
}

/** A record as the trail keeps it: the bytes that are hashed. */
export type StoredRecord = {
  topic: string;
  partition: number;
  offset: number;
  appendedAtMs: number;
  key: Buffer;
  /** {@link canonicalHeaders}. */
  headers: string;
  value: Buffer | null;
};

/**
 * sha256(previous ‖ record). One line of JSON with every length stands before the bytes, so no two records share
 * theirs, and a missing value is not an empty one.
 */
export function chainHash(previous: Buffer, record: StoredRecord): Buffer {
  const { topic, partition, offset, appendedAtMs, key, value } = record;
  const headers = Buffer.from(record.headers);
  const line = JSON.stringify([
    topic,
    partition,
    offset,
    appendedAtMs,
    key.length,
    headers.length,
    value === null ? null : value.length,
  ]);
  const hash = createHash('sha256').update(previous).update(`${line}\n`).update(key).update(headers);
  if (value !== null) hash.update(value);
  return hash.digest();
}

/** The searchable copies; a text that Postgres cannot hold (NUL, a lone surrogate) is left out. */
export function searchable(headers: Readonly<Record<string, unknown>>): {
  eventId: string | null;
  eventType: string | null;
  workspace: string | null;
} {
  const held = (name: string) => {
    const text = headers[name];
    return typeof text === 'string' && !text.includes('\0') && text.isWellFormed() ? text : null;
  };
  return { eventId: held('ce_id'), eventType: held('ce_type'), workspace: held('ce_workspace') };
}

/** Identifies a repeated body, per workspace and event type, since one delivery may give several events. */
function bodyKey(headers: Readonly<Record<string, unknown>>): Buffer | null {
  const { ce_workspace: workspace, ce_type: type, ce_bodysha256: body } = headers;
  if (typeof body !== 'string') return null;
  return createHash('sha256')
    .update(JSON.stringify([workspace, type, body]))
    .digest()
    .subarray(0, 16);
}

/** Where a partition's chain ends, or null before its first row. */
export async function readTrailHead(
  client: pg.ClientBase | pg.Pool,
  topic: string,
  partition: number,
): Promise<TrailHead | null> {
  const { rows } = await client.query('SELECT last_offset, hash FROM trail_heads WHERE topic = $1 AND partition = $2', [
    topic,
    partition,
  ]);
  return rows[0] ? { lastOffset: Number(rows[0].last_offset), hash: rows[0].hash } : null;
}

/**
 * Creates the daily partitions for the records, and that of the following day, so that nothing waits at midnight.
 * `made` caches existing partitions across calls. In transactions of its own, to hold its lock only briefly.
 */
export async function makeTrailDays(
  pool: pg.Pool,
  records: readonly { appendedAtMs: number }[],
  made: Set<number>,
): Promise<void> {
  const days = new Set<number>();
  for (const { appendedAtMs } of records) {
    const day = Math.floor(appendedAtMs / dayMs);
    days.add(day).add(day + 1);
  }
  for (const day of days) {
    if (made.has(day)) continue;
    await pool.query('SELECT make_trail_day($1::date)', [new Date(day * dayMs).toISOString().slice(0, 10)]);
    made.add(day);
  }
}

/**
 * Adds the records of one partition, in order, and moves the chain's head, in the caller's transaction. A record whose body
 * was received before under another id gets that event's id beside it (`repeats`), whatever its age; once more the same
 * delivery is no repeat.
 * @param head where the chain ended so far, as `readTrailHead` or the last `addToTrail` said.
 * @returns where it ends now.
 */
export async function addToTrail(
  client: pg.ClientBase,
  head: TrailHead | null,
  records: readonly TrailRecord[],
): Promise<TrailHead | null> {
  const [first] = records;
  if (!first) return head;
  let hash = head?.hash ?? chainStart;
  for (let from = 0; from < records.length; from += rowsPerInsert) {
    const rows = records.slice(from, from + rowsPerInsert).map((record) => {
      const stored = { ...record, key: Buffer.from(record.key), headers: canonicalHeaders(record.headers) };
      hash = chainHash(hash, stored);
      const copies = searchable(record.headers);
      // An event without an id that can be kept is nothing to refer to.
      return { stored, hash, copies, body: copies.eventId === null ? null : bodyKey(record.headers) };
    });
    await client.query(
      `WITH new AS MATERIALIZED (
         SELECT * FROM unnest($3::bigint[], $4::float8[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bytea[],
             $10::text[], $11::bytea[], $12::bytea[], $13::bytea[])
           AS new (o, t, i, y, w, f, k, h, v, s, b)
       ), first AS MATERIALIZED (
         SELECT DISTINCT ON (b) b, coalesce(known.event_id, i) AS event_id, known.event_id IS NULL AS is_new
         FROM new LEFT JOIN trail_bodies known ON known.body = b WHERE b IS NOT NULL ORDER BY b, o
       ), kept AS (
         INSERT INTO trail_bodies (body, event_id) SELECT b, event_id FROM first WHERE is_new
       )
       INSERT INTO trail (topic, partition, "offset", appended_at, event_id, event_type, workspace, fault, key, headers, value, hash, repeats)
       SELECT $1, $2, o, to_timestamp(t / 1000.0), i, y, w, f, k, h::json, v, s, nullif(first.event_id, i)
       FROM new LEFT JOIN first USING (b)`,
      [
        first.topic,
        first.partition,
        rows.map(({ stored }) => stored.offset),
        rows.map(({ stored }) => stored.appendedAtMs),
        rows.map(({ copies }) => copies.eventId),
        rows.map(({ copies }) => copies.eventType),
        rows.map(({ copies }) => copies.workspace),
        rows.map(({ stored }) => stored.fault),
        rows.map(({ stored }) => stored.key),
        rows.map(({ stored }) => stored.headers),
        rows.map(({ stored }) => stored.value),
        rows.map((row) => row.hash),
        rows.map((row) => row.body),
      ],
    );
  }
  const lastOffset = records.at(-1)!.offset;
  await client.query(
    `INSERT INTO trail_heads (topic, partition, first_offset, last_offset, row_count, hash) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (topic, partition) DO UPDATE
       SET last_offset = excluded.last_offset, row_count = trail_heads.row_count + excluded.row_count, hash = excluded.hash`,
    [first.topic, first.partition, first.offset, lastOffset, records.length, hash],
  );
  return { lastOffset, hash };
}
