import type { Db } from '@tripline/db/database';
import { queueChannel } from '@tripline/db/queue';

/** A prompt as whoever is asked is written to of it. */
export type ReadAsk = {
  isOpen: boolean;
  link: string | null;
  shown: {
    repository: { name: string };
    run?: { id: string; attempt: number };
    sha: string;
    environment: string | null;
    actor: { name: string };
    policy: string;
    asked: { people: { id: string; name: string }[] };
  };
};

/** The number of a prompt is none of the notifier’s: its role may not read it. */
export async function readAsk({ pool }: Pick<Db, 'pool'>, id: string, nowMs: number): Promise<ReadAsk | undefined> {
  const { rows } = await pool.query<ReadAsk>(
    `SELECT state = 'open' AND expires_at > $2 AS "isOpen", link, shown FROM access_step_ups WHERE id = $1`,
    [id, new Date(nowMs)],
  );
  return rows[0];
}

/** Has each written to by itself, so that a failure of one repeats nothing to the others. */
export async function addAsks({ pool }: Pick<Db, 'pool'>, items: readonly string[]): Promise<void> {
  await pool.query(
    `INSERT INTO queue (purpose, item, due_at) SELECT 'prompt', item, clock_timestamp() FROM unnest($1::text[]) AS item
     ON CONFLICT DO NOTHING`,
    [items],
  );
  await pool.query('SELECT pg_notify($1, $2)', [queueChannel, 'prompt']);
}
