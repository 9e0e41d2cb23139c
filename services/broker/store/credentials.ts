import type { Db } from '@tripline/db/database';
import { type AccessEnd, accessChannel, clockMarginMs, endGrants } from '@tripline/db/end-grants';
import { inTransaction } from '@tripline/db/transaction';
import type { PoolClient } from 'pg';
import type { JobKeys } from '../keys.ts';
import { endOf, lockJob } from './ends.ts';

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
  return inTransaction(db, async (client) => {
    await lockJob(client, keys);
    const { rows } = await client.query<{ ending_why: AccessEnd | null }>(
      'SELECT ending_why FROM access_grants WHERE id = $1 FOR UPDATE',
      [minted.grant],
    );
    const grant = rows[0];
    if (grant === undefined) throw new Error(`grant ${minted.grant} is not there`);
    let why = grant.ending_why;
    if (why === null) {
      const end = await endOf(client, keys);
      if (end !== undefined) {
        why = `${end.of}-ended`;
        await endGrants(client, { grants: [minted.grant] }, { why, atMs: minted.mintedAtMs });
      }
    }
    await keepMinted(client, minted, why === null ? 'live' : 'ending');
    return why === null ? { state: 'live' } : { state: 'ending', why };
  });
}

async function keepMinted(client: PoolClient, minted: RecordedCredential, state: Recorded['state']): Promise<void> {
  const { grant, nth, handle, sealed, tokenHash, mintedAtMs, expiresAtMs } = minted;
  const dueMs = state === 'live' ? mintedAtMs + firstLookMs : mintedAtMs - clockMarginMs;
  // `lost`: minting it took so long that the sweep gave it up.
  const { rowCount } = await client.query(
    `UPDATE access_credentials SET state = $3, handle = $4, sealed = $5, token_hash = $6, minted_at = $7, expires_at = $8,
       due_at = $9
     WHERE grant_id = $1 AND nth = $2 AND state IN ('minting', 'lost')`,
    [
      grant,
      nth,
      state,
      JSON.stringify(handle),
      sealed,
      tokenHash,
      new Date(mintedAtMs),
      new Date(expiresAtMs),
      new Date(dueMs),
    ],
  );
  if (rowCount !== 1) throw new Error(`credential ${nth} of grant ${grant} is not there, or was recorded before`);
  if (state === 'ending') await client.query(`SELECT pg_notify('${accessChannel}', $1)`, [grant]);
}
