import type { Entity } from '@tripline/contracts/finding';
import type { Db } from '@tripline/db/database';
import { isRemediationStopped } from '@tripline/incidents/kill-switch';
import { type OpenIncident, openAtText, openAtValues } from '@tripline/incidents/open-at';

/** What may forbid by now what was decided before. */
export type Meanwhile = { isStopped: boolean; incidents: readonly OpenIncident[] };

/**
 * Whether people have stopped all that Tripline does by itself, and which incidents are open that name one of `things`; undefined where
 * its policy minds none. One statement, since a job waits for it before each mint.
 */
export async function readMeanwhile(
  db: Pick<Db, 'pool'>,
  { workspace, things }: { workspace: string; things: readonly Entity[] | undefined },
): Promise<Meanwhile> {
  if (things === undefined) return { isStopped: await isRemediationStopped(db), incidents: [] };
  const { rows } = await db.pool.query<Meanwhile>({
    name: 'access-meanwhile',
    text: `SELECT coalesce((SELECT stopped FROM switches WHERE name = 'remediation'), false) AS "isStopped",
      (SELECT coalesce(json_agg(o), '[]') FROM (${openAtText}) AS o) AS incidents`,
    values: openAtValues(workspace, things),
  });
  return rows[0]!;
}
