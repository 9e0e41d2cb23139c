import { randomBytes, randomInt } from 'node:crypto';
import type { Db } from '@tripline/db/database';
import { inTransaction } from '@tripline/db/transaction';

/** An account of a GitHub, and who it is at an OpenID provider. `subjectName`: as the provider calls them. */
export type LinkSides = {
  instance: string;
  account: { id: string; name: string };
  issuer: string;
  subject: string;
  subjectName: string | null;
};
export type Link = {
  id: string;
  workspace: string;
  instance: string;
  accountId: string;
  accountName: string;
  issuer: string;
  subject: string;
  subjectName: string | null;
  number: string;
  wrongNumbers: number;
  madeAt: Date;
};

/** How long one waits for its confirmation. */
export const linkWaitsMs = 86_400_000;
/** Links of one account that wait. */
const mostWaiting = 10;
/** After so many wrong numbers it waits no more. */
const mostWrongNumbers = 3;

/** SQL: `link`, an alias of access_links, is ended neither here nor by the command line. */
const stands = (link: string): string =>
  `(${link}.ended_at IS NULL AND NOT EXISTS (SELECT FROM access_proof_ends e WHERE e.proof = ${link}.id))`;
/** SQL: the link whose id `id` is counts. */
export const linkCounts = (id: string): string =>
  `EXISTS (SELECT FROM access_links l WHERE l.id = ${id} AND l.confirmed_at IS NOT NULL AND ${stands('l')})`;

const columns = `l.id, l.workspace, l.instance, l.account_id AS "accountId", l.account_name AS "accountName", l.issuer, l.subject,
  l.subject_name AS "subjectName", l.number, l.wrong_numbers AS "wrongNumbers", l.made_at AS "madeAt"`;

/** Keeps a link that counts for nothing yet. Undefined where the account has too many that wait. */
export async function keepLink(
  db: Db,
  { workspace, instance, account, issuer, subject, subjectName }: LinkSides & { workspace: string },
  nowMs: number,
): Promise<{ confirmKey: string; number: string } | undefined> {
  const confirmKey = randomBytes(18).toString('base64url');
  const number = String(randomInt(10_000)).padStart(4, '0');
  const { rowCount } = await db.pool.query(
    `INSERT INTO access_links (id, workspace, confirm_key, number, instance, account_id, account_name, issuer, subject, subject_name, made_at)
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11
     WHERE (SELECT count(*) FROM access_links l WHERE instance = $5 AND account_id = $6 AND confirmed_at IS NULL
              AND made_at > $12 AND ${stands('l')}) < $13`,
    [
      ...[`link-${randomBytes(12).toString('hex')}`, workspace, confirmKey, number, instance, account.id, account.name],
      ...[issuer, subject, subjectName, new Date(nowMs), new Date(nowMs - linkWaitsMs), mostWaiting],
    ],
  );
  return rowCount === 1 ? { confirmKey, number } : undefined;
}

/** One that waits for its confirmation. */
export async function readWaitingLink(db: Db, confirmKey: string, nowMs: number): Promise<Link | undefined> {
  const { rows } = await db.pool.query<Link>(`SELECT ${columns} FROM access_links l WHERE ${waits}`, [
    confirmKey,
    new Date(nowMs - linkWaitsMs),
  ]);
  return rows[0];
}
const waits = `confirm_key = $1 AND confirmed_at IS NULL AND made_at > $2 AND ${stands('l')}`;

/** Links that count of this person at the provider, and of this account, where `account` says one. */
export async function readLinks(
  db: Db,
  { instance, issuer, subject, account }: { instance: string; issuer: string; subject: string; account: string | null },
): Promise<Link[]> {
  const { rows } = await db.pool.query<Link>(
    `SELECT ${columns} FROM access_links l WHERE instance = $1 AND confirmed_at IS NOT NULL AND ${stands('l')}
       AND ((issuer = $2 AND subject = $3) OR account_id = $4)`,
    [instance, issuer, subject, account],
  );
  return rows;
}

/** `late`: it was answered, is too old, or was closed by wrong numbers. */
export type LinkDecided = 'taken' | 'late' | 'wrong-number' | 'closed';

/**
 * Notes what the second person says, once. `record` appends it to the log before it counts; `isChanged`: one side of it was linked
 * otherwise before, which ends.
 */
export async function decideLink(
  db: Db,
  confirmKey: string,
  answer: { isTheirs: true; number: string } | { isTheirs: false },
  { by, nowMs }: { by: { id: string; name: string }; nowMs: number },
  record: (link: Link, isChanged: boolean) => Promise<void>,
): Promise<LinkDecided> {
  const now = new Date(nowMs);
  return inTransaction(db, async (client) => {
    const { rows } = await client.query<Link>(`SELECT ${columns} FROM access_links l WHERE ${waits} FOR UPDATE`, [
      confirmKey,
      new Date(nowMs - linkWaitsMs),
    ]);
    const [link] = rows;
    if (link === undefined || link.accountId === by.id) return 'late';
    const end = (ids: string[]) =>
      client.query('UPDATE access_links SET ended_at = $2 WHERE id = ANY ($1) AND ended_at IS NULL', [ids, now]);
    if (!answer.isTheirs) {
      await end([link.id]);
      return 'taken';
    }
    if (answer.number !== link.number) {
      const isLast = link.wrongNumbers + 1 >= mostWrongNumbers;
      await client.query('UPDATE access_links SET wrong_numbers = wrong_numbers + 1 WHERE id = $1', [link.id]);
      if (isLast) await end([link.id]);
      return isLast ? 'closed' : 'wrong-number';
    }
    const { rows: former } = await client.query<{ id: string; isSame: boolean }>(
      `SELECT id, account_id = $2 AND issuer = $3 AND subject = $4 AS "isSame" FROM access_links
       WHERE confirmed_at IS NOT NULL AND instance = $1 AND (account_id = $2 OR (issuer = $3 AND subject = $4))`,
      [link.instance, link.accountId, link.issuer, link.subject],
    );
    await record(
      link,
      former.some(({ isSame }) => !isSame),
    );
    await end(former.map(({ id }) => id));
    await client.query('UPDATE access_links SET confirmed_by = $2, confirmed_at = $3 WHERE id = $1', [
      ...[link.id, JSON.stringify(by), now],
    ]);
    return 'taken';
  });
}

/** Deletes those that ended, or were never confirmed, before a time: nothing rests on them any more. */
export async function forgetLinks({ pool }: Pick<Db, 'pool'>, beforeMs: number): Promise<void> {
  await pool.query(
    `DELETE FROM access_links l WHERE ended_at < $1 OR (confirmed_at IS NULL AND made_at < $1)
       OR EXISTS (SELECT FROM access_proof_ends e WHERE e.proof = l.id AND e.at < $1)`,
    [new Date(beforeMs)],
  );
}
