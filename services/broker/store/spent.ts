import type { Db } from '@tripline/db/database';
import { mayBeOpenAmong } from '@tripline/incidents/open-at';
import { topics } from '@tripline/stream/stream';
import type { AsSpent, ProvedJob } from '../asking.ts';
import type { JobKeys } from '../keys.ts';
import { thingsOfJob } from '../things-of-job.ts';
import { type ToldRow, thingsTold, toldColumns, toToldRun } from './known-runs.ts';

/** So long after its expiry a token is remembered: it is refused for five seconds less. */
const marginMs = 60_000;

/**
 * Spends a token, and says whether it was spent before, whether its job or run is known to have ended, and what is known of the run. One
 * statement: of any number of requests with one token, at whatever replica, one finds it unspent. It is on disk before it is answered: what
 * follows rests on it for seconds, in which Postgres may crash and come back while the broker lives on.
 */
export async function spend(
  { pool }: Pick<Db, 'pool'>,
  job: ProvedJob,
  { keys, workspace }: { keys: JobKeys; workspace: string },
): Promise<{ isFirst: boolean; hasEnded: boolean; asSpent: AsSpent }> {
  const { issuer, tokenId, expiresAtMs } = job;
  const { run, things } = thingsOfJob(job);
  const { rows } = await pool.query<ToldRow & { first: boolean; ended: boolean; mayBeOpen: boolean }>({
    name: 'access-spend',
    text: `WITH spent AS (
       INSERT INTO access_spent (issuer, token_sha256, expires_at) VALUES ($4, $5, $6)
       ON CONFLICT DO NOTHING RETURNING 1)
     SELECT EXISTS (SELECT FROM spent) AS first, EXISTS (SELECT FROM access_ends WHERE key = ANY ($7)) AS ended, ${toldColumns},
       ${mayBeOpenAmong('$2', `SELECT * FROM unnest($8::text[], $9::text[], $10::text[]) AS proved (kind, entity, key) UNION ${thingsTold('$11')}`)} AS "mayBeOpen"`,
    values: [
      ...[topics.events, workspace, run, issuer, tokenId.sha256, new Date(expiresAtMs + marginMs)],
      keys.job === null ? [keys.run] : [keys.job, keys.run],
      ...[
        things.map(({ kind }) => kind),
        things.map(({ id }) => id),
        things.map(({ key }) => key ?? null),
        job.checkRunId,
      ],
    ],
  });
  const { first, ended, mayBeOpen, ...told } = rows[0]!;
  return { isFirst: first, hasEnded: ended, asSpent: { told: toToldRun(told, workspace), mayBeOpen } };
}
