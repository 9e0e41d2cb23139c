import { thingKey } from '@tripline/contracts/fact';
import type { Db } from '@tripline/db/database';
import { runKeyIn } from '@tripline/facts/things';
import { instanceOfIssuer } from '@tripline/identity/github/instance';
import { topics } from '@tripline/stream/stream';
import type { ProvedJob } from '../asking.ts';
import type { JobKeys } from '../keys.ts';
import { type ToldRow, type ToldRun, toldColumns, toToldRun } from './known-runs.ts';

/** So long after its expiry a token is remembered: it is refused for five seconds less. */
const marginMs = 60_000;

/**
 * Spends a token, and says whether it was spent before, whether its job or run is known to have ended, and what was told of the run. One
 * statement: of any number of requests with one token, at whatever replica, one finds it unspent.
 */
export async function spend(
  { pool }: Pick<Db, 'pool'>,
  job: ProvedJob,
  { keys, workspace }: { keys: JobKeys; workspace: string },
): Promise<{ isFirst: boolean; hasEnded: boolean; told: ToldRun }> {
  const { issuer, tokenId, expiresAtMs, repository, run } = job;
  const runKey = runKeyIn(thingKey('github', instanceOfIssuer(issuer), repository.id), run.id);
  const { rows } = await pool.query<ToldRow & { first: boolean; ended: boolean }>({
    name: 'access-spend',
    text: `WITH spent AS (
       INSERT INTO access_spent (issuer, token_sha256, expires_at) VALUES ($4, $5, $6)
       ON CONFLICT DO NOTHING RETURNING 1)
     SELECT EXISTS (SELECT FROM spent) AS first, EXISTS (SELECT FROM access_ends WHERE key = ANY ($7)) AS ended, ${toldColumns}`,
    values: [
      ...[topics.events, workspace, runKey, issuer, tokenId.sha256, new Date(expiresAtMs + marginMs)],
      keys.job === null ? [keys.run] : [keys.job, keys.run],
    ],
  });
  const { first, ended, ...told } = rows[0]!;
  return { isFirst: first, hasEnded: ended, told: toToldRun(told, workspace) };
}
