import type { GuardVerdict } from '@tripline/contracts/job';
import { describeTarget, type Intent } from '@tripline/contracts/response';
import type { Db } from '@tripline/db/database';
import { type FormerStep, intentOf } from '@tripline/db/former-steps';
import { addJob, addNotifyJob } from '@tripline/db/jobs';
import { addToOutbox, type OutgoingEvent } from '@tripline/db/outbox';
import type { RemediationState, ShownRequest } from '@tripline/db/tables/remediations';
import { inTransaction } from '@tripline/db/transaction';
import { addIncidentEvent, pageAnew } from '@tripline/incidents/incidents';
import type { PoolClient } from 'pg';

/** One step of a finding's playbook and what became of it. Field docs: migrations/0005_remediations.sql. Times are RFC 3339. */
export type Remediation = {
  finding: string;
  ordinal: number;
  workspace: string;
  code: string;
  step: Intent;
  mode: 'dry-run' | 'live';
  /** What would be sent first; null where no integration can do it. */
  request: ShownRequest | null;
  state: RemediationState;
  verdict: GuardVerdict | null;
  attempts: number;
  reason: string | null;
  said: string | null;
  check: { result: 'dead' | 'alive' | 'unknown'; said: string } | null;
  plannedAt: string;
  /** While it waits for a place or for another attempt: not before. */
  dueAt: string | null;
  actedAt: string | null;
  settledAt: string | null;
};

export type PlannedStep = Pick<Remediation, 'ordinal' | 'code' | 'step' | 'mode' | 'request'>;

/**
 * Writes a playbook down, once: a step that is there already stays as it is, unless it was refused only because the
 * finding was retracted or unproven, and the finding stands again, or is proven.
 */
