import type { Db } from '@tripline/db/database';
import type { ClientBase } from 'pg';
import { keptFault } from './kept-fault.ts';

/** NOTIFY channel, signalled when the gate was asked. */
export const gateChannel = 'tripline_gate';

/** What the gate was asked. */
export type Question = {
  /** Of the event that asked. */
  id: string;
  workspace: string;
  instance: string;
  repository: { id: string; name: string };
  owner: { id: string; name: string };
  runId: string;
  environment: string;
  installation: string;
  /** Null for a job that makes no deployment. */
  deploymentId: string | null;
};

/** A question that is open, claimed by one worker. Times in ms since the epoch. */
export type OpenQuestion = Question & {
  heardMs: number;
  attempt: number | null;
  decision: 'granted' | 'denied' | null;
  sentMs: number | null;
  commentedMs: number | null;
  /** Since it was last looked at without a fault, this one included. */
  tries: number;
  /** Its last attempt failed. */
  isFailing: boolean;
};

/** How many questions may be claimed: of those that go on, and of those whose last attempt failed. */
export type GateRooms = { fresh: number; failing: number };

/** Keeps what was asked, in the caller's transaction, with whose end the gate wakes up. What was asked before is passed over. */
export async function noteQuestions(
  client: ClientBase,
  questions: readonly Question[],
  heardMs: number,
): Promise<void> {
  if (questions.length === 0) return;
  const rows = questions.map(({ repository, owner, runId, deploymentId, ...rest }) => ({
    ...rest,
    ...{ repository_id: repository.id, repository: repository.name, owner_id: owner.id, owner: owner.name },
    ...{ run_id: runId, deployment_id: deploymentId },
  }));
  await client.query(
    `INSERT INTO access_gates (id, workspace, instance, repository_id, repository, owner_id, owner, run_id, environment,
       installation, deployment_id, heard_at, due_at)
     SELECT id, workspace, instance, repository_id, repository, owner_id, owner, run_id, environment, installation,
       deployment_id, $2, $2
     FROM json_to_recordset($1::json) AS q(id text, workspace text, instance text, repository_id text, repository text,
       owner_id text, owner text, run_id text, environment text, installation text, deployment_id text)
     ON CONFLICT DO NOTHING`,
    [JSON.stringify(rows), new Date(heardMs)],
  );
  await client.query(`SELECT pg_notify('${gateChannel}', '')`);
}

type Row = {
  [field: string]: unknown;
  heard_at: Date;
  sent_at: Date | null;
  commented_at: Date | null;
};

/**
 * Claims open questions that are due: of each repository in turn, those first that have been due longest, so that whoever asks a thousand
 * times holds nobody else up; and in a room of their own those whose last attempt failed, which may fail for good. Of those about one
 * environment of a run one is in hand at a time, since one word answers them all. A claim that expired, by the database's clock, which
 * all replicas share, is anybody's.
 */
export async function claimQuestions(
  { pool }: Pick<Db, 'pool'>,
  { by, nowMs, forMs }: { by: string; nowMs: number; forMs: number },
  { fresh, failing }: GateRooms,
): Promise<OpenQuestion[]> {
  // lower() folds more letters than names of environments do: questions of two names wait for each other then, and neither answers the other.
  const { rows } = await pool.query<Row>({
    name: 'access-claim-gates',
    text: `WITH waiting AS (
        SELECT id, due_at, repository_id, last_fault IS NOT NULL AS fails, row_number() OVER (
          PARTITION BY workspace, instance, repository_id, run_id, lower(environment) ORDER BY last_fault IS NOT NULL, due_at, id
        ) AS of_deployment
        FROM access_gates g
        WHERE state = 'open' AND due_at <= $2 AND (claimed_until IS NULL OR claimed_until <= clock_timestamp())
          AND NOT EXISTS (
            SELECT FROM access_gates o WHERE o.instance = g.instance AND o.repository_id = g.repository_id AND o.run_id = g.run_id
              AND o.workspace = g.workspace AND lower(o.environment) = lower(g.environment)
              AND o.state = 'open' AND o.claimed_until > clock_timestamp())
      ), free AS MATERIALIZED (
        SELECT id, due_at, fails, row_number() OVER (PARTITION BY repository_id, fails ORDER BY due_at) AS turn
        FROM waiting WHERE of_deployment = 1
      ), first AS (
        (SELECT id FROM free WHERE NOT fails ORDER BY turn, due_at LIMIT $4)
        UNION ALL (SELECT id FROM free WHERE fails ORDER BY turn, due_at LIMIT $5)
      ), due AS MATERIALIZED (
        SELECT g.id FROM access_gates g JOIN first USING (id)
        WHERE g.state = 'open' AND (g.claimed_until IS NULL OR g.claimed_until <= clock_timestamp())
        FOR UPDATE OF g SKIP LOCKED
      )
      UPDATE access_gates g SET claimed_by = $1, claimed_until = clock_timestamp() + $3 * interval '1 ms', tries = tries + 1
      FROM due WHERE g.id = due.id RETURNING g.*`,
    values: [by, new Date(nowMs), forMs, fresh, failing],
  });
  return rows.map((row) => ({
    ...{ id: row['id'] as string, workspace: row['workspace'] as string, instance: row['instance'] as string },
    repository: { id: row['repository_id'] as string, name: row['repository'] as string },
    owner: { id: row['owner_id'] as string, name: row['owner'] as string },
    ...{ runId: row['run_id'] as string, environment: row['environment'] as string },
    ...{ installation: row['installation'] as string, deploymentId: row['deployment_id'] as string | null },
    ...{ heardMs: row.heard_at.getTime(), attempt: row['attempt'] as number | null },
    decision: row['decision'] as OpenQuestion['decision'],
    ...{ sentMs: row.sent_at?.getTime() ?? null, commentedMs: row.commented_at?.getTime() ?? null },
    ...{ tries: row['tries'] as number, isFailing: row['last_fault'] !== null },
  }));
}

