import type { GuardVerdict } from '@tripline/contracts/job';
import type { ResponseStep } from '@tripline/contracts/response';
import { failpoint } from '@tripline/runtime/failpoint';
import type { PoolClient } from 'pg';
import type { Db } from './database.ts';
import { addIncidentEvent } from './incidents.ts';
import { addJob, addTellJobs } from './jobs.ts';
import type { RemediationState, ShownRequest } from './tables/remediations.ts';
import { inTransaction } from './transaction.ts';

/** One step of a finding's playbook and what became of it. Field docs: migrations/0005_remediations.sql. Times are RFC 3339. */
export type Remediation = {
  finding: string;
  ordinal: number;
  workspace: string;
  code: string;
  step: ResponseStep;
  mode: 'dry-run' | 'live';
  request: ShownRequest;
  state: RemediationState;
  verdict: GuardVerdict | null;
  attempts: number;
  reason: string | null;
  said: string | null;
  check: { result: 'dead' | 'alive' | 'unknown'; said: string } | null;
  plannedAt: string;
  actedAt: string | null;
  settledAt: string | null;
};

export type PlannedStep = Pick<Remediation, 'ordinal' | 'code' | 'step' | 'mode' | 'request'>;

/**
 * Writes a playbook down, once: a step that is there already stays as it is, unless it was refused only because the
 * finding was withdrawn, and the finding stands again.
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
      [finding.id, ordinal, finding.workspace, step.action, code, JSON.stringify(step), mode, JSON.stringify(request)],
    );
  }
  await db.pool.query(
    `UPDATE remediations r SET state = 'planned', verdict = NULL, reason = NULL, said = NULL, settled_at = NULL
     FROM findings f WHERE r.finding = $1 AND f.id = r.finding AND f.withdrawn_at IS NULL
       AND r.state = 'refused' AND r.verdict = 'withdrawn'`,
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
  withdrawn: boolean;
  stopped: boolean;
  /** Steps of this action begun in this workspace within the last hour, this one not counted. */
  begunLastHour: number;
};

export type Claim =
  /** It is ours for `leaseMs`, and stands as `acting`. */
  | { kind: 'act' }
  | { kind: 'refused'; refused: Remediation }
  /** Somebody else has it, for so long unless they extend it. */
  | { kind: 'busy'; forMs: number }
  | { kind: 'settled' };

/**
 * Asks `decide` and begins the step or refuses it, in one short transaction. Claims of one action in one workspace wait
 * for each other, so that two workers cannot both be the last under the rate cap. No request is sent in here.
 */
export async function claimRemediation(
  db: Db,
  remediation: Pick<Remediation, 'finding' | 'ordinal' | 'workspace' | 'step'>,
  options: {
    leaseMs: number;
    story: StoryOfSteps;
    decide: (facts: ClaimFacts) => { verdict: GuardVerdict; said: string };
  },
): Promise<Claim> {
  const { finding, ordinal, workspace, step } = remediation;
  return inTransaction(db, async (client) => {
    await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 5))', [`${workspace} ${step.action}`]);
    const { rows } = await client.query<{ state: RemediationState; busy_ms: number | null; withdrawn: boolean }>(
      `SELECT state, CASE WHEN leased_until > clock_timestamp()
                THEN ceil(extract(epoch FROM leased_until - clock_timestamp()) * 1000)::integer END AS busy_ms,
              (SELECT withdrawn_at IS NOT NULL FROM findings WHERE id = finding) AS withdrawn
       FROM remediations WHERE finding = $1 AND ordinal = $2 FOR UPDATE`,
      [finding, ordinal],
    );
    const row = rows[0];
    if (row === undefined || (row.state !== 'planned' && row.state !== 'acting')) return { kind: 'settled' };
    if (row.busy_ms !== null) return { kind: 'busy', forMs: row.busy_ms };
    const facts = await client.query<{ stopped: boolean; begun: number }>(
      `SELECT coalesce((SELECT stopped FROM switches WHERE name = 'remediation'), false) AS stopped,
              (SELECT count(*) FROM remediations WHERE workspace = $1 AND action = $2
                 AND acted_at > clock_timestamp() - interval '1 hour' AND (finding, ordinal) <> ($3, $4)) AS begun`,
      [workspace, step.action, finding, ordinal],
    );
    const { stopped, begun } = facts.rows[0]!;
    failpoint('remediator.claim-locked');
    const { verdict, said } = options.decide({ withdrawn: row.withdrawn, stopped, begunLastHour: begun });
    if (verdict !== 'act') {
      const refused = await settle(client, remediation, refusal(verdict, said), options.story);
      return { kind: 'refused', refused: refused! };
    }
    await client.query(
      `UPDATE remediations SET state = 'acting', verdict = 'act', attempts = attempts + 1, acted_at = clock_timestamp(),
         leased_until = clock_timestamp() + $3 * interval '1 millisecond' WHERE finding = $1 AND ordinal = $2`,
      [finding, ordinal, options.leaseMs],
    );
    return { kind: 'act' };
  });
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

