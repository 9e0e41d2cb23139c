import type { ClientBase } from 'pg';

/**
 * Grants of a thing, by its key (`access_grants.things`), of which a credential is alive: live, being minted, or being revoked
 * while its provider has not said that it is dead. The newest first, at most a thousand.
 */
export async function aliveGrants(
  client: Pick<ClientBase, 'query'>,
  { workspace, key }: { workspace: string; key: string },
): Promise<{ id: string; policy: string; tier: string }[]> {
  const { rows } = await client.query<{ id: string; policy: string; tier: string }>(
    `SELECT id, policy, tier FROM access_grants g WHERE workspace = $1 AND things && $2
       AND EXISTS (SELECT FROM access_credentials c WHERE c.grant_id = g.id AND c.state NOT IN ('dead', 'lost'))
     ORDER BY asked_at DESC, id LIMIT 1000`,
    [workspace, [key]],
  );
  return rows;
}