type Held = { id: string; by: string };

/** Whether the claim is still ours: whoever lost it says nothing to anybody. */
export async function isHeld({ pool }: Pick<Db, 'pool'>, { id, by }: Held): Promise<boolean> {
  const { rowCount } = await pool.query(
    `SELECT FROM access_gates WHERE id = $1 AND claimed_by = $2 AND claimed_until > clock_timestamp() AND state = 'open'`,
    [id, by],
  );
  return rowCount === 1;
}

/**
 * Keeps what is about to be said, before it is said. A denial stays one.
 * @returns whether the claim is still ours, and for longer than the margin: whoever says something then says it alone.
 */
export async function noteDecision(
  { pool }: Pick<Db, 'pool'>,
  { id, by }: Held,
  {
    decision,
    attempt,
    atMs,
    marginMs,
  }: { decision: 'granted' | 'denied'; attempt: number | null; atMs: number; marginMs: number },
): Promise<boolean> {
  const { rowCount } = await pool.query(
    `UPDATE access_gates SET decision = $3, attempt = coalesce(attempt, $4), sent_at = coalesce(sent_at, $5)
     WHERE id = $1 AND claimed_by = $2 AND claimed_until > clock_timestamp() + $6 * interval '1 ms' AND state = 'open'
       AND (decision IS DISTINCT FROM 'denied' OR $3 = 'denied')`,
    [id, by, decision, attempt, new Date(atMs), marginMs],
  );
  return rowCount === 1;
}

/** Keeps when GitHub was last told what is waited for, and of which attempt that is. */
export async function noteComment(
  { pool }: Pick<Db, 'pool'>,
  { id, by }: Held,
  { attempt, atMs }: { attempt: number | null; atMs: number },
): Promise<void> {
  await pool.query(
    `UPDATE access_gates SET attempt = coalesce(attempt, $3), commented_at = $4
     WHERE id = $1 AND claimed_by = $2`,
    [id, by, attempt, new Date(atMs)],
  );
}

/** Gives a question back, to be looked at again. `fault`: why, without a secret; null where it merely waits. */
export async function postpone(
  { pool }: Pick<Db, 'pool'>,
  { id, by }: Held,
  { dueMs, fault }: { dueMs: number; fault: string | null },
): Promise<void> {
  await pool.query(
    `UPDATE access_gates SET due_at = $3, last_fault = $4, tries = CASE WHEN $4::text IS NULL THEN 0 ELSE tries END,
       claimed_by = NULL, claimed_until = NULL
     WHERE id = $1 AND claimed_by = $2 AND state = 'open'`,
    [id, by, new Date(dueMs), fault === null ? null : keptFault(fault)],
  );
}

/** Nothing more is said to it. */
export async function closeQuestion(
  { pool }: Pick<Db, 'pool'>,
  { id, by }: Held,
  { state, atMs }: { state: 'answered' | 'over'; atMs: number },
): Promise<boolean> {
  const { rowCount } = await pool.query(
    `UPDATE access_gates SET state = $3, answered_at = $4, last_fault = NULL, claimed_by = NULL, claimed_until = NULL
     WHERE id = $1 AND claimed_by = $2 AND state = 'open'`,
    [id, by, state, new Date(atMs)],
  );
  return rowCount === 1;
}

/** GitHub ends what waits for longer by itself. */
export async function sweepGates({ pool }: Pick<Db, 'pool'>, beforeMs: number): Promise<void> {
  await pool.query('DELETE FROM access_gates WHERE heard_at < $1', [new Date(beforeMs)]);
}
