import type { GuardVerdict } from '@tripline/contracts/job';
import type { Db } from '@tripline/db/database';
import type { RemediationState } from '@tripline/db/tables/remediations';
import { inTransaction } from '@tripline/db/transaction';
import type { PoolClient } from 'pg';
import { type Place, type Remediation, type Row, toRemediation } from './remediations.ts';
import { recordOutcome, refusal, type StepHistory, settle } from './settle.ts';

/** What the guard needs from the database, read under the lock that {@link claimRemediation} holds. */
export type ClaimFacts = {
  retracted: boolean;
  /** A narrower rule supersedes it. */
  superseded: boolean;
  /** Why its finding proves too little to act upon; null when nothing is in doubt. */
  doubt: string | null;
  /** A person resolved its incident as false or accepted: who, and as what. */
  resolved: { as: string; by: string } | null;
  stopped: boolean;
  /** Steps of this action in this workspace, this one not counted. */
  load: {
    /** Steps whose request was sent within the last hour, or is about to be. */
    sent: number;
    /** Steps begun within the last hour. */
    begun: number;
    /**
     * Steps that wait for a place and come before this one: by severity, each hour of waiting counting as one level. No
     * more are counted than there are places.
     */
    ahead: number;
  };
};

export type Claim =
  /** The step is ours for `leaseMs`, in state `acting`. */
  | { kind: 'act'; attempt: Attempt }
  | { kind: 'refused'; refused: Remediation }
  /** There is no place under the cap. `queued`: it was queued just now, and people are notified. */
  | { kind: 'queued'; queued: Remediation | undefined }
  /** Another worker has it, for `forMs` unless it extends the lease. */
  | { kind: 'busy'; forMs: number }
  /** It is to be tried again, but not yet. */
  | { kind: 'later'; afterMs: number; attempts: number }
  | { kind: 'settled' };

/** One attempt at a step. */
export type Attempt = {
  /** From 1. */
  nth: number;
  /** How long ago the first one began, in ms. */
  begunForMs: number;
  /** A former attempt may have sent its request. */
  sentBefore: boolean;
};

/**
 * The priority of a waiting step as SQL: severity, plus one level an hour of waiting, so that nothing waits for ever
 * behind more severe ones.
 */
export const rank = (finding: string, queuedAt: string) =>
  `(array_position(ARRAY['low', 'medium', 'high', 'critical'], ${finding}.severity)
    + floor(extract(epoch FROM clock_timestamp() - ${queuedAt}) / 3600))`;

/**
 * Asks `decide` and begins the step, queues it or refuses it, in one short transaction. Claims of one action in one
 * workspace wait for each other, so that two workers cannot both be the last under the rate cap. No request is sent in here.
 */
