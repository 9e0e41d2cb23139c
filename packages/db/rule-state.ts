import type { ClientBase, Pool } from 'pg';

/** Types of packages/engine/state.ts, as they lie in `rule_state`. */
export type RuleStateKey = { workspace: string; rule: string; key: string };
export type RuleStateRow = RuleStateKey & { value: unknown; expiresMs: number };
export type RuleStateChange = RuleStateKey & { json: string | null; expiresMs: number };

/**
 * Reads the rows of many keys in one query. The keys go as one JSON text: arrays of more than 500 members cost `pg`
 * and the collector far more.
 */
export async function readRuleState(client: ClientBase | Pool, keys: readonly RuleStateKey[]): Promise<RuleStateRow[]> {
  if (keys.length === 0) return [];
  const { rows } = await client.query<RuleStateRow>(
    `SELECT s.workspace, s.rule, s.key, s.value, s.expires_ms AS "expiresMs"
     FROM json_to_recordset($1::json) AS k(workspace text, rule text, key text)
     JOIN rule_state s ON s.workspace = k.workspace AND s.rule = k.rule AND s.key = k.key`,
    [JSON.stringify(keys)],
  );
  return rows;
}

/** The engine's own rows of a partition that have not expired, all of them. */
export async function readEngineRows(
  client: ClientBase | Pool,
  partition: number,
  logTimeMs: number,
): Promise<RuleStateRow[]> {
  const { rows } = await client.query<RuleStateRow>(
    `SELECT workspace, rule, key, value, expires_ms AS "expiresMs" FROM rule_state
     WHERE partition = $1 AND rule LIKE '@%' AND expires_ms > $2`,
    [partition, logTimeMs],
  );
  return rows;
}

/** Writes what a batch changed, in the caller's transaction. Each key stands once in `changes`. */
export async function writeRuleState(
  client: ClientBase,
  partition: number,
  changes: readonly RuleStateChange[],
): Promise<void> {
  if (changes.length === 0) return;
  await client.query(
    `WITH changes AS MATERIALIZED (
       SELECT * FROM json_to_recordset($2::json) AS c(workspace text, rule text, key text, json text, "expiresMs" bigint)
     ), gone AS (
       DELETE FROM rule_state s USING changes c
       WHERE c.json IS NULL AND s.workspace = c.workspace AND s.rule = c.rule AND s.key = c.key
     )
     INSERT INTO rule_state (workspace, rule, key, value, expires_ms, partition)
     SELECT workspace, rule, key, json::json, "expiresMs", $1 FROM changes WHERE json IS NOT NULL
     ON CONFLICT (workspace, rule, key) DO UPDATE
       SET value = excluded.value, expires_ms = excluded.expires_ms, partition = excluded.partition`,
    [partition, JSON.stringify(changes)],
  );
}

/**
 * Deletes rows that expired before `logTimeMs`, at most `limit`; answers how many. Safe beside any owner: a row that is
 * set anew meanwhile no longer matches.
 */
export async function sweepRuleState(
  client: ClientBase | Pool,
  partition: number,
  logTimeMs: number,
  limit = 5000,
): Promise<number> {
  const { rowCount } = await client.query(
    `DELETE FROM rule_state WHERE expires_ms <= $2 AND ctid = ANY (ARRAY(
       SELECT ctid FROM rule_state WHERE partition = $1 AND expires_ms <= $2 LIMIT $3))`,
    [partition, logTimeMs, limit],
  );
  return rowCount ?? 0;
}
