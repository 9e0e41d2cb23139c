import { type Severity, severities } from '@tripline/contracts/finding';
import type { Actor } from '@tripline/contracts/incident';
import {
  describeScope,
  faultOfScope,
  fitsScope,
  longestSilenceMs,
  type Silence,
  type SilenceScope,
} from '@tripline/contracts/silence';
import type { Db } from '@tripline/db/database';
import { addToOutbox, triplineWorkspace } from '@tripline/db/outbox';
import { addNotifyJob } from '@tripline/db/queue';
import type { FindingsTables } from '@tripline/db/tables/findings';
import { inTransaction } from '@tripline/db/transaction';
import { redactText } from '@tripline/runtime/redact';
import type { Selectable } from 'kysely';
import type { PoolClient } from 'pg';
import { actOf } from './acts.ts';
import { listFindings, type StoredFinding } from './findings.ts';
import { addIncidentEvent } from './incidents.ts';

/** A silence that somebody added. Times are RFC 3339. */
export type StoredSilence = Silence & {
  id: string;
  owner: string;
  created: { at: string; by: Actor };
  /** Somebody ended it before its time. */
  expired: { at: string; by: Actor } | null;
};

/** A silence cannot be added, or ended; the message says why. */
export class SilenceError extends Error {
  readonly code = 'SILENCE';
}

/** Most silences in force at once: each finding is compared with all of them. */
const mostSilences = 500;

/**
 * Adds a silence, and adds the act to the outbox. `until`: when it ends, or how long it lasts, in ms from now by
 * Postgres's clock. Earlier findings were reported already, and are not affected.
 * @throws {SilenceError} it would silence everything, last too long, or has no owner or reason.
 */
export async function addSilence(
  db: Db,
  asked: SilenceScope & { until: Date | { ms: number }; owner: string; reason: string },
  actor: Actor,
): Promise<StoredSilence> {
  const fault = faultOfScope(asked);
  if (fault !== undefined) throw new SilenceError(fault);
  const owner = asked.owner.trim().slice(0, 200);
  const reason = redactText(asked.reason.trim().slice(0, 1000));
  if (owner === '' || reason === '') throw new SilenceError('a silence needs an owner and a reason');
  return inTransaction(db, async (client) => {
    const { rows: counted } = await client.query<{ nowMs: number; silences: number }>(
      `SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS "nowMs",
         (SELECT count(*)::int FROM silences WHERE expired_at IS NULL AND until > clock_timestamp()) AS silences`,
    );
    const { nowMs, silences } = counted[0]!;
    const untilMs = asked.until instanceof Date ? asked.until.getTime() : nowMs + asked.until.ms;
    if (!(untilMs > nowMs)) throw new SilenceError('it would be over already');
    if (untilMs > nowMs + longestSilenceMs) throw new SilenceError('a silence lasts 30 days at most');
    if (silences >= mostSilences) throw new SilenceError(`there are ${silences} silences already; expire some`);
    const { rows } = await client.query<SilenceRow>(
      `INSERT INTO silences (id, workspace, rule, subject, actor, repository, runner, environment, critical, owner,
         reason, until, created_at, created_by)
       VALUES ('SIL-' || nextval('silence_numbers'), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
         to_timestamp($11::float8 / 1000), to_timestamp($12::float8 / 1000), $13) RETURNING *`,
      [
        ...[asked.workspace, asked.rule, asked.subject, asked.actor, asked.repository, asked.runner],
        ...[asked.environment, asked.critical ?? false, owner, reason, untilMs, nowMs, JSON.stringify(actor)],
      ],
    );
    const silence = toSilence(rows[0]!);
    await leaveAct(client, silence, actor, 'silence-added', reason);
    return silence;
  });
}

/**
 * Ends a silence early: silenced findings that still stand are reported. False when it had ended already.
 * @throws {SilenceError} there is none.
 */
export function expireSilence(
  db: Db,
  id: string,
  actor: Actor,
  reason?: string,
): Promise<{ changed: boolean; silence: StoredSilence }> {
  return inTransaction(db, async (client) => {
    const { rows } = await client.query<SilenceRow>(
      `UPDATE silences SET expired_at = clock_timestamp(), expired_by = $2
       WHERE id = $1 AND expired_at IS NULL AND until > clock_timestamp() RETURNING *`,
      [id, JSON.stringify(actor)],
    );
    if (rows[0] === undefined) {
      const { rows: there } = await client.query<SilenceRow>('SELECT * FROM silences WHERE id = $1', [id]);
      if (there[0] === undefined) throw new SilenceError(`there is no silence ${id}; see \`tripline silence list\``);
      return { changed: false, silence: toSilence(there[0]) };
    }
    const silence = toSilence(rows[0]);
    await leaveAct(client, silence, actor, 'silence-expired', reason ? redactText(reason.slice(0, 1000)) : undefined);
    return { changed: true, silence };
  });
}

function leaveAct(
  client: Pick<PoolClient, 'query'>,
  silence: StoredSilence,
  actor: Actor,
  kind: 'silence-added' | 'silence-expired',
  why: string | undefined,
): Promise<void> {
  const { id, workspace = triplineWorkspace, until, owner } = silence;
  const what = `${describeScope(silence)} until ${until}, for ${owner}`;
  const reason = why ? `${what}: ${why}` : what;
  return addToOutbox(client, [
    actOf(actor, { id: `act:${id}:${kind}`, workspace, kind, target: id, reason: reason.slice(0, 4000) }),
  ]);
}

