import { randomUUID } from 'node:crypto';
import type { Db } from './database.ts';

/** Who asks or ends something, and how that is known. */
type By = { name: string; [more: string]: unknown };

export type AskedFor = {
  workspace: string;
  kind: 'collaborator' | 'team-member' | 'org-role';
  target: string;
  permission: string;
  /** Login of who is to have it. */
  grantee: string;
  forMs: number;
  reason: string;
};

/**
 * Asks for a right of a person, which a broker that runs decides on. `key`: what makes two tellings one, such as the hash of a request that
 * may be sent again. @returns the request's id.
 */
export async function askForRight(
  { pool }: Pick<Db, 'pool'>,
  asked: AskedFor,
  by: By,
  { at, key = randomUUID() }: { at: Date; key?: string },
): Promise<string> {
  const id = `ask-${key}`;
  const { workspace, kind, target, permission, grantee, forMs, reason } = asked;
  await pool.query(
    `INSERT INTO access_requests (id, workspace, kind, repository, permission, grantee, for_ms, reason, asked_by, asked_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`,
    [id, workspace, kind, target, permission, grantee, forMs, reason.slice(0, 2000), JSON.stringify(by), at],
  );
  return id;
}

/** Asks for more time for a right that somebody has. @returns whether anybody has it. */
export async function askForMore(
  { pool }: Pick<Db, 'pool'>,
  { request, forMs, reason }: { request: string; forMs: number; reason: string },
  by: By,
  { at, key = randomUUID() }: { at: Date; key?: string },
): Promise<boolean> {
  const { rowCount } = await pool.query(
    `INSERT INTO access_extensions (id, request, for_ms, reason, asked_by, asked_at)
     SELECT $1, r.request, $3, $4, $5, $6 FROM access_rights r WHERE r.request = $2 AND r.state = 'given'
     ON CONFLICT DO NOTHING`,
    [`more-${key}`, request, forMs, reason.slice(0, 2000), JSON.stringify(by), at],
  );
  return rowCount === 1;
}

/** Takes a request back, or ends its right before its time. @returns false where nothing of it is left, or it ends already. */
export async function endRequest({ pool }: Pick<Db, 'pool'>, request: string, by: By, at: Date): Promise<boolean> {
  const { rowCount } = await pool.query(
    `INSERT INTO access_request_ends (request, by, at)
     SELECT q.id, $2, $3 FROM access_requests q LEFT JOIN access_rights r ON r.request = q.id
     WHERE q.id = $1 AND coalesce(r.state, 'new') NOT IN ('ended', 'denied', 'expired') ON CONFLICT DO NOTHING`,
    [request, JSON.stringify(by), at],
  );
  return rowCount === 1;
}
