import { setImmediate } from 'node:timers/promises';
import { type CopiedRows, copyOut, type Fields } from '@tripline/db/copy-out';
import type { Db } from '@tripline/db/database';
import pg from 'pg';
import type { TrailRecord } from './trail.ts';

/** A record of a topic as the trail keeps it. */
export type KeptRecord = Omit<TrailRecord, 'fault'>;

/** Records of one partition of a topic, in order, that the log took in from `from` on and before `to`. */
export type Stretch = {
  topic: string;
  partition: number;
  from: Date;
  to: Date;
  /** Only this workspace's; all where it is absent. */
  workspace?: string;
  /**
   * Types of events that are read: of a record of any other type only the headers `ce_type` and `ce_workspace` are read, and no
   * value. All are read where it is absent.
   */
  types?: ReadonlySet<string>;
};

/** Rows of one query: so many that its own cost is nothing to theirs, and no more than some megabytes. */
const perQuery = 4000;
/** Records handed over at once: few, so that what is made of them is gone again when the next are made. */
const atOnce = 500;
const dayMs = 86_400_000;

/** How many records the trail kept of a topic between two times, by partition. */
export async function countLog(
  { pool }: Pick<Db, 'pool'>,
  { topic, from, to }: Omit<Stretch, 'partition' | 'workspace'>,
): Promise<{ partition: number; records: number }[]> {
  const { rows } = await pool.query<{ partition: number; records: string }>(
    `SELECT partition, count(*) AS records FROM trail
     WHERE topic = $1 AND appended_at >= $2 AND appended_at < $3 GROUP BY partition ORDER BY partition`,
    [topic, from, to],
  );
  return rows.map(({ partition, records }) => ({ partition, records: Number(records) }));
}

/**
 * What the trail kept of a stretch, in order. A day at a time, since the trail is cut into days: so a query looks at one of
 * them, and holds none back from being dropped. The next query is under way while what the last one gave is used.
 */
export async function* readLog({ pool }: Pick<Db, 'pool'>, stretch: Stretch): AsyncGenerator<KeptRecord[]> {
  const { topic, partition, from, to, workspace, types } = stretch;
  const isWanted = types === undefined ? 'true' : `(workspace IS NULL OR event_type IS NULL OR ${among(types)})`;
  const where = `topic = ${quoted(topic)} AND partition = ${partition}${workspace === undefined ? '' : ` AND workspace = ${quoted(workspace)}`}`;
  const rowOf = (fields: Fields) => keptInBinary(topic, partition, fields);
  let [offset, dayFrom, isLeft] = [-1, from, false];

  /** Undefined at the end. */
  async function query(): Promise<CopiedRows<KeptRecord> | undefined> {
    while (dayFrom < to && !isLeft) {
      const dayTo = new Date(Math.min(to.getTime(), (Math.floor(dayFrom.getTime() / dayMs) + 1) * dayMs));
      const rows = await copyOut(
        pool,
        `SELECT "offset", appended_at, key, CASE WHEN NOT wanted THEN event_type END, CASE WHEN NOT wanted THEN workspace END,
           CASE WHEN wanted THEN headers END, CASE WHEN wanted THEN value END
         FROM (SELECT *, ${isWanted} AS wanted FROM trail
           WHERE ${where} AND "offset" > ${offset} AND appended_at >= ${quoted(dayFrom)} AND appended_at < ${quoted(dayTo)}
           ORDER BY "offset" LIMIT ${perQuery}) AS next`,
        rowOf,
      );
      if (rows.count < perQuery) dayFrom = dayTo;
      if (rows.count > 0) return rows;
    }
    return undefined;
  }

  let reading = query();
  try {
    for (let rows = await reading; rows !== undefined; rows = await reading) {
      offset = rows.last().offset;
      reading = query();
      for (let left = rows.count; left > 0; left -= atOnce) {
        yield rows.take(atOnce);
        // The answer to the next query is taken in meanwhile.
        await setImmediate();
      }
    }
  } finally {
    isLeft = true;
    await reading.catch(() => {});
  }
}

