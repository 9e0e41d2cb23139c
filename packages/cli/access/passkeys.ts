import { createHash, randomUUID } from 'node:crypto';
import { confirmMs } from '@tripline/broker/store/passkeys';
import { loadConfig } from '@tripline/config/config';
import type { Db } from '@tripline/db/database';
import { addToOutbox } from '@tripline/db/outbox';
import { inTransaction } from '@tripline/db/transaction';
import { actOf } from '@tripline/incidents/acts';
import { plain } from '@tripline/runtime/plain';
import { redactText } from '@tripline/runtime/redact';
import { whoRuns } from '../actor.ts';
import { type Io, oneOf, UsageError } from '../command.ts';
import { moment, type Style, styled } from '../show.ts';
import { withStore } from '../store.ts';

type State = 'counts' | 'waits' | 'ended';
type Row = {
  id: string;
  workspace: string;
  instance: string;
  accountId: string;
  accountName: string;
  madeAt: Date;
  confirmedBy: { id: string; name: string } | null;
  confirmedAt: Date | null;
  lastUsedAt: Date | null;
  endedAt: Date | null;
  endedBy: { name: string } | null;
  why: string | null;
};

/** As people name it: what the browser calls it is long, and may begin with a dash. */
const nameOf = ({ id }: Pick<Row, 'id'>): string => `pk-${createHash('sha256').update(id).digest('hex').slice(0, 16)}`;
/** One that nobody confirmed within a day counts for nothing any more. */
const stateOf = ({ endedAt, confirmedAt, madeAt }: Row): State => {
  if (endedAt !== null) return 'ended';
  if (confirmedAt !== null) return 'counts';
  return Date.now() < madeAt.getTime() + confirmMs ? 'waits' : 'ended';
};

/** Lists passkeys of people (`live`: those that count or wait), or ends one. */
export async function passkeys(
  [verb, ...words]: readonly string[],
  { live, json, reason }: { live: boolean; json: boolean; reason: string | undefined },
  io: Io,
): Promise<number> {
  if (verb !== undefined) {
    oneOf('verb', verb, ['end']);
    return endPasskey(words, reason, io);
  }
  const all = await withStore(loadConfig(io.env, io.cwd), readPasskeys);
  const rows = live ? all.filter((row) => stateOf(row) !== 'ended') : all;
  if (json)
    for (const { id, ...row } of rows)
      io.out(`${JSON.stringify({ passkey: nameOf({ id }), state: stateOf({ id, ...row }), ...row })}\n`);
  else if (rows.length === 0) io.out(live ? 'Nobody has a passkey that counts.\n' : 'Nobody made a passkey.\n');
  else for (const row of rows) io.out(describe(row, io));
  return 0;
}

async function readPasskeys(db: Db): Promise<Row[]> {
  const { rows } = await db.pool.query<Row>(
    `SELECT p.id, p.workspace, p.instance, p.account_id AS "accountId", p.account_name AS "accountName", p.made_at AS "madeAt",
       p.confirmed_by AS "confirmedBy", p.confirmed_at AS "confirmedAt", p.last_used_at AS "lastUsedAt",
       coalesce(e.at, p.ended_at) AS "endedAt", e.by AS "endedBy", e.reason AS why
     FROM access_passkeys p LEFT JOIN access_proof_ends e ON e.proof = p.id
     ORDER BY p.account_name, p.made_at, p.id`,
  );
  return rows;
}

const styles: Record<State, Style> = { counts: 'green', waits: 'yellow', ended: 'dim' };

function describe(row: Row, io: Io): string {
  const { accountName, accountId, instance, madeAt, confirmedBy, lastUsedAt, endedAt, endedBy, why } = row;
  const state = stateOf(row);
  const parts = [
    `made ${momentOf(madeAt)}`,
    confirmedBy === null ? 'confirmed by nobody' : `confirmed by ${plain(confirmedBy.name)}`,
    lastUsedAt === null ? 'never used' : `last used ${momentOf(lastUsedAt)}`,
    ...(endedAt === null
      ? []
      : [`ended ${momentOf(endedAt)} by ${plain(endedBy?.name ?? 'whoever was to confirm it')}`]),
    ...(why === null ? [] : [plain(why)]),
  ];
  const whose = `${plain(accountName)} (account ${plain(accountId)} at ${plain(instance)})`;
  return `${nameOf(row)}  ${whose}  ${styled(io, styles[state], state)}  ${parts.join(', ')}\n`;
}
const momentOf = (at: Date): string => `${moment(at.toISOString())} UTC`;

/** Ends one: it proves nothing from then on, nor does what was approved by it. An act of whoever runs it. */
async function endPasskey(words: readonly string[], reason: string | undefined, io: Io): Promise<number> {
  const [named, more] = words;
  if (named === undefined || more !== undefined)
    throw new UsageError('say which passkey: `tripline access passkeys` lists them');
  const why = reason?.trim();
  if (!why) throw new UsageError('say why with --reason: it is kept in the audit trail');
  const kept = redactText(why.slice(0, 2000));
  const ended = await withStore(loadConfig(io.env, io.cwd), (db) => end(db, named, kept));
  if (ended === undefined) {
    io.out(`No passkey that counts or waits is called ${plain(named)}.\n`);
    return 1;
  }
  io.out(
    `The passkey of ${plain(ended.accountName)} proves nothing any more, nor does what was approved by it. What was given by then lives on: see \`tripline access grants --live\`, and \`tripline access revoke\`.\n`,
  );
  return 0;
}

async function end(db: Db, named: string, reason: string): Promise<Row | undefined> {
  const passkey = (await readPasskeys(db)).find((row) => nameOf(row) === named && stateOf(row) !== 'ended');
  if (passkey === undefined) return undefined;
  const by = whoRuns();
  return inTransaction(db, async (client) => {
    const { rowCount } = await client.query(
      `INSERT INTO access_proof_ends (proof, by, reason, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
      [passkey.id, JSON.stringify(by), reason, new Date()],
    );
    if (rowCount !== 1) return undefined;
    const { workspace } = passkey;
    const id = `act:passkey-ended:${randomUUID()}`;
    await addToOutbox(client, [actOf(by, { id, workspace, kind: 'passkey-ended', target: named, reason })]);
    return passkey;
  });
}