/** Newest first. `all`: with those that have ended. */
export async function listSilences(db: Db, filter: { all?: boolean } = {}): Promise<StoredSilence[]> {
  const { rows } = await db.pool.query<SilenceRow>(
    `SELECT * FROM silences WHERE $1 OR (expired_at IS NULL AND until > clock_timestamp())
     ORDER BY created_at DESC, id DESC LIMIT 1000`,
    [filter.all ?? false],
  );
  return rows.map(toSilence);
}

/** Findings since `since` that a silence would have covered, among the newest 10,000, newest first. */
export async function previewSilence(db: Db, scope: SilenceScope, since: Date): Promise<StoredFinding[]> {
  const { workspace } = scope;
  const found = await listFindings(db, { since, limit: 10_000, ...(workspace === undefined ? {} : { workspace }) });
  return found.filter((finding) => fitsScope(scope, finding));
}

/**
 * Reports findings that still stand after their silence has ended: one incident per silence and workspace, so that
 * people get one message. Each is reported once, even after crashes and with several processes. No responses are run:
 * old findings are for people to judge. Returns how many incidents were opened.
 */
export async function tellEndedSilences(db: Db): Promise<number> {
  const { rows } = await db.pool.query<{ silence: string; workspace: string }>(
    `SELECT DISTINCT sf.silence, sf.workspace FROM silenced_findings sf
       JOIN findings f ON f.id = sf.finding LEFT JOIN silences s ON s.id = sf.silence
     WHERE ${hasEnded} AND ${stands} ORDER BY 1, 2 LIMIT 100`,
  );
  let opened = 0;
  for (const ended of rows) opened += (await inTransaction(db, (client) => tellEnded(client, ended))) ? 1 : 0;
  // A retracted finding may stand again for as long as rules remember it.
  await db.pool.query(
    `DELETE FROM silenced_findings sf USING findings f WHERE f.id = sf.finding
       AND sf.until < clock_timestamp() - interval '4 days' AND (f.withdrawn_at IS NOT NULL OR f.incident IS NOT NULL)`,
  );
  return opened;
}

const hasEnded = '(sf.until <= clock_timestamp() OR s.expired_at IS NOT NULL)';
const stands = 'f.withdrawn_at IS NULL AND f.incident IS NULL AND f.superseded_by IS NULL';
const tripline: Actor = { via: 'tripline', id: 'tripline', name: 'tripline' };

async function tellEnded(
  client: PoolClient,
  { silence, workspace }: { silence: string; workspace: string },
): Promise<boolean> {
  // Locked, so that the detector retracts none of them meanwhile; another process finds none left.
  const { rows: found } = await client.query<{
    id: string;
    severity: Severity;
    pages: boolean;
    until: Date;
    silenced_by: string;
  }>(
    `SELECT f.id, f.severity, f.pages, least(sf.until, s.expired_at) AS until, f.silenced_by FROM silenced_findings sf
       JOIN findings f ON f.id = sf.finding LEFT JOIN silences s ON s.id = sf.silence
     WHERE sf.silence = $1 AND sf.workspace = $2 AND ${hasEnded} AND ${stands}
     ORDER BY f.id FOR NO KEY UPDATE OF f, sf`,
    [silence, workspace],
  );
  if (found.length === 0) return false;
  const severity = severities.findLast((one) => found.some((finding) => finding.severity === one))!;
  const pageSeverity = severities.findLast((one) => found.some((finding) => finding.pages && finding.severity === one));
  const count = found.length === 1 ? '1 finding' : `${found.length} findings`;
  const until = found[0]!.until.toISOString();
  const title = `${count} silenced until ${until.slice(0, 16).replace('T', ' ')} still ${found.length === 1 ? 'stands' : 'stand'}`;
  const { rows } = await client.query<{ id: string }>(
    `INSERT INTO incidents (id, workspace, severity, page_severity, title, opened_at, updated_at, last_verdict_at)
     SELECT 'INC-' || nextval('incident_numbers'), $1, $2, nullif($4, $2), $3, at, at, at FROM clock_timestamp() AS at RETURNING id`,
    [workspace, severity, title, pageSeverity ?? 'none'],
  );
  const incident = rows[0]!.id;
  const ids = found.map(({ id }) => id);
  await client.query('UPDATE findings SET incident = $1 WHERE id = ANY ($2)', [incident, ids]);
  await client.query('DELETE FROM silenced_findings WHERE finding = ANY ($1)', [ids]);
  const detail = { title, silence, until, findings: found.length, silencedBy: found[0]!.silenced_by };
  await addIncidentEvent(client, { incident, kind: 'opened', actor: tripline, detail });
  await addNotifyJob(client, incident);
  return true;
}

type SilenceRow = Selectable<FindingsTables['silences']>;

function toSilence(row: SilenceRow): StoredSilence {
  const { id, critical, owner, reason } = row;
  const given = (name: 'workspace' | 'rule' | 'subject' | 'actor' | 'repository' | 'runner' | 'environment') =>
    row[name] === null ? {} : { [name]: row[name] };
  return {
    ...{ id, critical, owner, reason },
    ...{ ...given('workspace'), ...given('rule'), ...given('subject'), ...given('actor') },
    ...{ ...given('repository'), ...given('runner'), ...given('environment') },
    until: row.until.toISOString(),
    created: { at: row.created_at.toISOString(), by: row.created_by },
    expired: row.expired_at && row.expired_by && { at: row.expired_at.toISOString(), by: row.expired_by },
  };
}
