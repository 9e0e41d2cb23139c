import type { Excepted } from '@tripline/contracts/exception';
import type { Finding } from '@tripline/contracts/finding';
import type { Db } from '@tripline/db/database';
import { intentOf } from '@tripline/db/former-steps';
import type { FindingsTables } from '@tripline/db/tables/findings';
import type { Selectable } from 'kysely';

/** A finding as stored in Postgres: the contract's fields, and its state. */
export type StoredFinding = Finding & {
  /** Null when it was silenced. */
  incident: string | null;
  /** Wall clock of the commit, RFC 3339. */
  recordedAt: string;
  silencedBy: string | null;
  /** The exception that covers it: by whose decision, why and until when; null where none does. */
  excepted: Excepted | null;
  /** The finding of a narrower rule that supersedes it; null where none does. */
  supersededBy: string | null;
  /** Late evidence explained it; null while it stands. */
  retracted: { at: string; reason: string } | null;
  /** It stands at low severity and without automatic responses, since it cannot be proved that it still holds. */
  lowered: { at: string; reason: string } | null;
};

export type FindingFilter = {
  rule?: string;
  workspace?: string;
  incident?: string;
  /** Only those recorded since. */
  since?: Date;
  /** Leave out what was retracted. */
  standing?: boolean;
  /** Only those that an exception covers. */
  excepted?: boolean;
  /** Only those that a narrower rule's finding supersedes. */
  superseded?: boolean;
  /** At most so many; 100 when absent. */
  limit?: number;
};

/** Newest first. */
export async function listFindings(db: Db, filter: FindingFilter = {}): Promise<StoredFinding[]> {
  let query = db.query.selectFrom('findings').selectAll().orderBy('recorded_at', 'desc').orderBy('id');
  if (filter.rule !== undefined) query = query.where('rule', '=', filter.rule);
  if (filter.workspace !== undefined) query = query.where('workspace', '=', filter.workspace);
  if (filter.incident !== undefined) query = query.where('incident', '=', filter.incident);
  if (filter.since !== undefined) query = query.where('recorded_at', '>=', filter.since);
  if (filter.excepted) query = query.where('excepted', 'is not', null);
  if (filter.superseded) query = query.where('superseded_by', 'is not', null);
  if (filter.standing) query = query.where('withdrawn_at', 'is', null);
  const rows = await query.limit(filter.limit ?? 100).execute();
  return rows.map(toFinding);
}

export async function readFinding(db: Db, id: string): Promise<StoredFinding | undefined> {
  const row = await db.query.selectFrom('findings').selectAll().where('id', '=', id).executeTakeFirst();
  return row && toFinding(row);
}

/** Those whose id begins with `prefix`, at most `limit`. */
export async function findFindings(db: Db, prefix: string, limit: number): Promise<StoredFinding[]> {
  // Ids are hex: any other prefix matches none, and `%` would match all.
  if (!/^[0-9a-f]{1,64}$/.test(prefix)) return [];
  const after = `${prefix}g`;
  const rows = await db.query
    .selectFrom('findings')
    .selectAll()
    .where('id', '>=', prefix)
    .where('id', '<', after)
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map(toFinding);
}

export type FindingRow = Selectable<FindingsTables['findings']>;

export function toFinding(row: FindingRow): StoredFinding {
  return {
    id: row.id,
    rule: row.rule,
    severity: row.severity,
    confidence: row.confidence,
    workspace: row.workspace,
    subject: row.subject,
    occasion: row.occasion,
    title: row.title,
    summary: row.summary,
    decidingEvent: row.deciding_event,
    occurredAt: row.occurred_at.toISOString(),
    detectedAt: row.detected_at.toISOString(),
    recordedAt: row.recorded_at.toISOString(),
    evidence: row.evidence,
    entities: row.entities,
    response: row.response.map(intentOf),
    remedy: row.remedy,
    silence: row.silence,
    attack: row.attack,
    attackVersion: row.attack_version,
    owasp: row.owasp,
    incident: row.incident,
    silencedBy: row.silenced_by,
    excepted: row.excepted,
    supersededBy: row.superseded_by,
    retracted:
      row.withdrawn_at === null ? null : { at: row.withdrawn_at.toISOString(), reason: row.withdrawn_reason ?? '' },
    lowered: row.lowered_at === null ? null : { at: row.lowered_at.toISOString(), reason: row.lowered_reason ?? '' },
    ...(row.unproven ? { unproven: true } : {}),
  };
}