/** Where the trail has an event, oldest first: more than one where its delivery came again. `fault`: why no reader can use it. */
export async function findEvent({ pool }: Pick<Db, 'pool'>, eventId: string): Promise<Found[]> {
  const { rows } = await pool.query<Row & Omit<Found, 'record'> & { topic: string; partition: number }>(
    `SELECT topic, partition, "offset", appended_at, key, headers, value, workspace, fault, repeats FROM trail
     WHERE event_id = $1 ORDER BY appended_at, "offset" LIMIT 100`,
    [eventId],
  );
  return rows.map(({ topic, partition, workspace, fault, repeats, ...row }) => ({
    ...{ workspace, fault, repeats },
    record: keptOf(topic, partition, row),
  }));
}

/** `repeats`: the event that told the same body before. */
export type Found = { record: KeptRecord; workspace: string | null; fault: string | null; repeats: string | null };

type Row = { offset: number; appended_at: Date; key: Buffer; headers: Record<string, string>; value: Buffer | null };

/** Which records are wanted of those that some reader could use. */
export type Newest = Omit<Stretch, 'partition' | 'types'> & {
  /** Only of these types; of all where it is absent. */
  types?: readonly string[];
  /** None after this one of its partition. */
  upTo?: { partition: number; offset: number };
  most: number;
};

/** The newest records of a topic that the log took in between two times, in the order of the log's time. */
export async function readNewest({ pool }: Pick<Db, 'pool'>, newest: Newest): Promise<KeptRecord[]> {
  const { topic, from, to, workspace, types, upTo, most } = newest;
  const { rows: chains } = await pool.query<{ partition: number }>(
    'SELECT partition FROM trail_heads WHERE topic = $1 AND ($2::int IS NULL OR partition = $2) ORDER BY partition',
    [topic, upTo?.partition ?? null],
  );
  const found: KeptRecord[] = [];
  for (const { partition } of chains) {
    const { rows } = await pool.query<Row>(
      `SELECT "offset", appended_at, key, headers, value FROM trail
       WHERE topic = $1 AND partition = $2 AND appended_at >= $3 AND appended_at < $4 AND fault IS NULL
         AND ($5::text IS NULL OR workspace = $5) AND ($6::text[] IS NULL OR event_type = ANY ($6))
         AND ($7::bigint IS NULL OR "offset" <= $7)
       ORDER BY "offset" DESC LIMIT $8`,
      [topic, partition, from, to, workspace ?? null, types ?? null, upTo?.offset ?? null, most],
    );
    found.push(...rows.map((row) => keptOf(topic, partition, row)));
  }
  const inOrder = found.sort(
    (a, b) => a.appendedAtMs - b.appendedAtMs || a.partition - b.partition || a.offset - b.offset,
  );
  return inOrder.slice(-most);
}

const keptOf = (topic: string, partition: number, row: Row): KeptRecord => ({
  ...{ topic, partition, offset: Number(row.offset), appendedAtMs: row.appended_at.getTime() },
  ...{ key: row.key.toString(), headers: row.headers, value: row.value },
});

/** Microseconds between 1970 and Postgres's own beginning of time, 2000. */
const postgresEpochMs = 946_684_800_000;

function keptInBinary(topic: string, partition: number, { bigint, text, bytes }: Fields): KeptRecord {
  const [offset, appendedAtMs] = [bigint(), Math.floor(bigint() / 1000) + postgresEpochMs];
  const [key, type, workspace, headers, value] = [text()!, text(), text(), text(), bytes()];
  return {
    ...{ topic, partition, offset, appendedAtMs, key, value },
    headers: headers === null ? { ce_type: type!, ce_workspace: workspace! } : JSON.parse(headers),
  };
}

const among = (types: ReadonlySet<string>): string => `event_type IN (${[...types].map(quoted).join(', ')})`;
const quoted = (value: string | Date): string =>
  pg.escapeLiteral(typeof value === 'string' ? value : value.toISOString());
