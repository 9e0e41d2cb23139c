import type { Db } from '@tripline/db/database';
import { queueChannel } from '@tripline/db/queue';
import { inTransaction } from '@tripline/db/transaction';
import type { SlackReference } from '@tripline/integrations/slack/client';

/** A prompt as whoever is asked is written to of it. */
export type ReadAsk = {
  /** `closed`: nobody approved it in time, or the number was wrong too often. */
  state: 'open' | 'approved' | 'refused' | 'closed';
  link: string | null;
  expiresAt: Date;
  answeredBy: string | null;
  answeredAt: Date | null;
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
    `SELECT CASE WHEN state = 'open' AND expires_at <= $2 THEN 'closed' ELSE state END AS state, link, shown,
       expires_at AS "expiresAt", answered_by->>'name' AS "answeredBy", answered_at AS "answeredAt"
     FROM access_step_ups WHERE id = $1`,
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

/** Keeps where somebody was written to of a prompt, and has that looked at again when the prompt expires. */
export async function keepMessage(
  db: Db,
  id: string,
  { channel, ts }: SlackReference,
  { expiresAt }: Pick<ReadAsk, 'expiresAt'>,
): Promise<void> {
  await inTransaction(db, async (client) => {
    await client.query('INSERT INTO access_prompt_messages (prompt, channel, ts) VALUES ($1, $2, $3)', [
      id,
      channel,
      ts,
    ]);
    await client.query(`INSERT INTO queue (purpose, item, due_at) VALUES ('prompt', $1, $2) ON CONFLICT DO NOTHING`, [
      `${id} expired`,
      expiresAt,
    ]);
  });
}

/** Messages of a prompt that show something else of it. */
export async function readStale(
  { pool }: Pick<Db, 'pool'>,
  id: string,
  shows: ReadAsk['state'],
): Promise<SlackReference[]> {
  const { rows } = await pool.query<SlackReference>(
    'SELECT channel, ts FROM access_prompt_messages WHERE prompt = $1 AND shows <> $2 ORDER BY channel, ts',
    [id, shows],
  );
  return rows;
}

export async function noteShown(
  { pool }: Pick<Db, 'pool'>,
  { channel, ts }: SlackReference,
  shows: ReadAsk['state'],
): Promise<void> {
  await pool.query('UPDATE access_prompt_messages SET shows = $3 WHERE channel = $1 AND ts = $2', [channel, ts, shows]);
}
