import { FencedError } from '@tripline/db/positions';
import type { ClientBase, Pool } from 'pg';
import type { Ownership } from './state-store.ts';

/** Types of packages/engine/keyed-state/state.ts, as they lie in `rule_state`: rows of the engine itself, few and read whole. */
export type RuleStateKey = { workspace: string; rule: string; key: string };
export type RuleStateRow = RuleStateKey & { value: unknown; expiresMs: number };
export type RuleStateChange = RuleStateKey & { json: string | null; expiresMs: number };

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

/** Writes what a batch changed of them, in the caller's transaction. Each key stands once in `changes`. */
export async function writeRuleState(
  client: ClientBase,
  partition: number,
  changes: readonly RuleStateChange[],
): Promise<void> {
  if (changes.length === 0) return;
  // A change may carry more than its columns, such as names that no JSON in Postgres takes.
  const columns = changes.map(({ workspace, rule, key, json, expiresMs }) => ({
    workspace,
    rule,
    key,
    json,
    expiresMs,
  }));
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
    [partition, JSON.stringify(columns)],
  );
}

/**
 * Deletes rows that expired before `logTimeMs`, at most `limit`; answers how many. Safe whoever owns the partition: a
 * row that is set again meanwhile no longer matches.
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

/**
 * Former detectors kept rules' state here too. Moves some of it into a flush: `pack` makes it of their rows. Answers
 * the flush, or null when nothing is left to move.
 * @throws {FencedError} somebody else owns the partition.
 */
export async function moveFormerState<Flush extends { flush: number; entries: Uint8Array }>(
  client: ClientBase,
  owner: Ownership,
  pack: (rows: readonly RuleStateChange[]) => Flush | null,
  limit = 5000,
): Promise<Flush | null> {
  const { rows } = await client.query<RuleStateChange>(
    `DELETE FROM rule_state WHERE ctid = ANY (ARRAY(
       SELECT ctid FROM rule_state WHERE partition = $1 AND rule NOT LIKE '@%' LIMIT $2))
     RETURNING workspace, rule, key, value::text AS json, expires_ms AS "expiresMs"`,
    [owner.partition, limit],
  );
  const flush = pack(rows);
  if (flush === null) return null;
  const { rowCount } = await client.query(
    `WITH owned AS (
       SELECT 1 FROM positions WHERE consumer = $1 AND topic = $2 AND partition = $3 AND epoch = $4 FOR SHARE
     )
     INSERT INTO state_segments (partition, segment, entries) SELECT $3, $5, $6 FROM owned`,
    [owner.consumer, owner.topic, owner.partition, owner.epoch, flush.flush, Buffer.from(flush.entries)],
  );
  if (rowCount !== 1) throw new FencedError(`${owner.consumer} no longer owns partition ${owner.partition}`);
  return flush;
}