export async function claimRemediation(
  db: Db,
  remediation: Pick<Remediation, 'finding' | 'ordinal' | 'workspace' | 'step'>,
  options: {
    leaseMs: number;
    maxPerHour: number;
    history: StepHistory;
    decide: (facts: ClaimFacts) => { verdict: GuardVerdict; detail: string };
  },
): Promise<Claim> {
  const { finding, ordinal, workspace, step } = remediation;
  return inTransaction(db, async (client) => {
    await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 5))', [`${workspace} ${step.action}`]);
    const { rows } = await client.query<{
      state: RemediationState;
      busy_ms: number | null;
      due_ms: number | null;
      attempts: number;
      sent: boolean;
      retracted: boolean;
      superseded: boolean;
      doubt: string | null;
      resolved: ClaimFacts['resolved'];
    }>(
      `SELECT r.state, r.attempts, r.sent_at IS NOT NULL AS sent,
         CASE WHEN r.leased_until > clock_timestamp()
           THEN ceil(extract(epoch FROM r.leased_until - clock_timestamp()) * 1000)::integer END AS busy_ms,
         CASE WHEN r.state = 'acting' AND r.due_at > clock_timestamp()
           THEN ceil(extract(epoch FROM r.due_at - clock_timestamp()) * 1000)::integer END AS due_ms,
         f.withdrawn_at IS NOT NULL AS retracted, f.superseded_by IS NOT NULL AS superseded, ${doubtOf('f')} AS doubt,
         (SELECT json_build_object('as', i.resolution, 'by', i.resolved_by ->> 'name') FROM incidents i
          WHERE i.id = f.incident AND i.resolution IN ('false', 'accepted') AND i.resolved_by ->> 'via' <> 'tripline') AS resolved
       FROM remediations r JOIN findings f ON f.id = r.finding
       WHERE r.finding = $1 AND r.ordinal = $2 FOR UPDATE OF r`,
      [finding, ordinal],
    );
    const row = rows[0];
    if (row === undefined || !isOpen(row.state)) return { kind: 'settled' };
    if (row.busy_ms !== null) return { kind: 'busy', forMs: row.busy_ms };
    if (row.due_ms !== null) return { kind: 'later', afterMs: row.due_ms, attempts: row.attempts };
    const { rows: stops } = await client.query<{ stopped: boolean }>(
      `SELECT stopped FROM switches WHERE name = 'remediation'`,
    );
    const load = await readLoad(client, remediation, options.maxPerHour);
    const { retracted, superseded, doubt, resolved, sent } = row;
    const stopped = stops[0]?.stopped ?? false;
    // A step whose request may have been sent has its place already, and is finished.
    const facts = {
      retracted,
      superseded,
      doubt,
      resolved,
      stopped,
      load: sent ? { sent: 0, begun: 0, ahead: 0 } : load,
    };
    const { verdict, detail } = options.decide(facts);
    if (verdict === 'rate-capped')
      return queue(client, remediation, { ...options, detail, wasQueued: row.state === 'queued' });
    if (verdict !== 'act') {
      const refused = await settle(client, remediation, refusal(verdict, detail), options.history);
      return { kind: 'refused', refused: refused! };
    }
    const { rows: begun } = await client.query<{ attempts: number; begun_ms: number }>(
      `UPDATE remediations SET state = 'acting', verdict = 'act', attempts = attempts + 1, acted_at = clock_timestamp(),
         begun_at = coalesce(begun_at, clock_timestamp()), due_at = NULL,
         leased_until = clock_timestamp() + $3 * interval '1 millisecond' WHERE finding = $1 AND ordinal = $2
       RETURNING attempts, extract(epoch FROM clock_timestamp() - begun_at)::float8 * 1000 AS begun_ms`,
      [finding, ordinal, options.leaseMs],
    );
    const { attempts, begun_ms } = begun[0]!;
    return { kind: 'act', attempt: { nth: attempts, begunForMs: begun_ms, sentBefore: sent } };
  });
}

/** Why a finding proves too little to act upon, as SQL. */
const doubtOf = (finding: string) =>
  `CASE WHEN ${finding}.lowered_at IS NOT NULL THEN ${finding}.lowered_reason
     WHEN ${finding}.unproven THEN 'GitHub''s own list of deliveries has not named the one that it rests on' END`;

const isOpen = (state: RemediationState) => state === 'planned' || state === 'queued' || state === 'acting';

/** SQL: sent within the hour, or leased by a worker that may be about to send. */
export const holdsPlace = `(r.sent_at > clock_timestamp() - interval '1 hour' OR r.leased_until > clock_timestamp())`;

async function readLoad(
  client: PoolClient,
  { finding, ordinal, workspace, step }: Pick<Remediation, 'finding' | 'ordinal' | 'workspace' | 'step'>,
  maxPerHour: number,
): Promise<ClaimFacts['load']> {
  // No attempt lasts an hour, so what was sent within the last one was begun within the last two.
  const { rows } = await client.query<ClaimFacts['load']>(
    `WITH others AS (SELECT * FROM remediations WHERE workspace = $1 AND action = $2 AND (finding, ordinal) <> ($3, $4)),
       own AS (SELECT ${rank('f', 'coalesce(r.queued_at, clock_timestamp())')} AS rank, coalesce(r.queued_at, clock_timestamp()) AS since
         FROM remediations r JOIN findings f ON f.id = r.finding WHERE r.finding = $3 AND r.ordinal = $4)
     SELECT (SELECT count(*)::int FROM others r WHERE r.acted_at > clock_timestamp() - interval '2 hours' AND ${holdsPlace}) AS sent,
       (SELECT count(*)::int FROM others r WHERE r.acted_at > clock_timestamp() - interval '1 hour') AS begun,
       (SELECT count(*)::int FROM (
          SELECT FROM others r JOIN findings f ON f.id = r.finding, own
          WHERE r.state = 'queued' AND (${rank('f', 'r.queued_at')}, own.since) > (own.rank, r.queued_at)
          LIMIT $5) AS first) AS ahead`,
    [workspace, step.action, finding, ordinal, maxPerHour],
  );
  return rows[0]!;
}