export async function planRemediations(
  db: Db,
  finding: { id: string; workspace: string },
  steps: readonly PlannedStep[],
): Promise<void> {
  for (const { ordinal, code, step, mode, request } of steps) {
    await db.pool.query(
      `INSERT INTO remediations (finding, ordinal, workspace, action, code, target, mode, request)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
      [
        finding.id,
        ordinal,
        finding.workspace,
        step.action,
        code,
        JSON.stringify(step),
        mode,
        request && JSON.stringify(request),
      ],
    );
  }
  await db.pool.query(
    `UPDATE remediations r SET state = 'planned', verdict = NULL, reason = NULL, said = NULL, settled_at = NULL,
       check_result = NULL, check_said = NULL
     FROM findings f WHERE r.finding = $1 AND f.id = r.finding AND f.withdrawn_at IS NULL
       AND r.state = 'refused' AND (r.verdict = 'withdrawn' OR r.verdict = 'unproven' AND NOT f.unproven)`,
    [finding.id],
  );
}

/** Steps of one finding in order, or the newest of all. */
export async function listRemediations(
  db: Db,
  filter: { finding?: string; limit?: number } = {},
): Promise<Remediation[]> {
  const { rows } = await db.pool.query<Row>(
    filter.finding === undefined
      ? { text: 'SELECT * FROM remediations ORDER BY planned_at DESC, ordinal LIMIT $1', values: [filter.limit ?? 100] }
      : { text: 'SELECT * FROM remediations WHERE finding = $1 ORDER BY ordinal', values: [filter.finding] },
  );
  return rows.map(toRemediation);
}

/** What the guard must know that only the database can tell, read under the lock that {@link claimRemediation} holds. */
export type ClaimFacts = {
  retracted: boolean;
  /** Why its finding proves too little to act upon; null when nothing is in doubt. */
  doubt: string | null;
  /** A person resolved its incident as false or accepted: who, and as what. */
  resolved: { as: string; by: string } | null;
  stopped: boolean;
  /** Steps of this action in this workspace, this one not counted. */
  load: {
    /** Whose request was sent within the last hour, or is about to be. */
    sent: number;
    /** That were begun within the last hour. */
    begun: number;
    /**
     * That wait for a place and come before this one: the gravest first, where each hour of waiting counts for a rank. No
     * more are counted than there are places.
     */
    ahead: number;
  };
};

export type Claim =
  /** It is ours for `leaseMs`, and stands as `acting`. */
  | { kind: 'act'; attempt: Attempt }
  | { kind: 'refused'; refused: Remediation }
  /** There is no place under the cap. `queued` when it was told of just now. */
  | { kind: 'queued'; queued: Remediation | undefined }
  /** Somebody else has it, for so long unless they extend it. */
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
  /** A former one may have sent its request. */
  sentBefore: boolean;
};

/** How grave a waiting step is: an hour of waiting counts for a rank, so that nothing waits for ever behind what is graver. */
const rank = (finding: string, queuedAt: string) =>
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
    story: StoryOfSteps;
    decide: (facts: ClaimFacts) => { verdict: GuardVerdict; said: string };
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
      doubt: string | null;
      resolved: ClaimFacts['resolved'];
    }>(
      `SELECT r.state, r.attempts, r.sent_at IS NOT NULL AS sent,
         CASE WHEN r.leased_until > clock_timestamp()
           THEN ceil(extract(epoch FROM r.leased_until - clock_timestamp()) * 1000)::integer END AS busy_ms,
         CASE WHEN r.state = 'acting' AND r.due_at > clock_timestamp()
           THEN ceil(extract(epoch FROM r.due_at - clock_timestamp()) * 1000)::integer END AS due_ms,
         f.withdrawn_at IS NOT NULL AS retracted, ${doubtOf('f')} AS doubt,
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
    const { retracted, doubt, resolved, sent } = row;
    const stopped = stops[0]?.stopped ?? false;
    // What may have been sent has its place already: it is seen through.
    const facts = { retracted, doubt, resolved, stopped, load: sent ? { sent: 0, begun: 0, ahead: 0 } : load };
    const { verdict, said } = options.decide(facts);
    if (verdict === 'rate-capped')
      return queue(client, remediation, { ...options, said, wasQueued: row.state === 'queued' });
    if (verdict !== 'act') {
      const refused = await settle(client, remediation, refusal(verdict, said), options.story);
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

/** Sent within the hour, or in the hands of a worker who may be about to send. */
const holdsPlace = `(r.sent_at > clock_timestamp() - interval '1 hour' OR r.leased_until > clock_timestamp())`;

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

/** Lets a step wait for a place, and has people told of it and paged, once. */
async function queue(
  client: PoolClient,
  { finding, ordinal, workspace, step }: Pick<Remediation, 'finding' | 'ordinal' | 'workspace' | 'step'>,
  options: { maxPerHour: number; said: string; wasQueued: boolean; story: StoryOfSteps },
): Promise<Claim> {
  const { rows } = await client.query<Row>(
    `UPDATE remediations SET state = 'queued', verdict = 'rate-capped', reason = 'rate-capped', said = $3, leased_until = NULL,
       queued_at = coalesce(queued_at, clock_timestamp()), due_at = greatest(clock_timestamp(), (
         SELECT coalesce(r.sent_at, r.acted_at) + interval '1 hour' FROM remediations r
         WHERE r.workspace = $4 AND r.action = $5 AND r.acted_at > clock_timestamp() - interval '2 hours' AND ${holdsPlace}
         ORDER BY 1 DESC OFFSET $6 LIMIT 1))
     WHERE finding = $1 AND ordinal = $2 RETURNING *`,
    [finding, ordinal, options.said, workspace, step.action, options.maxPerHour - 1],
  );
  if (options.wasQueued) return { kind: 'queued', queued: undefined };
  const queued = toRemediation(rows[0]!);
  await tell(client, queued, options.story);
  return { kind: 'queued', queued };
}

/**
 * Leaves jobs for the steps that wait and for which there is a place: the gravest first, and among equals who waits longest.
 * The guard is asked again then. Answers how many steps.
 */
export async function takeUpQueued(db: Db, options: { maxPerHour: number }): Promise<number> {
  const { rows } = await db.pool.query<{ finding: string }>(
    `WITH waiting AS MATERIALIZED (
       SELECT r.finding, r.workspace, r.action, row_number() OVER (PARTITION BY r.workspace, r.action
         ORDER BY ${rank('f', 'r.queued_at')} DESC, r.queued_at, r.finding, r.ordinal) AS place
       FROM remediations r JOIN findings f ON f.id = r.finding WHERE r.state = 'queued'
     ), taken AS MATERIALIZED (
       SELECT r.workspace, r.action, count(*) AS places FROM remediations r
       WHERE EXISTS (SELECT FROM waiting) AND r.acted_at > clock_timestamp() - interval '2 hours' AND ${holdsPlace}
       GROUP BY r.workspace, r.action
     )
     SELECT DISTINCT w.finding FROM waiting w LEFT JOIN taken t USING (workspace, action)
     WHERE w.place + coalesce(t.places, 0) <= $1`,
    [options.maxPerHour],
  );
  for (const { finding } of rows) {
    await inTransaction(db, (client) => addJob(client, 'remediate', { finding }, { key: `remediate:${finding}` }));
  }
  return rows.length;
}

/** Whether a claimed step's request may still be sent. `taken`: another worker has the step. */
export type Gate = 'open' | 'kill-switch' | 'withdrawn' | 'unproven' | 'taken';

/** To be asked right before each request that changes something: notes that it is about to be sent, unless it may not be. */
export async function passGate(db: Db, { finding, ordinal }: Place, attempt: Attempt): Promise<Gate> {
  const { rows } = await db.pool.query<{ stopped: boolean; retracted: boolean; doubtful: boolean; sent: boolean }>(
    `WITH facts AS MATERIALIZED (
       SELECT coalesce((SELECT stopped FROM switches WHERE name = 'remediation'), false) AS stopped,
         coalesce((SELECT withdrawn_at IS NOT NULL FROM findings WHERE id = $1), true) AS retracted,
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

/** Keeps a claimed step ours while its request is under way. */
export async function extendLease(db: Db, { finding, ordinal }: Place, leaseMs: number): Promise<void> {
  await db.pool.query(
    `UPDATE remediations SET leased_until = clock_timestamp() + $3 * interval '1 millisecond'
     WHERE finding = $1 AND ordinal = $2 AND state = 'acting'`,
    [finding, ordinal, leaseMs],
  );
}

type Place = Pick<Remediation, 'finding' | 'ordinal'>;

/** Which incident's story a settled step belongs to, and the line that tells of it. A silenced finding has no incident. */
export type StoryOfSteps = { incident: string | null; line: (settled: Remediation) => Record<string, unknown> };

export type Settled = {
  state: 'done' | 'failed';
  reason: string;
  said: string;
  check: { result: 'dead' | 'alive' | 'unknown'; said: string };
};
type Ended = Omit<Settled, 'state' | 'check'> & {
  state: RemediationState;
  verdict: GuardVerdict;
  check: Settled['check'] | null;
};

function refusal(verdict: Exclude<GuardVerdict, 'act'>, said: string, check: Settled['check'] | null = null): Ended {
  return { state: 'refused', verdict, reason: verdict, said, check };
}

/**
 * Refuses a step that was claimed: what was learned between the claim and its request speaks against it. `check`: what
 * GitHub said, where it was asked and the thing was found alive after all.
 */
export function refuseClaimed(
  db: Db,
  place: Place,
  refused: { verdict: Exclude<GuardVerdict, 'act'>; said: string; check?: Settled['check'] },
  story: StoryOfSteps,
) {
  return inTransaction(db, (client) =>
    settle(client, place, refusal(refused.verdict, refused.said, refused.check), story),
  );
}

/** Records what came of a claimed step, in its incident's story too, and has people told. Undefined: another did so before. */
export function settleRemediation(db: Db, place: Place, settled: Settled, story: StoryOfSteps) {
  return inTransaction(db, (client) => settle(client, place, { ...settled, verdict: 'act' }, story));
}

/** All that follows from a step's end in one transaction, so that no crash leaves a step that nobody hears of. */
async function settle(
  client: PoolClient,
  { finding, ordinal }: Place,
  { state, verdict, reason, said, check }: Ended,
  story: StoryOfSteps,
): Promise<Remediation | undefined> {
  const { rows } = await client.query<Row>(
    `UPDATE remediations SET state = $3, verdict = $4, reason = $5, said = $6, check_result = $7, check_said = $8,
       leased_until = NULL, due_at = NULL, settled_at = clock_timestamp()
     WHERE finding = $1 AND ordinal = $2 AND state IN ('planned', 'queued', 'acting') RETURNING *`,
    [finding, ordinal, state, verdict, reason, said, check?.result ?? null, check?.said ?? null],
  );
  if (rows[0] === undefined) return undefined;
  const settled = toRemediation(rows[0]);
  await tell(client, settled, story);
  return settled;
}

/** The outcome of a step as an event of the log, and as a line of its incident's story. */
async function tell(client: PoolClient, step: Remediation, story: StoryOfSteps): Promise<void> {
  await addToOutbox(client, [outcomeOf(step, story.line(step))]);
  if (story.incident === null) return;
  const line = story.line(step);
  await tellOfRemediation(client, story.incident, line);
  if (pages(step)) {
    const { finding, ordinal } = step;
    await pageAnew(client, story.incident, { reason: String(line['text']), finding, ordinal });
  }
}

/** Refusals after which a person must do what was not done, and may not know of it. */
const pagingVerdicts: readonly (GuardVerdict | null)[] = ['protected', 'not-configured'];

/** Whether people who have acknowledged the incident must be paged anew: what they count on was not done. */
function pages({ mode, state, verdict, check }: Remediation): boolean {
  if (mode === 'dry-run') return false;
  if (state === 'failed' || state === 'queued' || check?.result === 'alive') return true;
  return state === 'refused' && pagingVerdicts.includes(verdict);
}

/**
 * Plans anew the steps of the last day that were refused only because the kill switch was thrown, and leaves the jobs that
 * put them to the guard again. Answers how many steps.
 */
export async function takeUpStopped(db: Db): Promise<number> {
  const { rows } = await db.pool.query<{ steps: number }>(
    `WITH again AS (
       UPDATE remediations SET state = 'planned', verdict = NULL, reason = NULL, said = NULL, settled_at = NULL,
         planned_at = clock_timestamp()
       WHERE state = 'refused' AND verdict = 'kill-switch' AND settled_at > clock_timestamp() - interval '1 day'
       RETURNING finding
     ), jobs AS (
       SELECT graphile_worker.add_job('remediate', payload := json_build_object('finding', finding),
         job_key := 'remediate:' || finding) FROM (SELECT DISTINCT finding FROM again) AS findings
     )
     SELECT (SELECT count(*)::int FROM again) AS steps, (SELECT count(*) FROM jobs) AS jobs`,
  );
  return rows[0]!.steps;
}

/**
 * Gives a claimed step up for now, and leaves the job that takes it up again; both or neither. With `story`, people are
 * told that it has not been done yet.
 */
export async function postponeRemediation(
  db: Db,
  { finding, ordinal }: Place,
  postponed: { reason: string; said: string; afterMs: number; story?: StoryOfSteps },
): Promise<Remediation | undefined> {
  return inTransaction(db, async (client) => {
    const { rows } = await client.query<Row>(
      `UPDATE remediations SET reason = $3, said = $4, leased_until = NULL,
         due_at = clock_timestamp() + $5 * interval '1 millisecond'
       WHERE finding = $1 AND ordinal = $2 AND state = 'acting' RETURNING *`,
      [finding, ordinal, postponed.reason, postponed.said, postponed.afterMs],
    );
    if (rows[0] === undefined) return undefined;
    await addRemediateJob(client, finding, postponed.afterMs);
    const step = toRemediation(rows[0]);
    const { story } = postponed;
    if (story && story.incident !== null) await tellOfRemediation(client, story.incident, story.line(step));
    return step;
  });
}

/** Leaves a job that takes a finding's playbook up again after a while. */
export async function addRemediateJob(client: Pick<PoolClient, 'query'>, finding: string, afterMs: number) {
  await client.query(
    `SELECT FROM graphile_worker.add_job('remediate', payload := $1::json, job_key := $2,
       run_at := clock_timestamp() + $3 * interval '1 millisecond')`,
    [JSON.stringify({ finding }), `remediate:${finding}`, afterMs],
  );
}

/**
 * Leaves jobs anew for playbooks whose worker died: graphile-worker holds a dead worker's job for four hours, which is
 * too long for an attacker's run. A step whose lease is over, or a job begun longer ago than a playbook takes, says so.
 */
export async function reviveRemediations(db: Db, options: { afterMs: number }): Promise<number> {
  const { rows } = await db.pool.query<{ finding: string }>(
    `SELECT DISTINCT finding FROM remediations
     WHERE state IN ('planned', 'acting')
       AND coalesce(leased_until, greatest(due_at, planned_at + $1 * interval '1 millisecond')) < clock_timestamp()
       AND NOT EXISTS (SELECT FROM graphile_worker.jobs WHERE key = 'remediate:' || finding AND locked_at IS NULL
         AND attempts < max_attempts)
     UNION
     SELECT substr(key, length('remediate:') + 1) FROM graphile_worker.jobs
     WHERE key LIKE 'remediate:%' AND locked_at < clock_timestamp() - $1 * interval '1 millisecond'`,
    [options.afterMs],
  );
  for (const { finding } of rows) {
    await inTransaction(db, (client) => addJob(client, 'remediate', { finding }, { key: `remediate:${finding}` }));
  }
  return rows.length;
}

/** The state's own time makes the id: a step that is planned anew may end twice, and both are told. */
function outcomeOf(step: Remediation, line: Record<string, unknown>): OutgoingEvent {
  const { finding, ordinal, workspace, state, verdict, check, request } = step;
  const at = step.settledAt ?? step.dueAt ?? step.plannedAt;
  return {
    id: `response:${finding}:${ordinal}:${state}:${at}`,
    type: 'dev.cdeventsx.tripline-response.finished',
    workspace,
    data: {
      'tripline.response.action': step.step.action,
      'tripline.response.finding': finding,
      'tripline.response.ordinal': ordinal,
      'tripline.response.target': request === null ? describeTarget(step.step) : `${request.method} ${request.path}`,
      'tripline.response.state': state,
      'tripline.response.verdict': verdict ?? 'act',
      'tripline.response.reason': String(line['text'] ?? step.said ?? ''),
      ...(check === null ? {} : { 'tripline.response.result': check.result }),
    },
  };
}

async function tellOfRemediation(client: PoolClient, incident: string, detail: Record<string, unknown>) {
  await client.query('UPDATE incidents SET version = version + 1, updated_at = clock_timestamp() WHERE id = $1', [
    incident,
  ]);
  const actor = { via: 'tripline', id: 'tripline', name: 'tripline' } as const;
  await addIncidentEvent(client, { incident, kind: 'remediated', actor, detail });
  await addNotifyJob(client, incident);
}

type Row = {
  finding: string;
  ordinal: number;
  workspace: string;
  code: string;
  target: Intent | FormerStep;
  mode: 'dry-run' | 'live';
  request: ShownRequest | null;
  state: RemediationState;
  verdict: GuardVerdict | null;
  attempts: number;
  reason: string | null;
  said: string | null;
  check_result: 'dead' | 'alive' | 'unknown' | null;
  check_said: string | null;
  planned_at: Date;
  due_at: Date | null;
  acted_at: Date | null;
  settled_at: Date | null;
};

function toRemediation(row: Row): Remediation {
  const { finding, ordinal, workspace, code, mode, request, state, verdict, attempts, reason, said } = row;
  return {
    ...{
      finding,
      ordinal,
      workspace,
      code,
      step: intentOf(row.target),
      mode,
      request,
      state,
      verdict,
      attempts,
      reason,
      said,
    },
    check: row.check_result && { result: row.check_result, said: row.check_said ?? '' },
    plannedAt: row.planned_at.toISOString(),
    dueAt: row.due_at?.toISOString() ?? null,
    actedAt: row.acted_at?.toISOString() ?? null,
    settledAt: row.settled_at?.toISOString() ?? null,
  };
}
