import type { Db } from '@tripline/db/database';
import type { SinkName } from '@tripline/db/tables/messages';

/** A call to a sink failed, and others would: kept until one succeeds. */
export async function noteSinkTrouble(db: Db, sink: SinkName, reason: string): Promise<void> {
  await db.pool.query(
    `INSERT INTO sink_troubles AS t (sink, reason) VALUES ($1, $2)
     ON CONFLICT (sink) DO UPDATE SET reason = excluded.reason, tried_at = greatest(t.since, clock_timestamp())`,
    [sink, reason],
  );
}

/** A sink took a call again, or is no longer configured. */
export async function clearSinkTrouble(db: Db, sink: SinkName): Promise<void> {
  await db.pool.query('DELETE FROM sink_troubles WHERE sink = $1', [sink]);
}

/** A sink that takes nothing. Times are RFC 3339. */
export type SinkTrouble = {
  sink: SinkName;
  /** Since when all calls fail, and when the last did. */
  since: string;
  triedAt: string;
  /** Why the last failed: a word of the integration's, such as `no-channel` or `timeout`. */
  reason: string;
  /** It will not mend itself, or has not for five minutes: somebody must look. */
  gaveUp: boolean;
  /** Messages that wait for it; counted to 1,000. */
  waiting: number;
};

/** Reasons that only a person can mend: the credential, its rights, or the channel. The sink is asked ever more seldom. */
export const mendedByPeople: ReadonlySet<string> = new Set(['unauthorised', 'forbidden', 'no-channel']);

/** Sinks that take nothing at present, for `tripline doctor`, `/readyz` and the screen; none when all is well. */
export async function readSinkTroubles(db: Db): Promise<SinkTrouble[]> {
  const { rows } = await db.pool.query<{
    sink: SinkName;
    since: Date;
    tried_at: Date;
    reason: string;
    long: boolean;
    waiting: number;
  }>(
    `SELECT sink, since, tried_at, reason, since < clock_timestamp() - interval '5 minutes' AS long,
       (SELECT count(*)::int FROM (SELECT FROM told WHERE sink = s.sink AND due_at IS NOT NULL LIMIT 1000) w) AS waiting
     FROM sink_troubles s ORDER BY sink`,
  );
  return rows.map(({ tried_at, since, long, ...row }) => ({
    ...row,
    since: since.toISOString(),
    triedAt: tried_at.toISOString(),
    gaveUp: long || mendedByPeople.has(row.reason),
  }));
}
