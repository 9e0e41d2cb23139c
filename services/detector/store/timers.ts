import type { ClientBase, Pool } from 'pg';

/** Types of packages/engine/timers.ts, as they lie in `timers`. */
export type TimerRow = { workspace: string; rule: string; id: string; dueMs: number; keys: readonly string[] };
export type TimerRowChange = Omit<TimerRow, 'dueMs'> & { dueMs: number | null };

export async function readTimers(client: ClientBase | Pool, partition: number): Promise<TimerRow[]> {
  const { rows } = await client.query<TimerRow>(
    'SELECT workspace, rule, id, due_ms AS "dueMs", keys FROM timers WHERE partition = $1',
    [partition],
  );
  return rows;
}

/** Writes what a batch changed, in the caller's transaction. Each timer stands once in `changes`. */
export async function writeTimers(
  client: ClientBase,
  partition: number,
  changes: readonly TimerRowChange[],
): Promise<void> {
  if (changes.length === 0) return;
  await client.query(
    `WITH changes AS MATERIALIZED (
       SELECT * FROM json_to_recordset($2::json) AS c(workspace text, rule text, id text, "dueMs" bigint, keys json)
     ), gone AS (
       DELETE FROM timers t USING changes c
       WHERE c."dueMs" IS NULL AND t.workspace = c.workspace AND t.rule = c.rule AND t.id = c.id
     )
     INSERT INTO timers (workspace, rule, id, due_ms, keys, partition)
     SELECT workspace, rule, id, "dueMs", keys, $1 FROM changes WHERE "dueMs" IS NOT NULL
     ON CONFLICT (workspace, rule, id) DO UPDATE
       SET due_ms = excluded.due_ms, keys = excluded.keys, partition = excluded.partition`,
    [partition, JSON.stringify(changes)],
  );
}
