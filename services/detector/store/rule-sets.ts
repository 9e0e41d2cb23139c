import { FencedError } from '@tripline/db/positions';
import type { ClientBase, Pool } from 'pg';
import type { Ownership } from './state-store.ts';

/**
 * Keeps by which set of rules a partition is judged from where its position stands; a set by which it was judged already
 * adds nothing.
 * @throws {FencedError} somebody else owns the partition.
 */
export async function noteRuleSet(
  client: ClientBase | Pool,
  owner: Ownership,
  { version, madeOf }: { version: string; madeOf: object },
): Promise<void> {
  const { rows } = await client.query<{ owned: number }>(
    `WITH owned AS (
       SELECT next, log_time_ms FROM positions
       WHERE consumer = $1 AND topic = $2 AND partition = $3 AND epoch = $4 FOR SHARE
     ), made AS (
       INSERT INTO rule_sets (version, made_of) SELECT $5, $6 FROM owned ON CONFLICT (version) DO NOTHING
     ), used AS (
       INSERT INTO rule_set_uses (partition, next, log_time_ms, version)
       SELECT $3, next, log_time_ms, $5 FROM owned
       WHERE $5 IS DISTINCT FROM (SELECT version FROM rule_set_uses WHERE partition = $3 ORDER BY use DESC LIMIT 1)
     )
     SELECT count(*)::integer AS owned FROM owned`,
    [owner.consumer, owner.topic, owner.partition, owner.epoch, version, JSON.stringify(madeOf)],
  );
  if (rows[0]?.owned !== 1) throw new FencedError(`${owner.consumer} no longer owns partition ${owner.partition}`);
}
