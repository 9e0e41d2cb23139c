import type { Db } from '@tripline/db/database';
import { partitionOf } from '@tripline/stream/partition';
import { topics } from '@tripline/stream/stream';
import { addToTrail, makeTrailDays, type TrailHead, type TrailRecord } from '@tripline/trail/trail';
import { makeCorpus } from './corpus.ts';
import { recordsOf } from './records.ts';

/** As many as Kafka's topic has unless told otherwise. */
const partitions = 12;
const perPiece = 20_000;
const dayMs = 86_400_000;
/** Of the corpus's deliveries an eighth is ignored: so some 300,000 a day are kept. */
const everyMs = 250;
/** Of a partition more than a day has. */
const offsetsADay = 1_000_000;

export type FullTrail = { records: number; from: Date; to: Date; attacks: number };

/**
 * Fills the trail with some days of 300,000 events each: what 200 organisations did on one day (or its first `deliveries`), as the
 * recorder keeps it, and the same again on each later day, by organisations of their own; times, ids and hashes of bodies are
 * those of that day.
 */
export async function fillTrail(
  db: Db,
  { deliveries, days }: { deliveries: number; days: number },
): Promise<FullTrail> {
  const startMs = Math.floor(Date.now() / dayMs) * dayMs - days * dayMs;
  const first = await fillDay(db, startMs, Math.min(deliveries, dayMs / everyMs));
  for (let day = 1; day < days; day += 1) await copyDay(db, startMs, day);
  // As Postgres itself does with a day's rows: else whoever reads them first pays for looking up that they are committed.
  await db.pool.query('VACUUM (ANALYZE) trail');
  const to = new Date(startMs + days * dayMs);
  return { records: first.records * days, attacks: first.attacks * days, from: new Date(startMs), to };
}

async function fillDay({ pool }: Db, startMs: number, deliveries: number) {
  const tips = new Map<string, string>();
  const made = new Set<number>();
  const heads = new Map<number, TrailHead>();
  let [records, attacks] = [0, 0];
  const client = await pool.connect();
  try {
    for (let done = 0; done < deliveries; done += perPiece) {
      const corpus = makeCorpus({
        ...{ deliveries: Math.min(perPiece, deliveries - done), workspaces: 200, attackEvery: 500, answered: true },
        // Numbers of its own for each piece.
        ...{ seed: 42 + done * 10, startMs: startMs + done * everyMs, everyMs, tips },
      });
      attacks += corpus.attacks.length;
      if (done > 0) corpus.inventories.clear();
      for (const of of byPartition(recordsOf(corpus), heads)) {
        const { partition } = of[0]!;
        await makeTrailDays(pool, of, made);
        await client.query('BEGIN');
        heads.set(partition, (await addToTrail(client, heads.get(partition) ?? null, of))!);
        await client.query('COMMIT');
        records += of.length;
      }
    }
  } finally {
    client.release();
  }
  return { records, attacks };
}

function byPartition(records: ReturnType<typeof recordsOf>, heads: ReadonlyMap<number, TrailHead>): TrailRecord[][] {
  const partitioned = new Map<number, TrailRecord[]>();
  for (const { topic, key, headers, value } of records) {
    const partition = partitionOf(key, partitions);
    const of = partitioned.get(partition) ?? [];
    partitioned.set(partition, of);
    const offset = (heads.get(partition)?.lastOffset ?? -1) + 1 + of.length;
    const appendedAtMs = Date.parse(headers['ce_time']!);
    of.push({ topic, partition, offset, appendedAtMs, key, headers, value, fault: null });
  }
  return [...partitioned.values()];
}

/** Within Postgres, since making events costs some ten times as much. */
async function copyDay({ pool }: Db, startMs: number, day: number): Promise<void> {
  const dateOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);
  const [date, later] = [dateOf(startMs), dateOf(startMs + day * dayMs)];
  await pool.query('SELECT make_trail_day($1::date)', [later]);
  await pool.query(
    `INSERT INTO trail (topic, partition, "offset", appended_at, event_id, event_type, workspace, key, headers, value, hash)
     SELECT topic, partition, "offset" + $1::int * $2::int, appended_at + $1::int * interval '1 day', event_id || $3, event_type, workspace || $3,
       convert_to(workspace || $3, 'UTF8'),
       (head || jsonb_build_object('ce_id', event_id || $3, 'ce_workspace', workspace || $3,
         'ce_time', replace(head->>'ce_time', $4, $5))
         || CASE WHEN head ? 'ce_bodysha256'
           THEN jsonb_build_object('ce_bodysha256', encode(sha256(convert_to((head->>'ce_bodysha256') || $3, 'UTF8')), 'hex')) ELSE '{}' END)::json,
       convert_to(replace(convert_from(value, 'UTF8'), $4 || 'T', $5 || 'T'), 'UTF8'), hash
     FROM (SELECT *, headers::jsonb AS head FROM trail WHERE topic = $6 AND appended_at >= $7 AND appended_at < $8) AS first`,
    [day, offsetsADay, `-${day}`, date, later, topics.events, new Date(startMs), new Date(startMs + dayMs)],
  );
}
