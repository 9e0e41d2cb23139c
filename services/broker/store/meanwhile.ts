import type { Entity } from '@tripline/contracts/finding';
import { type OpenIncident, openAtText, openAtValues } from '@tripline/incidents/open-at';
import type { ClientBase } from 'pg';

/** What may forbid by now what was decided before. */
export type Meanwhile = { isStopped: boolean; incidents: readonly OpenIncident[] };

/** Whose incidents are asked for: of `things` in a workspace, which are none where the policy minds no incident. */
export type MeanwhileOf = { workspace: string; things: readonly Entity[] };

/**
 * Whether people have stopped all that Tripline does by itself, and which incidents are open that name one of `things`. One statement,
 * since a job waits for it before each mint.
 */
export async function readMeanwhile(
  client: Pick<ClientBase, 'query'>,
  { workspace, things }: MeanwhileOf,
): Promise<Meanwhile> {
  const { rows } = await client.query<Meanwhile>({
    name: 'access-meanwhile',
    text: `SELECT coalesce((SELECT stopped FROM switches WHERE name = 'remediation'), false) AS "isStopped",
      (SELECT coalesce(json_agg(o), '[]') FROM (${openAtText}) AS o) AS incidents`,
    values: openAtValues(workspace, things),
  });
  return rows[0]!;
}
