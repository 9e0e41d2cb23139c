import { randomUUID } from 'node:crypto';
import { type Config, loadConfig } from '@tripline/config/config';
import type { Db } from '@tripline/db/database';
import { type EndedGrant, endGrants, type WhichGrants } from '@tripline/db/end-grants';
import { addToOutbox } from '@tripline/db/outbox';
import { inTransaction } from '@tripline/db/transaction';
import { actOf } from '@tripline/incidents/acts';
import { plain } from '@tripline/runtime/plain';
import { redactText } from '@tripline/runtime/redact';
import { whoRuns } from '../actor.ts';
import { type Io, UsageError } from '../command.ts';
import { moment, type Style, styled } from '../show.ts';
import { withStore } from '../store.ts';

/** Most grants that are listed, the newest first. */
const mostListed = 200;

type Row = {
  id: string;
  workspace: string;
  policy: string;
  tier: string;
  repository: string | null;
  run: string | null;
  askedAt: Date;
  longestUntil: Date;
  endingAt: Date | null;
  endingWhy: string | null;
  credentials: { kind: string; state: string; expiresAt: string | null; deadAt: string | null; fault: string | null }[];
};

const isAlive = ({ credentials }: Row) => credentials.some(({ state }) => state !== 'dead' && state !== 'lost');

/** Lists what the broker gave; `live`: only what its provider has not said to be dead. */
export async function listGrants({ live, json }: { live: boolean; json: boolean }, io: Io): Promise<number> {
  const rows = await withStore(loadConfig(io.env, io.cwd), (db) => readGrants(db, live));
  if (json) for (const row of rows) io.out(`${JSON.stringify(row)}\n`);
  else if (rows.length === 0) io.out(live ? 'Nothing that was given is alive.\n' : 'Nothing was given to any job.\n');
  else for (const row of rows) io.out(describe(row, io));
  return 0;
}

async function readGrants(db: Db, live: boolean): Promise<Row[]> {
  const { rows } = await db.pool.query<Row>(
    `SELECT g.id, g.workspace, g.policy, g.tier, g.job->'repository'->>'name' AS repository, g.job->'run'->>'id' AS run,
       g.asked_at AS "askedAt", g.longest_until AS "longestUntil", g.ending_at AS "endingAt", g.ending_why AS "endingWhy", c.credentials
     FROM access_grants g, LATERAL (
       SELECT jsonb_agg(jsonb_build_object('kind', kind, 'state', state, 'expiresAt', expires_at, 'deadAt', dead_at, 'fault', last_fault)
           ORDER BY nth) AS credentials, bool_or(state NOT IN ('dead', 'lost')) AS alive
       FROM access_credentials WHERE grant_id = g.id
     ) c
     WHERE c.credentials IS NOT NULL AND (c.alive OR NOT $1) ORDER BY g.asked_at DESC, g.id LIMIT $2`,
    [live, mostListed],
  );
  return rows;
}

const stateStyles: Record<string, Style> = { live: 'green', minting: 'yellow', ending: 'yellow', stuck: 'red' };

function describe(row: Row, io: Io): string {
  const { id, policy, tier, repository, run, askedAt, longestUntil, endingAt, endingWhy, credentials } = row;
  const states = credentials.map(({ kind, state, fault }) => {
    const why = fault === null ? '' : ` (${plain(fault)})`;
    return `${kind} ${stateStyles[state] ? styled(io, stateStyles[state], state) : state}${why}`;
  });
  const end = endingAt
    ? `ended ${moment(endingAt.toISOString())}, ${endingWhy}`
    : isAlive(row)
      ? `until its job ends, at the latest ${moment(longestUntil.toISOString())}`
      : 'ended';
  const job = `${plain(repository ?? 'a job')}${run === null ? '' : `#${run}`}`;
  return `${moment(askedAt.toISOString())} UTC  ${plain(policy)} (${plain(tier)})  ${job}  ${states.join(', ')}  ${end}  ${id}\n`;
}

/** Has the broker revoke what it gave: a grant, what a run or repository was given, or all. An act of whoever runs it. */
export async function revokeGrants(words: readonly string[], reason: string | undefined, io: Io): Promise<number> {
  const [named, more] = words;
  if (named === undefined || more !== undefined)
    throw new UsageError('say what: a grant’s id, acme/api#29679449 for a run, acme/api for a repository, or all');
  const why = reason?.trim();
  if (!why) throw new UsageError('say why with --reason: it is kept in the audit trail');
  const config: Config = loadConfig(io.env, io.cwd);
  const ended = await withStore(config, (db) => end(db, { named, why: redactText(why.slice(0, 2000)) }));
  if (ended.length === 0) {
    io.out(`Nothing alive was given to ${plain(named)}.\n`);
    return 1;
  }
  for (const { id, policy, tier } of ended) io.out(`${id}  ${plain(policy)} (${plain(tier)})\n`);
  const one = ended.length === 1;
  io.out(
    `${one ? 'It is' : `These ${ended.length} are`} to be revoked: a broker that runs does so at once. See \`tripline access grants --live\`.\n`,
  );
  return 0;
}

/** Ends the grants and records the act, once for each workspace. */
function end(db: Db, { named, why }: { named: string; why: string }): Promise<EndedGrant[]> {
  return inTransaction(db, async (client) => {
    const atMs = Date.now();
    const ended = await endGrants(client, whichOf(named), { why: 'by-hand', atMs });
    const act = randomUUID();
    const workspaces = [...new Set(ended.map(({ workspace }) => workspace))];
    await addToOutbox(
      client,
      workspaces.map((workspace) =>
        actOf(whoRuns(), {
          ...{ id: `act:access-revoked:${act}:${workspace}`, workspace, kind: 'access-revoked', target: named },
          reason: why,
        }),
      ),
    );
    return ended;
  });
}

function whichOf(named: string): WhichGrants {
  if (named === 'all') return { all: true };
  const [, repository, run] = /^([\w.-]+\/[\w.-]+)(?:#(\d+))?$/.exec(named) ?? [];
  if (repository !== undefined) return run === undefined ? { repository } : { repository, run };
  return { grants: [named] };
}
