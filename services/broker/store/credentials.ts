import type { Db } from '@tripline/db/database';
import { type AccessEnd, accessChannel, clockMarginMs, endGrants } from '@tripline/db/end-grants';
import { inTransaction } from '@tripline/db/transaction';
import type { JobKeys } from '../keys.ts';
import { keptFault } from './kept-fault.ts';

/** So long after it was minted the sweep asks for the first time whether its job still runs. */
const firstLookMs = 120_000;

/** What a provider minted, as it is kept: never its value but sealed, and only where revoking it takes that. */
export type RecordedCredential = {
  grant: string;
  nth: number;
  handle: Readonly<Record<string, string>>;
  sealed: Buffer | null;
  tokenHash: string;
  mintedAtMs: number;
  expiresAtMs: number;
};

/** What a minted credential became: live, or to be revoked at once, since its grant ended meanwhile. */
export type Recorded = { state: 'live' } | { state: 'ending'; why: AccessEnd };

/**
 * Records what was minted, under the job's lock, before anybody is given it. Where the job has ended or the grant is to end, it
 * is never live: the revoker has it, and nobody may be given it.
 * @throws when the grant or its credential is not there, or was recorded before.
 */
export async function recordMinted(db: Db, keys: JobKeys, minted: RecordedCredential): Promise<Recorded> {
  const { grant, nth, mintedAtMs } = minted;
  const kept = await keepMinted(db, keys, minted);
  if (kept === undefined) throw new Error(`grant ${grant} is not there`);
  const { state, endKey } = kept;
  if (state === null) throw new Error(`credential ${nth} of grant ${grant} is not there, or was recorded before`);
  if (state === 'live') return { state };
  if (kept.endingWhy !== null) return { state, why: kept.endingWhy };
  const why: AccessEnd = endKey === keys.run ? 'run-ended' : 'job-ended';
  await inTransaction(db, (client) => endGrants(client, { grants: [grant] }, { why, atMs: mintedAtMs }));
  return { state, why };
}

/** `state`: what the credential became, null where it could not be recorded; `endingWhy`, `endKey`: by what that was decided. */
type Kept = { state: Recorded['state'] | null; endingWhy: AccessEnd | null; endKey: string | null };

async function keepMinted({ pool }: Db, { run, job }: JobKeys, minted: RecordedCredential): Promise<Kept | undefined> {
  const { grant, nth, handle, sealed, tokenHash, mintedAtMs, expiresAtMs } = minted;
  // `lost`: minting it took so long that the sweep gave it up.
  const { rows } = await pool.query<Kept>({
    name: 'access-record',
    text: `WITH known AS MATERIALIZED (SELECT * FROM access_grant_under_lock($1, $2, $3)),
     became AS (
       SELECT CASE WHEN ending_why IS NULL AND end_key IS NULL THEN 'live' ELSE 'ending' END AS state FROM known),
     kept AS (
       UPDATE access_credentials SET state = became.state, handle = $5, sealed = $6, token_hash = $7, minted_at = $8,
         expires_at = $9, due_at = CASE became.state WHEN 'live' THEN $10::timestamptz ELSE $11::timestamptz END
       FROM became WHERE grant_id = $3 AND nth = $4 AND access_credentials.state IN ('minting', 'lost')
       RETURNING access_credentials.state)
     SELECT kept.state, ending_why AS "endingWhy", end_key AS "endKey",
       CASE kept.state WHEN 'ending' THEN pg_notify('${accessChannel}', $3) END
     FROM known LEFT JOIN kept ON true`,
    values: [
      ...[run, job, grant, nth, JSON.stringify(handle), sealed, tokenHash, new Date(mintedAtMs), new Date(expiresAtMs)],
      ...[new Date(mintedAtMs + firstLookMs), new Date(mintedAtMs - clockMarginMs)],
    ],
  });
  return rows[0];
}

/** Keeps why a provider made none. `fault`: without a secret. */
export async function noteNotMinted(
  { pool }: Pick<Db, 'pool'>,
  { grant, nth, fault }: { grant: string; nth: number; fault: string },
): Promise<void> {
  await pool.query('UPDATE access_credentials SET last_fault = $3 WHERE grant_id = $1 AND nth = $2', [
    ...[grant, nth, keptFault(fault)],
  ]);
}

/** Values that are kept to be revoked by, of what may be alive. */
export async function readSealed({
  pool,
}: Pick<Db, 'pool'>): Promise<readonly { grant: string; nth: number; value: Buffer }[]> {
  const { rows } = await pool.query<{ grant: string; nth: number; value: Buffer }>(
    `SELECT grant_id AS grant, nth, sealed AS value FROM access_credentials
     WHERE sealed IS NOT NULL AND state IN ('live', 'ending', 'stuck')`,
  );
  return rows;
}

/** Keeps which of them nothing opens, and why; of the others that are live, that nothing is wrong with them. */
export async function noteSealFaults(
  { pool }: Pick<Db, 'pool'>,
  faults: readonly { grant: string; nth: number; fault: string }[],
): Promise<void> {
  await pool.query(
    `WITH faults AS MATERIALIZED (
       SELECT * FROM unnest($1::text[], $2::int[], $3::text[]) AS f (grant_id, nth, fault))
     UPDATE access_credentials c SET last_fault = f.fault
     FROM access_credentials own LEFT JOIN faults f ON f.grant_id = own.grant_id AND f.nth = own.nth
     WHERE c.grant_id = own.grant_id AND c.nth = own.nth AND c.state = 'live' AND c.last_fault IS DISTINCT FROM f.fault`,
    [faults.map(({ grant }) => grant), faults.map(({ nth }) => nth), faults.map(({ fault }) => keptFault(fault))],
  );
}