function refusal(verdict: Exclude<GuardVerdict, 'act'>, said: string): Ended {
  return { state: 'refused', verdict, reason: verdict, said, check: null };
}

/** Refuses a step that was claimed, because the kill switch was thrown before its request was sent. */
export function refuseClaimed(db: Db, place: Place, said: string, story: StoryOfSteps) {
  return inTransaction(db, (client) => settle(client, place, refusal('kill-switch', said), story));
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
       leased_until = NULL, settled_at = clock_timestamp()
     WHERE finding = $1 AND ordinal = $2 AND state IN ('planned', 'acting') RETURNING *`,
    [finding, ordinal, state, verdict, reason, said, check?.result ?? null, check?.said ?? null],
  );
  if (rows[0] === undefined) return undefined;
  const settled = toRemediation(rows[0]);
  failpoint('remediator.settled');
  if (story.incident !== null) await tellOfRemediation(client, story.incident, story.line(settled));
  failpoint('remediator.before-commit');
  return settled;
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

/** Gives a claimed step up for now, and leaves the job that takes it up again; both or neither. */
export async function postponeRemediation(
  db: Db,
  { finding, ordinal }: Place,
  postponed: { reason: string; said: string; afterMs: number },
): Promise<void> {
  await inTransaction(db, async (client) => {
    await client.query(
      `UPDATE remediations SET reason = $3, said = $4, leased_until = NULL WHERE finding = $1 AND ordinal = $2`,
      [finding, ordinal, postponed.reason, postponed.said],
    );
    await addRemediateJob(client, finding, postponed.afterMs);
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
     WHERE state IN ('planned', 'acting') AND coalesce(leased_until, planned_at + $1 * interval '1 millisecond') < clock_timestamp()
       AND NOT EXISTS (SELECT FROM graphile_worker.jobs WHERE key = 'remediate:' || finding AND locked_at IS NULL)
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

async function tellOfRemediation(client: PoolClient, incident: string, detail: Record<string, unknown>) {
  await client.query('UPDATE incidents SET version = version + 1, updated_at = clock_timestamp() WHERE id = $1', [
    incident,
  ]);
  const actor = { via: 'tripline', id: 'tripline', name: 'tripline' } as const;
  await addIncidentEvent(client, { incident, kind: 'remediated', actor, detail });
  await addTellJobs(client, incident);
}

type Row = {
  finding: string;
  ordinal: number;
  workspace: string;
  code: string;
  target: ResponseStep;
  mode: 'dry-run' | 'live';
  request: ShownRequest;
  state: RemediationState;
  verdict: GuardVerdict | null;
  attempts: number;
  reason: string | null;
  said: string | null;
  check_result: 'dead' | 'alive' | 'unknown' | null;
  check_said: string | null;
  planned_at: Date;
  acted_at: Date | null;
  settled_at: Date | null;
};

function toRemediation(row: Row): Remediation {
  const { finding, ordinal, workspace, code, mode, request, state, verdict, attempts, reason, said } = row;
  return {
    ...{ finding, ordinal, workspace, code, step: row.target, mode, request, state, verdict, attempts, reason, said },
    check: row.check_result && { result: row.check_result, said: row.check_said ?? '' },
    plannedAt: row.planned_at.toISOString(),
    actedAt: row.acted_at?.toISOString() ?? null,
    settledAt: row.settled_at?.toISOString() ?? null,
  };
}