/** Queues a step for a place under the cap; people are notified and paged, once. */
async function queue(
  client: PoolClient,
  { finding, ordinal, workspace, step }: Pick<Remediation, 'finding' | 'ordinal' | 'workspace' | 'step'>,
  options: { maxPerHour: number; detail: string; wasQueued: boolean; history: StepHistory },
): Promise<Claim> {
  const { rows } = await client.query<Row>(
    `UPDATE remediations SET state = 'queued', verdict = 'rate-capped', reason = 'rate-capped', said = $3, leased_until = NULL,
       queued_at = coalesce(queued_at, clock_timestamp()), due_at = greatest(clock_timestamp(), (
         SELECT coalesce(r.sent_at, r.acted_at) + interval '1 hour' FROM remediations r
         WHERE r.workspace = $4 AND r.action = $5 AND r.acted_at > clock_timestamp() - interval '2 hours' AND ${holdsPlace}
         ORDER BY 1 DESC OFFSET $6 LIMIT 1))
     WHERE finding = $1 AND ordinal = $2 RETURNING *`,
    [finding, ordinal, options.detail, workspace, step.action, options.maxPerHour - 1],
  );
  if (options.wasQueued) return { kind: 'queued', queued: undefined };
  const queued = toRemediation(rows[0]!);
  await recordOutcome(client, queued, options.history);
  return { kind: 'queued', queued };
}

/** Whether a claimed step's request may still be sent. `taken`: another worker has the step. */
export type Gate = 'open' | 'kill-switch' | 'withdrawn' | 'unproven' | 'taken';

/** To be asked right before each request that changes something: notes that it is about to be sent, unless it may not be. */
export async function passGate(db: Db, { finding, ordinal }: Place, attempt: Attempt): Promise<Gate> {
  const { rows } = await db.pool.query<{ stopped: boolean; retracted: boolean; doubtful: boolean; sent: boolean }>(
    `WITH facts AS MATERIALIZED (
       SELECT coalesce((SELECT stopped FROM switches WHERE name = 'remediation'), false) AS stopped,
         coalesce((SELECT withdrawn_at IS NOT NULL OR superseded_by IS NOT NULL FROM findings WHERE id = $1), true) AS retracted,
         coalesce((SELECT ${doubtOf('f')} IS NOT NULL FROM findings f WHERE id = $1), true) AS doubtful
     ), sent AS (
       UPDATE remediations SET sent_at = clock_timestamp() FROM facts
       WHERE finding = $1 AND ordinal = $2 AND attempts = $3 AND state = 'acting' AND NOT stopped AND NOT retracted AND NOT doubtful RETURNING 1
     )
     SELECT stopped, retracted, doubtful, EXISTS (SELECT FROM sent) AS sent FROM facts`,
    [finding, ordinal, attempt.nth],
  );
  const { stopped, retracted, doubtful, sent } = rows[0]!;
  if (sent) return 'open';
  if (stopped) return 'kill-switch';
  return retracted ? 'withdrawn' : doubtful ? 'unproven' : 'taken';
}

/** Renews the lease of a claimed step while its request is under way. */
export async function extendLease(db: Db, { finding, ordinal }: Place, leaseMs: number): Promise<void> {
  await db.pool.query(
    `UPDATE remediations SET leased_until = clock_timestamp() + $3 * interval '1 millisecond'
     WHERE finding = $1 AND ordinal = $2 AND state = 'acting'`,
    [finding, ordinal, leaseMs],
  );
}
