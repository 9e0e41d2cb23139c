import type { Db } from '@tripline/db/database';
import { inTransaction } from '@tripline/db/transaction';

/** Who may have it: an account of a GitHub. */
export type Owner = { instance: string; account: { id: string; name: string } };
export type NewPasskey = Owner & {
  id: string;
  workspace: string;
  confirmKey: string;
  publicKey: Uint8Array;
  counter: number;
};
export type Passkey = {
  id: string;
  workspace: string;
  instance: string;
  accountId: string;
  accountName: string;
  publicKey: Buffer;
  counter: number;
  madeAt: Date;
};

/** SQL: `passkey`, an alias of access_passkeys, is ended neither by whoever denied it nor by the command line. */
const stands = (passkey: string): string =>
  `(${passkey}.ended_at IS NULL AND NOT EXISTS (SELECT FROM access_proof_ends e WHERE e.proof = ${passkey}.id))`;
/** SQL: the passkey whose id `id` is counts. */
export const passkeyCounts = (id: string): string =>
  `EXISTS (SELECT FROM access_passkeys p WHERE p.id = ${id} AND p.confirmed_at IS NOT NULL AND ${stands('p')})`;

/** How long one waits for its confirmation. */
export const confirmMs = 86_400_000;
/** Passkeys of one account that count or wait. */
const mostOfOne = 10;

/** Keeps a passkey that counts for nothing yet. False where the account has too many, or where it is there already. */
export async function keepPasskey(db: Db, of: NewPasskey, nowMs: number): Promise<boolean> {
  const { instance, account, publicKey } = of;
  const { rowCount } = await db.pool.query(
    `INSERT INTO access_passkeys (id, workspace, confirm_key, instance, account_id, account_name, public_key, counter, made_at)
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9
     WHERE (SELECT count(*) FROM access_passkeys p WHERE instance = $4 AND account_id = $5 AND ${stands('p')}
              AND (confirmed_at IS NOT NULL OR made_at > $10)) < $11
     ON CONFLICT DO NOTHING`,
    [
      ...[of.id, of.workspace, of.confirmKey, instance, account.id, account.name, Buffer.from(publicKey), of.counter],
      ...[new Date(nowMs), new Date(nowMs - confirmMs), mostOfOne],
    ],
  );
  return rowCount === 1;
}

const columns = `id, workspace, instance, account_id AS "accountId", account_name AS "accountName", public_key AS "publicKey",
  counter, made_at AS "madeAt"`;

/** Ids of an account's passkeys, so that the same is not made twice. */
export async function listPasskeys(db: Db, { instance, account }: Owner): Promise<string[]> {
  const { rows } = await db.pool.query<{ id: string }>(
    `SELECT id FROM access_passkeys p WHERE instance = $1 AND account_id = $2 AND ${stands('p')}`,
    [instance, account.id],
  );
  return rows.map(({ id }) => id);
}

/** One that waits for its confirmation. */
export async function readWaiting(db: Db, confirmKey: string, nowMs: number): Promise<Passkey | undefined> {
  const { rows } = await db.pool.query<Passkey>(
    `SELECT ${columns} FROM access_passkeys p
     WHERE confirm_key = $1 AND confirmed_at IS NULL AND ${stands('p')} AND made_at > $2`,
    [confirmKey, new Date(nowMs - confirmMs)],
  );
  return rows[0];
}

/** One that counts. */
export async function readConfirmed(db: Db, id: string, instance: string): Promise<Passkey | undefined> {
  const { rows } = await db.pool.query<Passkey>(
    `SELECT ${columns} FROM access_passkeys p
     WHERE id = $1 AND instance = $2 AND confirmed_at IS NOT NULL AND ${stands('p')}`,
    [id, instance],
  );
  return rows[0];
}

/** Notes a use. False where it was used meanwhile with this counter or a later one: one of the two is a copy, or a replay. */
export async function noteUse(
  db: Db,
  { id, counter, challengeSha256, untilMs }: { id: string; counter: number; challengeSha256: string; untilMs: number },
  nowMs: number,
): Promise<boolean> {
  return inTransaction(db, async (client) => {
    const spent = await client.query(
      `INSERT INTO access_spent (issuer, token_sha256, expires_at) VALUES ('tripline passkeys', $1, $2)
       ON CONFLICT DO NOTHING`,
      [challengeSha256, new Date(untilMs)],
    );
    if (spent.rowCount !== 1) return false;
    const { rowCount } = await client.query(
      `UPDATE access_passkeys p SET counter = $2, last_used_at = $3
       WHERE id = $1 AND ${stands('p')} AND (counter < $2 OR (counter = 0 AND $2 = 0))`,
      [id, counter, new Date(nowMs)],
    );
    return rowCount === 1;
  });
}

/** Notes what the second person says, once. `record` appends it to the log before it counts. */
export async function decidePasskey(
  db: Db,
  confirmKey: string,
  { isTheirs, by, nowMs }: { isTheirs: boolean; by: { id: string; name: string }; nowMs: number },
  record: (passkey: Passkey, isFirst: boolean) => Promise<void>,
): Promise<boolean> {
  return inTransaction(db, async (client) => {
    const { rows } = await client.query<Passkey>(
      `SELECT ${columns} FROM access_passkeys p
       WHERE confirm_key = $1 AND confirmed_at IS NULL AND ${stands('p')} AND made_at > $2 FOR UPDATE`,
      [confirmKey, new Date(nowMs - confirmMs)],
    );
    const [passkey] = rows;
    if (passkey === undefined || passkey.accountId === by.id) return false;
    if (!isTheirs) {
      await client.query('UPDATE access_passkeys SET ended_at = $2 WHERE confirm_key = $1', [
        confirmKey,
        new Date(nowMs),
      ]);
      return true;
    }
    const { rowCount: former } = await client.query(
      'SELECT FROM access_passkeys WHERE instance = $1 AND account_id = $2 AND confirmed_at IS NOT NULL',
      [passkey.instance, passkey.accountId],
    );
    await record(passkey, former === 0);
    await client.query('UPDATE access_passkeys SET confirmed_by = $2, confirmed_at = $3 WHERE confirm_key = $1', [
      confirmKey,
      JSON.stringify(by),
      new Date(nowMs),
    ]);
    return true;
  });
}

/** Deletes those that ended, or were never confirmed, before a time: nothing rests on them any more. */
export async function forgetPasskeys({ pool }: Pick<Db, 'pool'>, beforeMs: number): Promise<void> {
  const before = new Date(beforeMs);
  await pool.query(
    `DELETE FROM access_passkeys p WHERE ended_at < $1 OR (confirmed_at IS NULL AND made_at < $1)
       OR EXISTS (SELECT FROM access_proof_ends e WHERE e.proof = p.id AND e.at < $1)`,
    [before],
  );
  await pool.query(
    `DELETE FROM access_proof_ends e WHERE at < $1 AND NOT EXISTS (SELECT FROM access_passkeys p WHERE p.id = e.proof)
       AND NOT EXISTS (SELECT FROM access_links l WHERE l.id = e.proof)`,
    [before],
  );
}
