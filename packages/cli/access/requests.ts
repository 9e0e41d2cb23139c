import { readAskedRight, readSpan } from '@tripline/access/ask-words';
import { nameRight, type RightKind } from '@tripline/access/people-rights';
import { type Config, loadConfig } from '@tripline/config/config';
import { type AskedFor, askForRight as ask, askForMore, endRequest } from '@tripline/db/access-requests';
import type { Db } from '@tripline/db/database';
import { plain } from '@tripline/runtime/plain';
import { redactText } from '@tripline/runtime/redact';
import { createWorkspaces } from '@tripline/sources/workspace';
import { whoRuns } from '../actor.ts';
import { type Io, UsageError, UserError } from '../command.ts';
import { moment, type Style, styled } from '../show.ts';
import { withStore } from '../store.ts';

/** Most requests that are listed, the newest first. */
const mostListed = 100;

type Asked = { for?: string | undefined; reason?: string | undefined; account?: string | undefined };

/** Asks for a right of a person, which a broker that runs decides on. */
export async function askForRight(words: readonly string[], said: Asked, io: Io): Promise<number> {
  const { kind, target, permission } = orUsage(readAskedRight(words));
  const { ms: forMs } = orUsage(readSpan(said.for));
  const reason = said.reason?.trim();
  if (!reason) throw new UsageError('say why with --reason: whoever approves it reads that');
  const config = withPeople(io);
  const workspace = createWorkspaces(config).of(target.split('/')[0]!);
  if (workspace === undefined) throw new UserError(`no workspace has the organisation of ${plain(target)}`);
  const actor = whoRuns();
  const grantee = said.account ?? actor.id;
  if (!/^[\w-]{1,100}$/.test(grantee))
    throw new UsageError(`'${plain(grantee)}' is no login of GitHub’s: say who is to have it with --account`);
  const asked: AskedFor = { workspace, kind, target, permission, grantee, forMs, reason: redactText(reason) };
  const id = await withStore(config, (db) => ask(db, asked, actor, { at: new Date() }));
  io.out(
    `${id}\nAsked. A broker that runs decides on it; \`tripline access requests --live\` says where it is approved, by which number.\n`,
  );
  return 0;
}

/** @throws {UsageError} it is none. */
function orUsage<T extends object>(read: T | { fault: string }): T {
  if ('fault' in read) throw new UsageError(read.fault);
  return read;
}

function withPeople(io: Io): Config {
  const config = loadConfig(io.env, io.cwd);
  if (config.broker.peopleApp === undefined)
    throw new UserError(
      'nothing is configured that gives people rights: set broker.peopleApp, see services/broker/README.md',
    );
  return config;
}

type Row = {
  id: string;
  workspace: string;
  kind: RightKind;
  target: string;
  permission: string;
  grantee: string;
  forMs: number;
  reason: string;
  askedBy: { name: string };
  askedAt: Date;
  state: string;
  policy: string | null;
  former: string | null;
  approvedBy: { account: { name: string } } | null;
  givenUntil: Date | null;
  overAt: Date | null;
  why: string | null;
  fault: string | null;
  isUnwanted: boolean;
  /** The newest extension that was asked for. */
  moreMs: number | null;
  moreState: string | null;
  moreWhy: string | null;
  prompt: string | null;
  number: string | null;
};

/** Lists what people asked for, and what became of it; `live`: only what is not over. */
export async function listRequests({ live, json }: { live: boolean; json: boolean }, io: Io): Promise<number> {
  const config = loadConfig(io.env, io.cwd);
  const rows = await withStore(config, (db) => readRequests(db, live));
  const publicUrl = config.broker.stepUp?.publicUrl;
  const linkOf = ({ prompt }: Row) =>
    prompt === null || publicUrl === undefined ? null : new URL(`/step-up/${prompt}`, publicUrl).href;
  if (json)
    for (const { prompt: _, ...row } of rows)
      io.out(`${JSON.stringify({ ...row, approveAt: linkOf({ ...row, prompt: _ }) })}\n`);
  else if (rows.length === 0) io.out(live ? 'Nobody has a right or waits for one.\n' : 'Nobody asked for a right.\n');
  else for (const row of rows) io.out(describe(row, linkOf(row), io));
  return 0;
}

