import { createHash, randomUUID } from 'node:crypto';
import { linkWaitsMs } from '@tripline/broker/store/links';
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

/** By what people prove who they are: passkeys, and links of their sign-in with their account of GitHub's. */
export type ProofKind = 'passkeys' | 'links';
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
  endedAt: Date | null;
  endedBy: { name: string } | null;
  why: string | null;
  /** Of a passkey. */
  lastUsedAt?: Date | null;
  /** Of a link: at the OpenID provider. */
  issuer?: string;
  subject?: string;
  subjectName?: string | null;
};

type Kind = {
  one: string;
  none: string;
  noneLive: string;
  act: 'passkey-ended' | 'link-ended';
  waitsMs: number;
  table: string;
  columns: string;
  /** As people name it. */
  nameOf: (id: string) => string;
  detail: (row: Row) => string;
};
const kinds: Record<ProofKind, Kind> = {
  passkeys: {
    ...{ one: 'passkey', none: 'Nobody made a passkey.', noneLive: 'Nobody has a passkey that counts.' },
    ...{
      act: 'passkey-ended',
      waitsMs: confirmMs,
      table: 'access_passkeys',
      columns: 'p.last_used_at AS "lastUsedAt"',
    },
    // What a browser calls it is long, and may begin with a dash.
    nameOf: (id) => `pk-${createHash('sha256').update(id).digest('hex').slice(0, 16)}`,
    detail: ({ lastUsedAt }) => (lastUsedAt ? `last used ${momentOf(lastUsedAt)}` : 'never used'),
  },
  links: {
    ...{ one: 'link', none: 'Nobody showed by themselves who they are.', noneLive: 'No link of anybody counts.' },
    ...{ act: 'link-ended', waitsMs: linkWaitsMs, table: 'access_links' },
    columns: 'p.issuer, p.subject, p.subject_name AS "subjectName"',
    nameOf: (id) => id,
    detail: ({ subject = '', subjectName, issuer = '' }) =>
      `signs in as ${plain(subjectName ? `${subjectName} (${subject})` : subject)} at ${plain(issuer)}`,
  },
};

/** What nobody confirmed within a day counts for nothing any more. */
const stateOf = ({ endedAt, confirmedAt, madeAt }: Row, { waitsMs }: Kind): State => {
  if (endedAt !== null) return 'ended';
  if (confirmedAt !== null) return 'counts';
  return Date.now() < madeAt.getTime() + waitsMs ? 'waits' : 'ended';
};

/** Lists passkeys or links of people (`live`: those that count or wait), or ends one. */
export async function proofs(
  of: ProofKind,
  [verb, ...words]: readonly string[],
  { live, json, reason }: { live: boolean; json: boolean; reason: string | undefined },
  io: Io,
): Promise<number> {
  const kind = kinds[of];
  if (verb !== undefined) {
    oneOf('verb', verb, ['end']);
    return endProof(of, words, reason, io);
  }
  const all = await withStore(loadConfig(io.env, io.cwd), (db) => readProofs(db, kind));
  const rows = live ? all.filter((row) => stateOf(row, kind) !== 'ended') : all;
  if (json)
    for (const { id, ...row } of rows) {
      const named = { [kind.one]: kind.nameOf(id), state: stateOf({ id, ...row }, kind) };
      io.out(`${JSON.stringify({ ...named, ...row })}\n`);
    }
  else if (rows.length === 0) io.out(`${live ? kind.noneLive : kind.none}\n`);
  else for (const row of rows) io.out(describe(row, kind, io));
  return 0;
}

async function readProofs(db: Db, { table, columns }: Kind): Promise<Row[]> {
  const { rows } = await db.pool.query<Row>(
    `SELECT p.id, p.workspace, p.instance, p.account_id AS "accountId", p.account_name AS "accountName", p.made_at AS "madeAt",
       p.confirmed_by AS "confirmedBy", p.confirmed_at AS "confirmedAt", coalesce(e.at, p.ended_at) AS "endedAt", e.by AS "endedBy",
       e.reason AS why, ${columns}
     FROM ${table} p LEFT JOIN access_proof_ends e ON e.proof = p.id ORDER BY p.account_name, p.made_at, p.id`,
  );
  return rows;
}

const styles: Record<State, Style> = { counts: 'green', waits: 'yellow', ended: 'dim' };

function describe(row: Row, kind: Kind, io: Io): string {
  const { id, accountName, accountId, instance, madeAt, confirmedBy, endedAt, endedBy, why } = row;
  const state = stateOf(row, kind);
  const by = endedBy === null ? '' : ` by ${plain(endedBy.name)}`;
  const parts = [
    kind.detail(row),
    `made ${momentOf(madeAt)}`,
    confirmedBy === null ? 'confirmed by nobody' : `confirmed by ${plain(confirmedBy.name)}`,
    ...(endedAt === null ? [] : [`ended ${momentOf(endedAt)}${by}`]),
    ...(why === null ? [] : [plain(why)]),
  ];
  const whose = `${plain(accountName)} (account ${plain(accountId)} at ${plain(instance)})`;
  return `${kind.nameOf(id)}  ${whose}  ${styled(io, styles[state], state)}  ${parts.join(', ')}\n`;
}
const momentOf = (at: Date): string => `${moment(at.toISOString())} UTC`;

/** Ends one: it proves nothing from then on, nor does what was approved by it. An act of whoever runs it. */
async function endProof(of: ProofKind, words: readonly string[], reason: string | undefined, io: Io): Promise<number> {
  const kind = kinds[of];
  const [named, more] = words;
  if (named === undefined || more !== undefined)
    throw new UsageError(`say which ${kind.one}: \`tripline access ${of}\` lists them`);
  const why = reason?.trim();
  if (!why) throw new UsageError('say why with --reason: it is kept in the audit trail');
  const kept = redactText(why.slice(0, 2000));
  const ended = await withStore(loadConfig(io.env, io.cwd), (db) => end(db, kind, named, kept));
  if (ended === undefined) {
    io.out(`No ${kind.one} that counts or waits is called ${plain(named)}.\n`);
    return 1;
  }
  io.out(
    `The ${kind.one} of ${plain(ended.accountName)} proves nothing any more, nor does what was approved by it. What was given by then lives on: see \`tripline access grants --live\`, and \`tripline access revoke\`.\n`,
  );
  return 0;
}

async function end(db: Db, kind: Kind, named: string, reason: string): Promise<Row | undefined> {
  const proof = (await readProofs(db, kind)).find(
    (row) => kind.nameOf(row.id) === named && stateOf(row, kind) !== 'ended',
  );
  if (proof === undefined) return undefined;
  const by = whoRuns();
  return inTransaction(db, async (client) => {
    const { rowCount } = await client.query(
      `INSERT INTO access_proof_ends (proof, by, reason, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
      [proof.id, JSON.stringify(by), reason, new Date()],
    );
    if (rowCount !== 1) return undefined;
    const { workspace } = proof;
    const id = `act:${kind.act}:${randomUUID()}`;
    await addToOutbox(client, [actOf(by, { id, workspace, kind: kind.act, target: named, reason })]);
    return proof;
  });
}
