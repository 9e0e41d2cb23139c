import type { Db } from '@tripline/db/database';

/** What the engine keeps of each workspace, as it lies there; packages/engine/workspace-facts.ts says what it is. */
export async function readWorkspaceFacts(db: Db): Promise<{ workspace: string; facts: unknown }[]> {
  const { rows } = await db.pool.query<{ workspace: string; facts: unknown }>(
    `SELECT workspace, value AS facts FROM rule_state WHERE rule = '@workspace' ORDER BY workspace`,
  );
  return rows;
}