async function readRequests(db: Db, live: boolean): Promise<Row[]> {
  const { rows } = await db.pool.query<Row>(
    `SELECT q.id, q.workspace, q.kind, q.repository AS target, q.permission, q.grantee, q.for_ms AS "forMs", q.reason, q.asked_by AS "askedBy",
       q.asked_at AS "askedAt", coalesce(r.state, 'new') AS state, r.policy, r.former, r.approved_by AS "approvedBy",
       r.given_until AS "givenUntil", r.over_at AS "overAt", r.why, r.last_fault AS fault, e.request IS NOT NULL AS "isUnwanted",
       x.for_ms AS "moreMs", x.state AS "moreState", x.why AS "moreWhy",
       u.id AS prompt, u.number
     FROM access_requests q LEFT JOIN access_rights r ON r.request = q.id LEFT JOIN access_request_ends e ON e.request = q.id
       LEFT JOIN LATERAL (SELECT x.id, x.for_ms, coalesce(a.state, 'new') AS state, a.why FROM access_extensions x
         LEFT JOIN access_extension_answers a ON a.extension = x.id WHERE x.request = q.id ORDER BY x.asked_at DESC, x.id LIMIT 1) x ON true
       LEFT JOIN access_step_ups u ON u.workspace = q.workspace AND u.state = 'open' AND u.expires_at > now()
         AND CASE r.state WHEN 'asked' THEN u.asked = 'request ' || q.id WHEN 'given' THEN u.asked = 'request ' || x.id END
     WHERE NOT $1 OR coalesce(r.state, 'new') NOT IN ('ended', 'denied', 'expired')
     ORDER BY q.asked_at DESC, q.id LIMIT $2`,
    [live, mostListed],
  );
  return rows;
}

const styles: Record<string, Style> = {
  given: 'green',
  asked: 'yellow',
  giving: 'yellow',
  ending: 'yellow',
  denied: 'red',
};

function describe(row: Row, link: string | null, io: Io): string {
  const { state, grantee, kind, permission, target, forMs, askedAt, id, reason } = row;
  const details = [
    ...(row.approvedBy === null ? [] : [`approved by ${plain(row.approvedBy.account.name)}`]),
    ...(state === 'given' && row.givenUntil !== null ? [`until ${moment(row.givenUntil.toISOString())} UTC`] : []),
    ...(row.moreMs === null
      ? []
      : [
          `${Math.round(row.moreMs / 60_000)} min more: ${row.moreState}${row.moreWhy === null ? '' : ` (${plain(row.moreWhy)})`}`,
        ]),
    ...(row.overAt === null ? [] : [moment(row.overAt.toISOString())]),
    ...(row.why === null ? [] : [plain(row.why)]),
    ...(row.fault === null ? [] : [plain(row.fault)]),
  ];
  const lines = [
    `${moment(askedAt.toISOString())} UTC  ${styles[state] ? styled(io, styles[state], state) : state}  ${plain(grantee)}: ${nameRight(kind, permission, plain(target))} for ${Math.round(forMs / 60_000)} min (${plain(reason)})  ${id}`,
    ...(details.length === 0 ? [] : [`  ${details.join(', ')}`]),
    ...(link === null ? [] : [`  approve or deny it: ${link}  number ${row.number}`]),
  ];
  return `${lines.join('\n')}\n`;
}

/** Asks for more time for a right that somebody has, which a broker that runs decides on. */
export async function extendRight([id, next]: readonly string[], said: Asked, io: Io): Promise<number> {
  if (id === undefined || next !== undefined) throw new UsageError('say which request, by its id');
  const { ms: forMs } = orUsage(readSpan(said.for));
  const reason = said.reason?.trim();
  if (!reason) throw new UsageError('say why with --reason: whoever approves it reads that');
  const more = { request: id, forMs, reason: redactText(reason) };
  const asked = await withStore(withPeople(io), (db) => askForMore(db, more, whoRuns(), { at: new Date() }));
  io.out(
    asked
      ? 'Asked. A broker that runs decides on it; `tripline access requests --live` says where it is approved, by which number.\n'
      : `Nobody has what ${plain(id)} asked for: only what is given can be extended. See \`tripline access requests\`.\n`,
  );
  return asked ? 0 : 1;
}

/** Takes a request back, or ends its right before its time. Whoever may run it may: an end gives nobody anything. */
export async function endRight([id, more]: readonly string[], io: Io): Promise<number> {
  if (id === undefined || more !== undefined) throw new UsageError('say which request, by its id');
  const ended = await withStore(loadConfig(io.env, io.cwd), (db) => endRequest(db, id, whoRuns(), new Date()));
  io.out(
    ended
      ? 'A broker that runs takes it back at once. See `tripline access requests`.\n'
      : `Nothing of ${plain(id)} is left to end, or it ends already. See \`tripline access requests\`.\n`,
  );
  return ended ? 0 : 1;
}
